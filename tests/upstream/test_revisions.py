"""Revisions come from git itself, and looking never changes what production runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kronos_health.domain.upstream import Revision, Unknown
from kronos_health.upstream.revisions import RevisionLook, head_revision, look_up_revisions
from tests.support.processes import gone
from tests.upstream.conftest import Repository


def _look(path: Path, ref: str = "origin/HEAD", timeout: float = 30) -> RevisionLook:
    return look_up_revisions(path, "kronos", ref, timeout)


def it_tells_what_is_checked_out_and_what_upstream_has(checkout: Repository, upstream_repository: Repository) -> None:
    commit = upstream_repository.commit("fix: rotary tables ahead")
    look = _look(checkout.path)
    assert look.unknowns == ()
    assert look.head is not None
    assert (look.head.ref, look.head.subject, look.head.contained) == ("HEAD", "first", True)
    assert look.remote is not None
    assert (look.remote.ref, look.remote.subject) == ("origin/HEAD", "fix: rotary tables ahead")
    assert (look.remote.commit, look.remote.contained) == (commit, False)
    assert look.remote.committed_at is not None
    assert look.remote.committed_at.utcoffset() is not None


def it_leaves_the_work_tree_the_index_and_head_as_they_are(
    checkout: Repository, upstream_repository: Repository
) -> None:
    upstream_repository.commit("news")
    (checkout.path / "kronos.py").write_text("# patched by the team\n")
    (checkout.path / "untracked.py").write_text("")
    before = checkout.git("status", "--porcelain"), checkout.git("rev-parse", "HEAD"), _files(checkout.path)
    _look(checkout.path)
    assert (checkout.git("status", "--porcelain"), checkout.git("rev-parse", "HEAD"), _files(checkout.path)) == before


def _files(path: Path) -> dict[str, float]:
    return {str(file): file.stat().st_mtime for file in path.glob("*") if file.name != ".git"}


def it_knows_a_remote_commit_that_the_checkout_already_has(checkout: Repository) -> None:
    checkout.commit("the team's own patch on top")
    look = _look(checkout.path)
    assert look.remote is not None
    assert look.remote.contained is True


@pytest.mark.parametrize("branch", ["main", "master"])
def it_finds_the_main_branch_where_the_remote_has_no_head(
    checkout: Repository, upstream_repository: Repository, branch: str
) -> None:
    if branch != "main":
        upstream_repository.git("branch", "-m", "main", branch)
        checkout.git("fetch", "-q", "--prune", "origin")
    checkout.git("update-ref", "--no-deref", "-d", "refs/remotes/origin/HEAD")
    look = _look(checkout.path)
    assert look.remote is not None
    assert look.remote.ref == f"origin/{branch}"


def it_follows_another_remote_and_branch(checkout: Repository, upstream_repository: Repository, tmp_path: Path) -> None:
    upstream_repository.git("checkout", "-q", "-b", "release/2")
    commit = upstream_repository.commit("on a branch")
    checkout.git("remote", "add", "fork", str(upstream_repository.path))
    look = _look(checkout.path, "fork/release/2")
    assert look.remote is not None
    assert (look.remote.commit, look.remote.ref) == (commit, "fork/release/2")


def it_still_tells_head_when_the_remote_is_gone(checkout: Repository, upstream_repository: Repository) -> None:
    shutil.rmtree(upstream_repository.path)
    look = _look(checkout.path)
    assert look.head is not None
    assert look.remote is None
    (unknown,) = look.unknowns
    assert unknown.subject == "kronos origin/HEAD"
    assert unknown.reason.startswith("git fetch origin failed: ")


def it_still_tells_head_when_the_network_is_silent(checkout: Repository) -> None:
    checkout.git("remote", "set-url", "origin", "http://127.0.0.1:1/kronos.git")
    look = _look(checkout.path)
    assert look.head is not None
    assert [unknown.subject for unknown in look.unknowns] == ["kronos origin/HEAD"]


def it_gives_up_a_remote_that_never_answers(checkout: Repository, tmp_path: Path) -> None:
    sleeper = tmp_path / "ssh"
    sleeper.write_text(f"#!/bin/sh\necho $$ > {tmp_path / 'pid'}\nexec sleep 60\n")
    sleeper.chmod(0o755)
    checkout.git("config", "core.sshCommand", str(sleeper))
    checkout.git("remote", "set-url", "origin", "ssh://nowhere.example/kronos.git")
    look = _look(checkout.path, timeout=1)
    assert look.head is not None
    assert [unknown.reason for unknown in look.unknowns] == [f"git in {checkout.path}: no answer within 1 s"]
    assert gone([int((tmp_path / "pid").read_text())])


def it_asks_the_remote_without_storing_where_the_checkout_cannot_be_written(
    checkout: Repository, upstream_repository: Repository
) -> None:
    commit = upstream_repository.commit("news")
    # What a read-only mount does to git, and also holds for root: it cannot write a ref.
    refs = checkout.path / ".git" / "refs" / "remotes"
    shutil.rmtree(refs)
    refs.write_text("in the way")
    look = _look(checkout.path)
    assert look.remote == Revision("kronos", commit, None, "", "origin/HEAD", contained=False)
    assert look.unknowns == ()


@pytest.mark.skipif(shutil.which("unshare") is None or os.geteuid() != 0, reason="a read-only mount needs root")
def it_tells_head_of_a_checkout_mounted_read_only(checkout: Repository, tmp_path: Path) -> None:
    mount = f"mount --bind {checkout.path} {checkout.path} && mount -o remount,ro,bind {checkout.path}"
    program = (
        "import sys; from pathlib import Path; from kronos_health.upstream.revisions import look_up_revisions; "
        f"look = look_up_revisions(Path({str(checkout.path)!r}), 'kronos', 'origin/HEAD', 30); "
        "print(look.head.subject, look.remote.commit, look.unknowns)"
    )
    command = ["unshare", "-m", "sh", "-c", f'{mount} || exit 77; exec "$0" -c "$1"', sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip(f"this machine allows no mounts: {done.stderr.strip()}")
    assert done.stdout == f"first {checkout.git('rev-parse', 'HEAD')} ()\n"


def it_reads_a_checkout_that_belongs_to_somebody_else(checkout: Repository, upstream_repository: Repository) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in [checkout.path, *checkout.path.rglob("*")]:
        os.chown(path, 65534, 65534)
    assert isinstance(head_revision(checkout.path, "kronos", 30), Revision)


class DescribeAPathThatIsNoCheckout:
    def it_is_told_from_one_that_does_not_exist(self, tmp_path: Path) -> None:
        assert head_revision(tmp_path / "none", "kronos", 30) == Unknown(
            "kronos checkout", f"{tmp_path / 'none'} is not a folder"
        )
        assert head_revision(tmp_path, "kronos", 30) == Unknown("kronos checkout", f"{tmp_path} is not a git checkout")

    def it_leaves_both_halves_unknown(self, tmp_path: Path) -> None:
        look = _look(tmp_path)
        assert (look.head, look.remote) == (None, None)
        assert [unknown.subject for unknown in look.unknowns] == ["kronos checkout", "kronos origin/HEAD"]

    def it_says_when_there_is_no_commit_yet(self, tmp_path: Path) -> None:
        Repository(tmp_path).git("init", "-q")
        assert head_revision(tmp_path, "kronos", 30) == Unknown("kronos checkout", f"{tmp_path} has no commit yet")

    def it_does_not_take_the_repository_around_a_vendored_copy_for_upstream(self, checkout: Repository) -> None:
        vendored = checkout.path / "external" / "kronos"
        vendored.mkdir(parents=True)
        look = _look(vendored)
        assert look.remote is None
        assert "inside another git checkout" in look.unknowns[0].reason

    def it_names_the_remotes_there_are_for_a_ref_of_none_of_them(self, checkout: Repository) -> None:
        (unknown,) = _look(checkout.path, "upstream/main").unknowns
        assert unknown.reason.endswith("(it has: origin); set upstream.kronos_ref")

    def it_names_the_setting_for_a_branch_that_does_not_exist(self, checkout: Repository) -> None:
        (unknown,) = _look(checkout.path, "origin/stable").unknowns
        assert unknown.reason.endswith("set upstream.kronos_ref to a branch of origin")
