"""A work tree of another revision, for a candidate: in a folder of ours, borrowing the objects of the checkout.

``git worktree add`` would write into the checkout's own ``.git``, which may be production's, or mounted read-only. So
the work tree gets a repository of its own that holds nothing but a reference to the checkout's objects: of the
checkout, nothing is written, neither files nor index, HEAD or references.
"""

from __future__ import annotations

from pathlib import Path

from kronos_health.domain.upstream import Revision, Unknown
from kronos_health.upstream.commands import Answer, NoAnswer, one_line
from kronos_health.upstream.git import Git
from kronos_health.upstream.revisions import look_up_revisions


class NoWorktree(Exception):
    """The revision cannot be laid out; the text says why."""


def find_commit(checkout: Path, repository: str, ref: str, timeout_seconds: float) -> str | Unknown:
    """The full commit that ``ref`` stands for now: ``REMOTE/BRANCH`` after a fetch, else a commit or tag."""
    subject, git = f"{repository} {ref}", Git(checkout.absolute(), timeout_seconds)
    if not checkout.is_dir():
        return Unknown(subject, f"{checkout} is not a folder")
    try:
        if _names_remote(git, ref):
            look = look_up_revisions(checkout, repository, ref, timeout_seconds)
            if isinstance(look.remote, Revision):
                return look.remote.commit
            reasons = [unknown.reason for unknown in look.unknowns if unknown.subject == subject]
            return Unknown(subject, reasons[0] if reasons else f"{checkout} does not tell it")
        answer = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except NoAnswer as error:
        return Unknown(subject, f"git in {checkout}: {error}")
    if not answer.ok:
        return Unknown(subject, f"{checkout} has no revision {ref}; write REMOTE/BRANCH, or fetch it there first")
    return answer.out.strip()


def add_worktree(checkout: Path, commit: str, folder: Path, timeout_seconds: float) -> str:
    """Lay out ``commit`` (twelve digits or more) of ``checkout`` in the new folder ``folder``; returns all its digits.

    What the checkout lacks, because it could not be written when its remote was asked, is fetched from its remotes.
    Raises :class:`NoWorktree`.
    """
    source = Git(checkout.absolute(), timeout_seconds)
    try:
        objects = _objects_of(source)
        folder.mkdir(parents=True)
        tree = Git(folder, timeout_seconds)
        _must(tree("init", "--quiet", "--template="), "git init")
        (folder / ".git" / "objects" / "info").mkdir(exist_ok=True)
        (folder / ".git" / "objects" / "info" / "alternates").write_text(f"{objects}\n", encoding="utf-8")
        if not _has(tree, commit):
            _fetch(source, tree, commit)
        _must(
            tree("-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "--force", "--detach", commit, "--"),
            f"git checkout {commit}",
        )
        return _must(tree("rev-parse", "--verify", "HEAD"), "git rev-parse HEAD").out.strip()
    except NoAnswer as error:
        raise NoWorktree(f"git in {checkout}: {error}") from error


def _names_remote(git: Git, ref: str) -> bool:
    return any(ref.startswith(f"{remote}/") for remote in git("remote").out.split())


def _objects_of(source: Git) -> Path:
    if source("rev-parse", "--show-prefix").out.strip():
        raise NoWorktree(f"{source.path} is a folder inside another git checkout, not a checkout of its own")
    answer = source("rev-parse", "--git-path", "objects")
    if not answer.ok:
        raise NoWorktree(f"{source.path} is not a git checkout")
    return (source.path / answer.out.strip()).resolve()


def _has(tree: Git, commit: str) -> bool:
    return tree("cat-file", "-e", f"{commit}^{{tree}}").ok


def _fetch(source: Git, tree: Git, commit: str) -> None:
    """Ask every remote of the checkout for the commit."""
    tried = []
    for remote in source("remote").out.split():
        url = source("remote", "get-url", remote).out.strip()
        full = _full_commit(tree, url, commit)
        answer = tree("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--depth=1", url, full)
        if answer.ok and _has(tree, commit):
            return
        tried.append(f"{remote}: {one_line(answer.err, 120) or 'it does not have it'}")
    raise NoWorktree(f"{source.path} has no commit {commit} ({'; '.join(tried) or 'and no remote to ask'})")


def _full_commit(tree: Git, url: str, commit: str) -> str:
    """The whole of a shortened commit, where a reference of the remote is at it: only whole ones can be fetched."""
    listed = tree("ls-remote", url).out.splitlines()
    return next((line.partition("\t")[0] for line in listed if line.startswith(commit)), commit)


def _must(answer: Answer, what: str) -> Answer:
    if not answer.ok:
        raise NoWorktree(f"{what} failed: {one_line(answer.err) or f'exit status {answer.status}'}")
    return answer
