"""Work trees of other revisions: real git, and a checkout that stays as it was to the byte."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from kronos_health.domain.upstream import Unknown
from kronos_health.upstream.worktrees import NoWorktree, add_worktree, find_commit

SECONDS = 60.0


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, text: str) -> str:
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "code.py").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", text)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, str, str]:
    """A remote with two commits, a checkout that was cloned at the first, and the two commits."""
    remote, checkout = tmp_path / "remote", tmp_path / "kronos"
    remote.mkdir()
    git(remote, "init", "-q", "-b", "main")
    old = commit(remote, "old")
    git(tmp_path, "clone", "-q", "-o", "upstream", str(remote), str(checkout))
    return remote, checkout, old, commit(remote, "fixed")


def content(folder: Path) -> dict[str, str]:
    """Every file below ``folder`` with its digest."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def it_finds_a_branch_of_a_remote_a_tag_and_a_short_commit(places: tuple[Path, Path, str, str]) -> None:
    _, checkout, old, fixed = places
    git(checkout, "tag", "v1", old)
    found = [find_commit(checkout, "kronos", ref, SECONDS) for ref in ("upstream/main", "v1", old[:9], fixed)]
    assert found == [fixed, old, old, fixed]
    for ref, told in (("upstream/none", "does not exist"), ("v9", "has no revision v9")):
        unknown = find_commit(checkout, "kronos", ref, SECONDS)
        assert isinstance(unknown, Unknown)
        assert told in unknown.reason
    nowhere = find_commit(checkout / "none", "kronos", "upstream/main", SECONDS)
    assert isinstance(nowhere, Unknown)


def it_lays_out_a_revision_and_leaves_the_checkout_alone(places: tuple[Path, Path, str, str], tmp_path: Path) -> None:
    _, checkout, old, fixed = places
    (checkout / "model" / "code.py").write_text("an edit that nobody committed")
    (checkout / "notes.txt").write_text("untracked")
    assert find_commit(checkout, "kronos", "upstream/main", SECONDS) == fixed
    before = content(checkout)
    tree = tmp_path / "state" / "tree"
    assert add_worktree(checkout, fixed[:12], tree, SECONDS) == fixed
    assert (tree / "model" / "code.py").read_text() == "fixed"
    assert not (tree / "notes.txt").exists()
    assert git(tree, "rev-parse", "HEAD") == fixed
    assert git(tree, "status", "--porcelain") == ""
    assert add_worktree(checkout, old[:12], tmp_path / "state" / "old", SECONDS) == old
    assert content(checkout) == before, "neither files nor index, HEAD, references or the list of worktrees"


def it_fetches_what_a_checkout_that_cannot_be_written_lacks(
    places: tuple[Path, Path, str, str], tmp_path: Path
) -> None:
    _, checkout, _, fixed = places
    before = content(checkout)
    tree = tmp_path / "tree"
    assert add_worktree(checkout, fixed[:12], tree, SECONDS) == fixed
    assert (tree / "model" / "code.py").read_text() == "fixed"
    assert content(checkout) == before


def it_says_why_it_cannot(places: tuple[Path, Path, str, str], tmp_path: Path) -> None:
    remote, checkout, _, _ = places
    with pytest.raises(NoWorktree, match="has no commit 0123456789ab"):
        add_worktree(checkout, "0123456789ab", tmp_path / "a", SECONDS)
    with pytest.raises(NoWorktree, match="is a folder inside another git checkout"):
        add_worktree(remote / "model", "0123456789ab", tmp_path / "b", SECONDS)
    with pytest.raises(NoWorktree, match="is not a git checkout"):
        add_worktree(tmp_path, "0123456789ab", tmp_path / "c", SECONDS)


def it_runs_no_hook_of_the_checkout(places: tuple[Path, Path, str, str], tmp_path: Path) -> None:
    _, checkout, old, _ = places
    hook = checkout / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    add_worktree(checkout, old[:12], tmp_path / "tree", SECONDS)
    assert not (tmp_path / "ran").exists()
