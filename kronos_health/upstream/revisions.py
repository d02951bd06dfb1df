"""Revisions of a git checkout and of its remote, by git itself. The work tree is never touched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from kronos_health.domain.upstream import Revision, Unknown
from kronos_health.upstream.commands import Answer, NoAnswer, one_line
from kronos_health.upstream.git import Git

_FORMAT = "--format=%H%x00%cI%x00%s"


@dataclass(frozen=True, slots=True)
class RevisionLook:
    """What is checked out, what the remote has, and what could not be told."""

    head: Revision | None
    remote: Revision | None
    unknowns: tuple[Unknown, ...]


@dataclass(frozen=True, slots=True)
class _Checkout:
    path: Path
    repository: str
    timeout_seconds: float

    def git(self, *arguments: str) -> Answer:
        """Ask git in this checkout."""
        return Git(self.path, self.timeout_seconds)(*arguments)


def head_revision(checkout: Path, repository: str, timeout_seconds: float) -> Revision | Unknown:
    """What is checked out at ``checkout``, also where it can only be read; ``Unknown`` if it is no git checkout."""
    subject = f"{repository} checkout"
    place = _Checkout(checkout.absolute(), repository, timeout_seconds)
    if not checkout.is_dir():
        return Unknown(subject, f"{checkout} is not a folder")
    try:
        return _show(place, "HEAD", "HEAD") or Unknown(subject, _no_head(place))
    except NoAnswer as error:
        return Unknown(subject, f"git in {checkout}: {error}")


def look_up_revisions(checkout: Path, repository: str, ref: str, timeout_seconds: float) -> RevisionLook:
    """HEAD of ``checkout``, and ``ref`` (e.g. ``origin/HEAD``) after a fetch of its remote.

    ``timeout_seconds`` bounds each git command. Where the checkout cannot be written, the remote is asked for its
    commit without storing it (no subject and date then). Unknown: ``<repository> checkout`` or ``<repository> <ref>``.
    """
    head = head_revision(checkout, repository, timeout_seconds)
    subject = f"{repository} {ref}"
    if isinstance(head, Unknown):
        return RevisionLook(None, None, (head, Unknown(subject, head.reason)))
    place = _Checkout(checkout.absolute(), repository, timeout_seconds)
    try:
        remote = _remote_revision(place, ref, subject)
    except NoAnswer as error:
        remote = Unknown(subject, f"git in {checkout}: {error}")
    if isinstance(remote, Unknown):
        return RevisionLook(head, None, (remote,))
    return RevisionLook(head, remote, ())


def _show(place: _Checkout, commitish: str, ref: str) -> Revision | None:
    answer = place.git("log", "-1", "--no-show-signature", "--no-color", _FORMAT, "--end-of-options", commitish, "--")
    parts = answer.out.rstrip("\n").split("\0")
    if not answer.ok or len(parts) != 3:
        return None
    committed_at = datetime.fromisoformat(parts[1]).astimezone(UTC)
    return Revision(place.repository, parts[0], committed_at, one_line(parts[2]), ref, contained=ref == "HEAD" or None)


def _no_head(place: _Checkout) -> str:
    answer = place.git("rev-parse", "--verify", "HEAD")
    if "not a git repository" in answer.err:
        return f"{place.path} is not a git checkout"
    if "Needed a single revision" in answer.err:
        return f"{place.path} has no commit yet"
    return f"git in {place.path}: {one_line(answer.err) or f'exit status {answer.status}'}"


def _remote_revision(place: _Checkout, ref: str, subject: str) -> Revision | Unknown:
    if place.git("rev-parse", "--show-prefix").out.strip():
        # A vendored copy: git would answer for the repository around it, and its news would be taken for upstream's.
        return Unknown(subject, f"{place.path} is a folder inside another git checkout, not a checkout of its own")
    remotes = place.git("remote").out.split()
    remote = max((name for name in remotes if ref.startswith(f"{name}/")), key=len, default=None)
    if remote is None:
        known = ", ".join(remotes) or "none"
        return Unknown(subject, f"{ref} names no remote of {place.path} (it has: {known}); set upstream.kronos_ref")
    branch = ref.removeprefix(f"{remote}/")
    fetched = place.git("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance",
                        "--no-write-fetch-head", remote)  # fmt: skip
    if not fetched.ok:
        return _listed(place, remote, branch, subject, fetched)
    for name in _branches(branch):
        revision = _show(place, f"refs/remotes/{remote}/{name}", f"{remote}/{name}")
        if revision:
            return replace(revision, contained=_contains(place, revision.commit))
    return Unknown(subject, f"{ref} does not exist in {place.path}; set upstream.kronos_ref to a branch of {remote}")


def _branches(branch: str) -> tuple[str, ...]:
    # A clone made by hand, or with one branch, may lack the remote's HEAD.
    return ("HEAD", "main", "master") if branch == "HEAD" else (branch,)


def _listed(place: _Checkout, remote: str, branch: str, subject: str, fetched: Answer) -> Revision | Unknown:
    """A fetch writes; where that is not allowed, or another git holds the lock, the remote can still be asked."""
    answer = place.git("ls-remote", remote, "HEAD" if branch == "HEAD" else f"refs/heads/{branch}")
    commit = answer.out.partition("\t")[0].strip()
    if not answer.ok or not commit:
        return Unknown(subject, f"git fetch {remote} failed: {one_line(fetched.err) or fetched.status}")
    return Revision(place.repository, commit, None, "", f"{remote}/{branch}", contained=_contains(place, commit))


def _contains(place: _Checkout, commit: str) -> bool:
    """True when HEAD's history holds ``commit``; one that git does not have here cannot be in it."""
    return place.git("merge-base", "--is-ancestor", commit, "HEAD").ok
