"""Tells of the checker's health: alerts for what no other check says, and a ping to the address outside."""

from __future__ import annotations

from collections.abc import Iterator

from kronos_health.alerts import recording
from kronos_health.alerts.heartbeat import Pings
from kronos_health.checks.context import Context
from kronos_health.checks.doctor.diagnosis import Checkup, Diagnosis, Standing, worst
from kronos_health.checks.observations import checker
from kronos_health.checks.pulse import pulse
from kronos_health.domain.alerts import Observation, ObservationState
from kronos_health.store.database import writing

_STATES = {
    Standing.OK: ObservationState.GOOD,
    Standing.ATTENTION: ObservationState.BAD,
    Standing.FAILED: ObservationState.BAD,
    Standing.UNKNOWN: ObservationState.UNKNOWN,
}


def raise_alerts(context: Context, checkup: Checkup) -> None:
    """Raise, keep and resolve the alerts about the checker; one per subject."""
    with pulse(context, "doctor") as state:
        if checkup.exit_status:
            state.attention(checkup.sentence)
        with writing(context.engine) as connection:
            recording.record(connection, list(observations(checkup, state.id)), context.settings, context.now())


def observations(checkup: Checkup, heartbeat_id: str) -> Iterator[Observation]:
    """One per subject, of its worst line; of what another check tells, and of what was not asked, none."""
    by_subject: dict[str, list[Diagnosis]] = {}
    for line in checkup.lines:
        by_subject.setdefault(line.subject, []).append(line)
    for subject, lines in by_subject.items():
        own = tuple(line for line in lines if not line.told_elsewhere and line.standing is not Standing.NOT_ASKED)
        if own:
            found = worst(own)
            what = "; ".join(line.what for line in own if line.standing is found.standing)
            yield checker.of_checkup(subject, _STATES[found.standing], what, found.next_step, heartbeat_id)


def end(pings: Pings, checkup: Checkup) -> str | None:
    """Say outside how it went: a checker that cannot work is a failure there, one that found something is none."""
    return pings.end(checkup.exit_status != 2, f"{checkup.sentence} {checkup.first_concern}".strip())
