"""Whether reading keeps up with a log: what budgets left for several scans in a row, and how long it would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kronos_health.alerts.text import duration
from kronos_health.checks.observations.commands import command
from kronos_health.checks.observations.logs import unreadable
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.logs import Severity
from kronos_health.history.words import size

IN_A_ROW = 3  # a burst may take a scan or two; what is left for longer is a log that is written faster than it is read
LOOK_BACK = 6


@dataclass(frozen=True, slots=True)
class Reading:
    """One scan: when it began, how long it read, how many bytes, and how many it left."""

    started_at: datetime
    seconds: float
    bytes: int
    lag_bytes: int


def of_lag(source: str, newest: Sequence[Reading], scan_id: str) -> Observation:
    """Whether the log is read behind its writing. ``newest`` are the last scans that could read it, newest first.

    Good as soon as a scan reaches the end; bad when ``IN_A_ROW`` did not; unknown in between.
    """
    behind = next((index for index, reading in enumerate(newest) if not reading.lag_bytes), len(newest))
    late = tuple(newest[: min(behind, LOOK_BACK)])
    state = ObservationState.GOOD
    if late:
        state = ObservationState.BAD if len(late) >= IN_A_ROW else ObservationState.UNKNOWN
    return Observation(
        kind=AlertKind.CHECKER_UNHEALTHY,
        key=f"lag/{source}",
        state=state,
        severity=Severity.WARNING,
        title=f"The log {source} is written faster than it is read",
        summary=_summary(late, state),
        next_step=command(
            "scan",
            "--source",
            source,
            note="reads on now; or scan more often, or raise logs.max_bytes, logs.max_seconds",
        ),
        since=late[-1].started_at if state is ObservationState.BAD else None,
        facts=_facts(late) if late else (),
        evidence=(f"log_scan:{scan_id}",),
        inhibitors=(unreadable(source),),
    )


def _summary(late: Sequence[Reading], state: ObservationState) -> str:
    if state is not ObservationState.BAD:
        return "The log is read to its end." if not late else f"{size(late[0].lag_bytes)} are left for the next scan."
    return (
        f"The last {len(late)} scans left something unread, now {size(late[0].lag_bytes)}. Nothing is lost, but what "
        f"happens is told late. {_catching_up(late)}"
    )


def _catching_up(late: Sequence[Reading]) -> str:
    """How long it takes at the pace of these scans, and if somebody only read."""
    newest, oldest = late[0], late[-1]
    passed = (newest.started_at - oldest.started_at).total_seconds()
    shrunk = oldest.lag_bytes - newest.lag_bytes
    if shrunk > 0 and passed > 0:
        pace = f"At the pace of these scans it is caught up in {duration(newest.lag_bytes / shrunk * passed)}."
    else:
        pace = "At the pace of these scans it is never caught up."
    seconds, read = sum(item.seconds for item in late), sum(item.bytes for item in late)
    if not read or not seconds:
        return pace
    return f"{pace} Reading alone would take {duration(newest.lag_bytes / read * seconds)}."


def _facts(late: Sequence[Reading]) -> tuple[Fact, ...]:
    return (
        Fact("Left unread", size(late[0].lag_bytes)),
        Fact(f"{len(late) - 1} scans before", size(late[-1].lag_bytes)) if len(late) > 1 else Fact("Scans", "1"),
    )
