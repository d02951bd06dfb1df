"""Housekeeping: close lost probes, tell of stuck runs, forget what is past its retention, prune candidates."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime, timedelta

from kronos_health.alerts import recording
from kronos_health.checks import candidates
from kronos_health.checks.context import Context
from kronos_health.checks.observations import checker as observations
from kronos_health.checks.pulse import pulse
from kronos_health.probe.kept import Removed
from kronos_health.store import alerts as alert_store
from kronos_health.store import asked_probes, conversation, outbox, pictures, plans, probe_history, probes, retention
from kronos_health.store.database import reading, writing
from kronos_health.store.retention import Before, Forgotten


@dataclass(frozen=True, slots=True)
class HousekeepingSummary:
    """What was closed, found stuck and removed."""

    lost_probes: tuple[str, ...]
    stuck_checks: tuple[str, ...]
    forgotten: Forgotten
    forgotten_messages: int
    removed_candidates: tuple[Removed, ...] = ()


def housekeep(context: Context) -> HousekeepingSummary:
    """Tidy up; every step may be repeated, and each commits on its own so that a kill loses nothing."""
    with pulse(context, "housekeeping") as state:
        now, kept = context.now(), context.settings.retention
        lost = _reap(context, now - timedelta(hours=kept.lost_after_hours))
        stuck = _tell_of_stuck_runs(context, now - timedelta(hours=kept.lost_after_hours))
        forgotten = _forget(context, now)
        with writing(context.engine) as connection:
            before = now - timedelta(days=kept.deliveries_days)
            messages = outbox.forget(connection, before)
            pictures.forget(connection, before)
            conversation.forget(connection, before)
            asked_probes.forget(connection, before)
        if lost or stuck:
            state.attention(f"{len(lost)} probes lost, {len(stuck)} runs never ended")
        return HousekeepingSummary(lost, stuck, forgotten, messages, candidates.prune(context))


def _reap(context: Context, before: datetime) -> tuple[str, ...]:
    with reading(context.engine) as connection:
        lost = tuple(record.probe_id for record in probe_history.open_probes(connection, before))
    with writing(context.engine) as connection:
        probes.mark_lost(connection, lost, context.now())
        for line in plans.abandoned(connection, before):
            if line.claim is not None:
                plans.release(connection, line.claim, context.now(), f"killed: {line.holder} gave no more sign of life")
    return lost


def _tell_of_stuck_runs(context: Context, before: datetime) -> tuple[str, ...]:
    """A run that never ended counts once; a later run of the same check that did end is the sign of health."""
    with writing(context.engine) as connection:
        unfinished = alert_store.unfinished_heartbeats(connection, before)
        latest_of = {}
        for beat in unfinished:  # oldest first: of each check, the newest is kept
            latest = alert_store.last_heartbeat(connection, beat.check, beat.subject)
            latest_of[(beat.check, beat.subject)] = (beat, latest is None or latest.id == beat.id)
        seen = [
            observations.of_run(check, subject, stuck, beat.id, beat.started_at)
            for (check, subject), (beat, stuck) in latest_of.items()
        ]
        recording.record(connection, seen, context.settings, context.now())
    return tuple(f"{check} {subject or ''}".strip() for (check, subject), (_beat, stuck) in latest_of.items() if stuck)


def _forget(context: Context, now: datetime) -> Forgotten:
    kept, total = context.settings.retention, Forgotten()
    before = Before(
        findings=now - timedelta(days=kept.findings_days),
        samples=now - timedelta(days=kept.samples_days),
        windows=now - timedelta(days=kept.windows_days),
        heartbeats=now - timedelta(days=kept.deliveries_days),
    )
    while True:
        with writing(context.engine) as connection:
            batch = retention.forget(connection, before)
        total = Forgotten(*(one + more for one, more in zip(astuple(total), astuple(batch), strict=True)))
        if not retention.more(batch):
            return total
