"""Observations of errors that no signature knows: each new kind is told once, many at once in one digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kronos_health.checks.observations.commands import command
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.logs import ErrorKind, Severity
from kronos_health.history.words import counted
from kronos_health.logs.frames import failing_frame

SEVERAL = 3  # more new kinds in one scan are one message
_LISTED = 10
_MESSAGE_CHARS = 200


@dataclass(frozen=True, slots=True)
class NewKind:
    """A kind of error that was never seen before, and its row."""

    row_id: str
    kind: ErrorKind


def of_new_errors(source: str, found: Sequence[NewKind], scan_id: str) -> list[Observation]:
    """One notice for each new kind; where a scan sees more than ``SEVERAL``, one for all of them."""
    if len(found) > SEVERAL:
        return [_digest(source, found, scan_id)]
    return [_one(source, item) for item in found]


def _one(source: str, item: NewKind) -> Observation:
    kind = item.kind
    facts = [Fact("Says", kind.message[:_MESSAGE_CHARS])]
    if kind.raised:
        facts.append(Fact("Raised", kind.raised))
    if frame := failing_frame(kind.record):
        facts.append(Fact("Frame", frame))
    return Observation(
        kind=AlertKind.NEW_ERROR,
        key=f"{source}/{kind.fingerprint}",
        state=ObservationState.BAD,
        severity=Severity.WARNING,
        title=f"A new kind of error in {source}",
        summary="No signature knows it. It is told this once; how often it comes is counted: kronos-health query "
        "unknown_errors.",
        next_step=command("signatures", "propose", kind.fingerprint, note="a catalogue entry, to be alerted of it"),
        occurrences=kind.count,
        observed_at=kind.last_at,
        since=kind.first_at,
        facts=tuple(facts),
        excerpt=kind.record or None,
        evidence=(f"log_error_kind:{item.row_id}",),
    )


def _digest(source: str, found: Sequence[NewKind], scan_id: str) -> Observation:
    left = len(found) - _LISTED
    more = (Fact("And", f"{left} more"),) if left > 0 else ()
    first: datetime = min(item.kind.first_at for item in found)
    return Observation(
        kind=AlertKind.NEW_ERROR,
        key=f"{source}/{scan_id}",
        state=ObservationState.BAD,
        severity=Severity.WARNING,
        title=f"{counted(len(found), 'new kind')} of errors in {source}",
        summary="No signature knows them. They are told this once; how often each comes is counted.",
        next_step=command("query", "unknown_errors", "--param", f"source={source}"),
        occurrences=sum(item.kind.count for item in found),
        observed_at=max(item.kind.last_at for item in found),
        since=first,
        facts=(*(Fact(_times(item.kind), item.kind.message[:_MESSAGE_CHARS]) for item in found[:_LISTED]), *more),
        evidence=tuple(f"log_error_kind:{item.row_id}" for item in found[:_LISTED]),
    )


def _times(kind: ErrorKind) -> str:
    return "Once" if kind.count == 1 else f"{kind.count:,} times"
