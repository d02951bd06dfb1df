"""Observations of the checker itself: runs that never ended, and the weekly word that it still watches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.logs import Severity


def of_run(check: str, subject: str | None, stuck: bool) -> Observation:
    """A run of a check that never said how it ended, with no later run that did."""
    name = f"{check} {subject}" if subject else check
    return Observation(
        kind=AlertKind.CHECKER_UNHEALTHY,
        key=f"run/{check}/{subject or ''}",
        state=ObservationState.BAD if stuck else ObservationState.GOOD,
        severity=Severity.WARNING,
        title=f"The last run of {name} never ended",
        summary="It was killed or is stuck, and no later run has ended since." if stuck else "Later runs ended.",
        next_step="kronos-health query check_pulse",
    )


def of_week(at: datetime, sentences: Sequence[str], facts: Sequence[Fact], attention: int) -> Observation:
    """The weekly digest; its key is the ISO week, so that it is said once however often it is asked for."""
    year, week, _day = at.isocalendar()
    return Observation(
        kind=AlertKind.DIGEST,
        key=f"{year}-W{week:02d}",
        state=ObservationState.BAD,  # a notice: something to say
        severity=Severity.WARNING if attention else Severity.INFO,
        title="Still watching: " + (f"{attention} things want attention" if attention else "nothing wants attention"),
        summary=" ".join(sentences) or "No decision has been weighed yet.",
        next_step="kronos-health status",
        facts=tuple(facts),
    )
