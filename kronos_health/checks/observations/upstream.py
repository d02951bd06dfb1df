"""Observations of the upstream watch: releases, commits, drift, settings that cannot be read."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kronos_health.checks.observations.commands import command
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.logs import Severity
from kronos_health.domain.upstream import Drift, DriftKind, Release, Revision

_SHORT = 12
_HEAD = "HEAD"


def of_release(release: Release, targets: Sequence[str], row_id: str) -> Observation:
    """A new release of torch: worth a probe of every variant, since stock code alone says too little.

    ``targets`` are those to probe with it, in an environment of its own: production's is left alone.
    """
    return Observation(
        kind=AlertKind.TORCH_RELEASE,
        key=f"{release.package}/{release.version}",
        state=ObservationState.BAD,
        severity=Severity.INFO,
        title=f"{release.package} {release.version} is out",
        summary="It may carry the fix of the CUDA graph reuse bug (revisit criterion 1). "
        "The criterion is met only when a compiled probe on it passes.",
        next_step=_probe(targets, f"torch={release.version}"),
        facts=(Fact("Release", release.version),),
        evidence=(f"upstream_release:{row_id}",),
    )


def of_revision(revision: Revision, checked_out: str | None, targets: Sequence[str], row_id: str) -> Observation:
    """New commits upstream of the Kronos checkout, or another commit checked out."""
    moved = revision.ref == _HEAD
    # A commit that was only listed, since it could not be fetched, has no subject yet.
    name = revision.subject or revision.commit[:_SHORT]
    return Observation(
        kind=AlertKind.KRONOS_UPDATED,
        key=f"{revision.repository}/{revision.commit}",
        state=ObservationState.BAD,
        severity=Severity.INFO,
        title=f"Another commit of {revision.repository} is checked out: {name}"
        if moved
        else f"{revision.repository} was updated upstream: {name}",
        summary="It may carry the fix of the CUDA graph reuse bug (revisit criterion 2). "
        "The criterion is met only when a compiled probe of it passes.",
        next_step=_probe(targets, None if moved else f"kronos={revision.ref}"),
        facts=(
            Fact("Commit", revision.commit[:_SHORT]),
            Fact("Where", "checked out" if moved else revision.ref),
            *(() if moved else (Fact("Checked out", (checked_out or "unknown")[:_SHORT]),)),
        ),
        evidence=(f"upstream_commit:{row_id}",),
    )


def _probe(targets: Sequence[str], candidate: str | None) -> str:
    chosen = [word for target in targets for word in ("--target", target)]
    tried = ["--candidate", candidate] if candidate else []
    return command("probe", *chosen, *tried, "--variant", "all", note="on a host with CUDA")


def of_drift(
    places: Iterable[str],
    drifts: Iterable[Drift],
    unreadable: Mapping[str, str],
    row_ids: Mapping[tuple[str, str], str],
) -> Iterator[Observation]:
    """One observation per place that holds production's settings: its file, or a running process.

    ``places`` are all places that were to be looked at; one in ``unreadable`` is unknown with that reason. ``row_ids``
    maps place and variable to the row of its drift.
    """
    by_place: dict[str, list[Drift]] = {}
    for drift in drifts:
        by_place.setdefault(drift.where, []).append(drift)
    for place in sorted({*places, *by_place, *unreadable}):
        yield _of_place(place, by_place.get(place, []), unreadable.get(place), row_ids)


def _of_place(
    place: str, drifts: list[Drift], unreadable: str | None, row_ids: Mapping[tuple[str, str], str]
) -> Observation:
    state = ObservationState.BAD if drifts else ObservationState.UNKNOWN if unreadable else ObservationState.GOOD
    words = ", ".join(f"{drift.key} {_actual(drift)}" for drift in drifts)
    rows = (row_ids.get((drift.where, drift.key)) for drift in drifts)
    return Observation(
        kind=AlertKind.SETTINGS_DRIFT,
        key=place,
        state=state,
        severity=Severity.CRITICAL,
        title=f"Production's settings differ from the decision ({place})",
        summary=f"Production may run otherwise than decided: {words}."
        if drifts
        else unreadable or "It follows the decision.",
        next_step=_mend(place, drifts),
        facts=tuple(Fact(drift.key, f"{_actual(drift)}; the decision says {drift.expected}") for drift in drifts),
        evidence=tuple(f"settings_drift:{row}" for row in rows if row),
    )


def _actual(drift: Drift) -> str:
    return "is not set" if drift.actual is None else f"is {drift.actual}"


def _mend(place: str, drifts: list[Drift]) -> str:
    lines = "; ".join(
        f"unset {drift.key}"
        if drift.kind is DriftKind.FORBIDDEN
        else f"export {drift.key}={shlex.quote(drift.expected)}"
        for drift in drifts
    )
    where = place.removeprefix("file ") if place.startswith("file ") else "the file it is started from"
    return command("watch", note=f"after putting into {where}: {lines}; and restarting production from it")


def of_settings(place: str, reasons: Sequence[str]) -> Observation:
    """Whether production's settings in ``place`` could be read whole: until they can, drift there is not seen.

    ``reasons`` say what could not be read, and why.
    """
    return Observation(
        kind=AlertKind.CHECKER_UNHEALTHY,
        key=f"settings/{place}",
        state=ObservationState.BAD if reasons else ObservationState.GOOD,
        severity=Severity.WARNING,
        title=f"Whether production follows the decision cannot be told ({place})",
        summary="; ".join(reasons) or "Its settings can be read.",
        next_step=command("config", "check", note="what cannot be reached from here; then mend [production]"),
        evidence=(f"upstream_look:{place}",) if place.startswith("file ") else (),
    )
