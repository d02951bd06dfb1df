"""Observations of the upstream watch: releases, commits, drift."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kronos_health.domain import candidates
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.logs import Severity
from kronos_health.domain.upstream import Drift, Release, Revision


def of_release(release: Release) -> Observation:
    """A new release of torch: worth a probe of every variant, since stock code alone says too little."""
    return Observation(
        kind=AlertKind.TORCH_RELEASE,
        key=f"{release.package}/{release.version}",
        state=ObservationState.BAD,
        severity=Severity.INFO,
        title=f"{release.package} {release.version} is out",
        summary="A release may carry the fix of the CUDA graph reuse bug (revisit criterion 1). "
        "The criterion is met only when a compiled probe on it passes.",
        next_step=f"kronos-health probe --variant all --candidate {candidates.of_release(release.version).name}"
        "  # on a host with CUDA",
        facts=(Fact("Release", release.version),),
    )


def of_revision(revision: Revision, checked_out: str | None) -> Observation:
    """New commits upstream of the Kronos checkout."""
    return Observation(
        kind=AlertKind.KRONOS_UPDATED,
        key=f"{revision.repository}/{revision.commit}",
        state=ObservationState.BAD,
        severity=Severity.INFO,
        title=f"{revision.repository} was updated: {revision.subject}",
        summary="The checkout or its remote moved (revisit criterion 2). "
        "The criterion is met only when a compiled probe of the new revision passes.",
        next_step=f"kronos-health probe --variant all --candidate {candidates.of_commit(revision.commit).name}"
        "  # on a host with CUDA",
        facts=(
            Fact("Commit", revision.commit[:12]),
            Fact("Where", revision.ref),
            Fact("Checked out", (checked_out or "unknown")[:12]),
        ),
    )


def of_drift(places: Iterable[str], drifts: Iterable[Drift], unreadable: dict[str, str]) -> Iterator[Observation]:
    """One observation per place that holds production's settings: its file, or a running process.

    ``places`` are all places that were to be looked at; one in ``unreadable`` is unknown with that reason.
    """
    by_place: dict[str, list[Drift]] = {}
    for drift in drifts:
        by_place.setdefault(drift.where, []).append(drift)
    for place in sorted({*places, *by_place, *unreadable}):
        yield _of_place(place, by_place.get(place, []), unreadable.get(place))


def _of_place(place: str, drifts: list[Drift], unreadable: str | None) -> Observation:
    state = ObservationState.BAD if drifts else ObservationState.UNKNOWN if unreadable else ObservationState.GOOD
    words = "; ".join(
        f"{drift.key} is {'not set' if drift.actual is None else drift.actual}, the decision says {drift.expected}"
        for drift in drifts
    )
    return Observation(
        kind=AlertKind.SETTINGS_DRIFT,
        key=place,
        state=state,
        severity=Severity.CRITICAL,
        title=f"Production settings differ from the decision ({place})",
        summary=words or unreadable or "Production follows the decision.",
        next_step="set the variables in .env.compile, then: source .env.compile && python trade_stock_e2e.py",
        facts=tuple(Fact(drift.key, f"{drift.actual or 'not set'} (expected {drift.expected})") for drift in drifts),
    )
