"""Observations of the checker itself: runs that never ended, and the weekly word that it still watches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from kronos_health.checks.observations.commands import command
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.logs import Severity

_PARTS = {
    "channels": "Messages do not get out",
    "clock": "The checker's clock is off",
    "dags": "Not every DAG of the checker runs",
    "database": "The checker's database is not sound",
    "disk": "The checker runs out of disk space",
    "heartbeat": "The heartbeat does not arrive",
    "listener": "Nobody listens to the buttons in Slack",
    "logs": "The checker does not keep up with the logs",
    "probes": "A probe was lost",
    "schema": "The checker's database has another schema",
    "settings": "The checker's settings cannot all be used",
}


def of_run(check: str, subject: str | None, stuck: bool, heartbeat_id: str, started_at: datetime) -> Observation:
    """A run of a check that never said how it ended, with no later run that did."""
    name = f"{check} {subject}" if subject else check
    return Observation(
        kind=AlertKind.CHECKER_UNHEALTHY,
        key=f"run/{check}/{subject or ''}",
        state=ObservationState.BAD if stuck else ObservationState.GOOD,
        severity=Severity.WARNING,
        title=f"The last run of {name} never ended",
        summary="It was killed or is stuck, and no later run has ended since." if stuck else "Later runs ended.",
        next_step=command("query", "check_pulse", note="when each check last ran, and how it ended"),
        observed_at=started_at if stuck else None,
        evidence=(f"heartbeat:{heartbeat_id}",),
    )


def of_week(
    at: datetime, sentences: Sequence[str], facts: Sequence[Fact], attention: int, decision_ids: Sequence[str]
) -> Observation:
    """The weekly digest; its key is the ISO week, so that it is said once however often it is asked for."""
    asks = "1 thing wants attention" if attention == 1 else f"{attention} things want attention"
    year, week, _day = at.isocalendar()
    return Observation(
        kind=AlertKind.DIGEST,
        key=f"{year}-W{week:02d}",
        state=ObservationState.BAD,  # a notice: something to say
        severity=Severity.WARNING if attention else Severity.INFO,
        title=f"Still watching: {asks if attention else 'nothing wants attention'}",
        summary=" ".join(sentences) or "No decision has been weighed yet.",
        next_step=command("alerts", note="what is open") if attention else command("status"),
        occurrences=0,  # a summary of a week: nothing was seen "once"
        observed_at=at - timedelta(days=7),
        facts=tuple(facts),
        evidence=tuple(f"decision:{decision_id}" for decision_id in decision_ids),
    )


def of_checkup(subject: str, state: ObservationState, what: str, step: str, heartbeat_id: str) -> Observation:
    """What the doctor found of one part of the checker."""
    return Observation(
        kind=AlertKind.CHECKER_UNHEALTHY,
        key=f"doctor/{subject}",
        state=state,
        severity=Severity.WARNING,
        title=_PARTS.get(subject, f"The checker's {subject} want attention"),
        summary=f"{what[:1].upper()}{what[1:].rstrip('.')}.",
        next_step=step or command("doctor"),
        evidence=(f"heartbeat:{heartbeat_id}",),
    )
