"""Criteria 1 and 2, which are reasons to probe: a newer torch, a newer Kronos.

Met only when a compiled variant passes with it, unknown while nobody tried, not met when there is none or it failed.
"Newer" is counted from what compiled code was last seen failing on in production, else from what production runs, so
that an upgrade which mends it does not count as "nothing newer".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from packaging.version import InvalidVersion, Version

from kronos_health.domain.candidates import PRODUCTION, candidate_words
from kronos_health.domain.probes import Outcome, is_layer
from kronos_health.domain.revisit import (
    Criterion,
    CriterionName,
    Evidence,
    History,
    ProbeFacts,
    ReleaseFacts,
    RevisionFacts,
)
from kronos_health.domain.upstream import Look
from kronos_health.revisit.arms import EAGER, Arm, arms_of, inadmissible_because
from kronos_health.revisit.criteria import (
    MET,
    NOT_MET,
    UNKNOWN,
    Judgement,
    Terms,
    accuracy,
    compiled_iterations,
)

_SHORT = 12
_TORCH = "torch "


@dataclass(frozen=True, slots=True)
class Trigger:
    """A criterion, and what to act on: a release or revision nobody tried, or one that mends it but is not deployed.

    ``candidate`` is what to try in the words of ``probe --candidate``, where somebody should.
    """

    criterion: Criterion
    candidate: str | None = None
    mended_by: str | None = None


def torch_release(history: History, terms: Terms) -> Trigger:
    """Criterion 1: a torch release newer than the one compiled code fails on, with which a compiled variant passes."""
    failing = _last_failing(history, lambda probe: _public(probe.torch) is not None)
    reference = _public(failing.torch if failing else history.production_torch)
    threshold = f"a compiled variant passes with a torch newer than {reference or 'production’s'}"
    finding = _judge_releases(history, terms, reference)
    release = (finding.subject or "").removeprefix(_TORCH)
    return _trigger(CriterionName.TORCH_RELEASE, threshold, finding, f"torch={release}")


def _trigger(name: CriterionName, threshold: str, finding: _Finding, candidate: str) -> Trigger:
    judgement = finding.judgement
    criterion = Criterion(
        name, None, judgement.state, judgement.value, threshold, judgement.explanation, judgement.evidence
    )
    untried = judgement.state is UNKNOWN and finding.subject is not None
    return Trigger(criterion, candidate if untried else None, finding.subject if judgement.state is MET else None)


def _judge_releases(history: History, terms: Terms, reference: Version | None) -> _Finding:
    known = sorted(
        ((version, release) for release in history.releases if (version := _public(release.version))),
        key=lambda pair: (pair[0], pair[1].release_id),
    )
    if not known:
        return _unknown("no release known", _not_looked("torch releases", history.release_look))
    newest = known[-1][1]
    if reference is None:
        explanation = "it is not known which torch production runs: no probe got far enough to say"
        return _unknown(f"newest {newest.version}", explanation, _release_evidence(newest))
    newer = [pair for pair in known if pair[0] > reference]
    if not newer:
        return _nothing_newer(f"{reference} is the newest", history.release_look, (_release_evidence(newest),))
    tried = [(release, _attempt(history, terms, _runs_torch(version))) for version, release in newer]
    for release, attempt in reversed(tried):
        if attempt.passing:
            return _passed(f"{_TORCH}{release.version}", attempt, _release_evidence(release))
    return _not_passed(f"{_TORCH}{newest.version}", tried[-1][1], _release_evidence(newest))


def kronos_update(history: History, terms: Terms) -> Trigger:
    """Criterion 2: a revision newer than the one compiled code fails on, with which a compiled variant passes."""
    # A wrapper's own repository has commits too: only those of the watched checkout can be compared with its remote.
    probe = _last_failing(history, lambda probe: _is_known(_commit(probe.target_revision), history.known_commits))
    failing = _commit(probe.target_revision) if probe else None
    since = failing or (history.head.commit if history.head else None)
    threshold = f"a compiled variant passes with a revision newer than {since[:_SHORT] if since else 'production’s'}"
    finding = _judge_revision(history, terms, failing)
    return _trigger(
        CriterionName.KRONOS_UPDATE, threshold, finding, f"kronos={history.remote.ref}" if history.remote else ""
    )


def _judge_revision(history: History, terms: Terms, failing: str | None) -> _Finding:
    remote, head = history.remote, history.head
    if remote is None:
        look = history.revision_look
        told = _not_looked("the upstream checkout", look) if look else "no upstream checkout is watched for this target"
        return _unknown("no revision known", told)
    # Where production already holds upstream's newest commit, the revision to judge is production's own.
    revisions = [remote, *([head] if head and remote.contained else [])]
    row = _revision_evidence(remote)
    if failing is None and remote.contained:
        return _nothing_newer("production has the newest", history.revision_look, (row,))
    if failing is not None and any(_same_commit(failing, revision.commit) for revision in revisions):
        return _nothing_newer("the newest is the one that fails", history.revision_look, (row,))
    attempt = _attempt(history, terms, _runs_revision(revisions))
    name = f"revision {remote.commit[:_SHORT]}"
    return _passed(name, attempt, row) if attempt.passing else _not_passed(name, attempt, row)


@dataclass(frozen=True, slots=True)
class _Finding:
    """A judgement, and the release or revision it is about, where it is about one."""

    judgement: Judgement
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What came of trying compiled variants with one release or revision, anywhere."""

    passing: Arm | None
    failing: tuple[str, ...]  # what became of each variant, in words
    evidence: tuple[Evidence, ...]


def _attempt(history: History, terms: Terms, belongs: Callable[[ProbeFacts], bool]) -> _Attempt:
    """Judge the probes that ``belongs`` picks as if they were all there is, eager and compiled alike."""
    probes = tuple(probe for probe in history.probes if belongs(probe))
    arms = [arm for arm in arms_of(replace(history, probes=probes)) if arm.variant != EAGER]
    evidence: list[Evidence] = []
    failing: list[str] = []
    for arm in arms:
        judgement = compiled_iterations(arm, terms)
        evidence += judgement.evidence
        if judgement.state is NOT_MET:
            failing.append(f"{arm.variant}: {judgement.value}")
        elif judgement.state is MET and accuracy(arm, history, terms).state is NOT_MET:
            failing.append(f"{arm.variant}: worse than eager")
        elif judgement.state is MET:
            return _Attempt(arm, (), judgement.evidence)
    complete = bool(failing) and len(failing) == sum(arm.admissible for arm in arms)
    return _Attempt(None, tuple(failing) if complete else (), tuple(evidence))


def _passed(subject: str, attempt: _Attempt, row: Evidence) -> _Finding:
    name = attempt.passing.name if attempt.passing else ""
    told = f"{name} passes with {subject} on CUDA"
    candidate = attempt.passing.candidate if attempt.passing else PRODUCTION
    judgement = Judgement(MET, f"{subject} passes", told, (row, *attempt.evidence))
    return _Finding(judgement, None if candidate == PRODUCTION else candidate_words(candidate))


def _not_passed(subject: str, attempt: _Attempt, row: Evidence) -> _Finding:
    rows = (row, *attempt.evidence)
    if attempt.failing:
        told = f"{subject} was tried and fails too ({'; '.join(attempt.failing)})"
        return _Finding(Judgement(NOT_MET, f"{subject} fails", told, rows), subject)
    told = f"{subject} was not tried on CUDA to a conclusion"
    return _Finding(Judgement(UNKNOWN, f"{subject}, untried", told, rows), subject)


def _unknown(value: str, explanation: str, *evidence: Evidence) -> _Finding:
    return _Finding(Judgement(UNKNOWN, value, explanation, evidence))


def _nothing_newer(value: str, look: Look | None, evidence: tuple[Evidence, ...]) -> _Finding:
    """Not met, unless nobody can tell at the moment: what was not seen may be there."""
    if look is not None and look.unknown_since is not None:
        return _unknown(f"{value} known", _not_looked("news", look), *evidence)
    return _Finding(Judgement(NOT_MET, value, "nothing newer is there to try", evidence))


def _not_looked(what: str, look: Look | None) -> str:
    if look is None:
        return f"{what}: never looked up"
    if look.unknown_since is None:
        return f"{what}: nothing found"
    return f"{what}: unknown since {look.unknown_since:%Y-%m-%d %H:%M} UTC ({look.reason})"


def _last_failing(history: History, is_comparable: Callable[[ProbeFacts], bool]) -> ProbeFacts | None:
    """The last admissible probe in which a compiled variant failed in production's environment."""
    failing = [
        probe
        for probe in history.probes
        if probe.candidate == PRODUCTION
        and probe.variant != EAGER
        and not is_layer(probe.variant)
        and inadmissible_because(probe) is None
        and probe.outcome is not Outcome.PASSED
        and is_comparable(probe)
    ]
    return max(failing, key=lambda probe: (probe.started_at, probe.probe_id), default=None)


def _public(text: str | None) -> Version | None:
    """The release behind a version: ``2.13.0+cpu`` is a build of ``2.13.0``."""
    try:
        return Version(Version(text).public) if text else None
    except InvalidVersion:
        return None


def _runs_torch(version: Version) -> Callable[[ProbeFacts], bool]:
    return lambda probe: _public(probe.torch) == version


def _runs_revision(revisions: Iterable[RevisionFacts]) -> Callable[[ProbeFacts], bool]:
    commits = [revision.commit for revision in revisions]
    return lambda probe: any(_same_commit(_commit(probe.target_revision), commit) for commit in commits)


def _commit(revision: str | None) -> str | None:
    """The commit in a target's revision, which may carry a mark such as ``-dirty``; a package's version has none."""
    head = (revision or "").partition("-")[0].partition("+")[0].strip().lower()
    return head if len(head) >= 7 and all(character in "0123456789abcdef" for character in head) else None


def _same_commit(one: str | None, other: str) -> bool:
    return one is not None and (one.startswith(other) or other.startswith(one))


def _is_known(commit: str | None, known: Iterable[str]) -> bool:
    return any(_same_commit(commit, other) for other in known)


def _titled(revision: RevisionFacts) -> str:
    return f" ({revision.subject})" if revision.subject else ""


def _release_evidence(release: ReleaseFacts) -> Evidence:
    return Evidence("upstream_release", release.release_id, True, f"{release.version}, seen {release.seen_at:%Y-%m-%d}")


def _revision_evidence(revision: RevisionFacts) -> Evidence:
    note = f"{revision.ref} {revision.commit[:_SHORT]}{_titled(revision)}, seen {revision.seen_at:%Y-%m-%d}"
    return Evidence("upstream_commit", revision.revision_id, True, note)
