"""Alerts, their steps, the channels' condition and the checks' heartbeats: all their SQL.

Plain functions inside the caller's transaction; what travels to channels is in :mod:`kronos_health.store.outbox`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, distinct, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kronos_health.domain.alerts import Alert, AlertKind, AlertState, ObservationState, Transition, TransitionKind
from kronos_health.domain.logs import Severity
from kronos_health.store.errors import StoreError
from kronos_health.store.tables.alerts import alert, alert_transition, channel, heartbeat
from kronos_health.store.types import new_id

_SPEAKING = (AlertState.FIRING.value, AlertState.RECOVERING.value)
_ALERT_FIELDS = tuple(field.name for field in fields(Alert))


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert with what is kept beside its state: the title, severity and particulars (as JSON) of its bad state."""

    alert: Alert
    title: str = ""
    severity: Severity = Severity.INFO
    version: int = 0
    particulars: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """Whether a way out works: ``disabled_reason`` says why not and what to do."""

    name: str
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    not_before: datetime | None = None
    last_sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One run of one check; ``finished_at`` is ``None`` while it runs, and forever when it was killed."""

    id: str
    check: str
    subject: str | None
    started_at: datetime
    finished_at: datetime | None
    verdict: str | None
    message: str | None


def insert_if_absent(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert one row unless its key exists; whether it was new. The same on both databases."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing()
    key = next(iter(table.primary_key.columns))
    return connection.execute(statement.returning(key)).first() is not None


# --- alerts ---------------------------------------------------------------------------------------------------------


def ensure_alert(connection: Connection, blank: Alert) -> None:
    """Make a row to lock for an alert seen for the first time; an existing one is left alone."""
    insert_if_absent(connection, alert, **_values(blank), title="", severity=Severity.INFO.value, version=0)


def lock_alerts(connection: Connection, fingerprints: Iterable[str]) -> dict[str, StoredAlert]:
    """The stored alerts of ``fingerprints``, locked until the transaction ends; absent ones are left out.

    Rows are locked in one order, so that two checks that touch the same alerts cannot deadlock.
    """
    wanted = sorted(set(fingerprints))
    rows = connection.execute(
        select(alert).where(alert.c.fingerprint.in_(wanted)).order_by(alert.c.fingerprint).with_for_update()
    )
    return {row.fingerprint: _stored(row) for row in rows}


def save_alert(connection: Connection, stored: StoredAlert) -> StoredAlert:
    """Replace the version that was locked by ``stored``; returns it with its new version.

    Raises ``StoreError`` when another process changed the alert first: nothing of this transaction may be kept.
    """
    changed = connection.execute(
        update(alert)
        .where(alert.c.fingerprint == stored.alert.fingerprint, alert.c.version == stored.version)
        .values(
            **_values(stored.alert),
            title=stored.title,
            severity=stored.severity.value,
            particulars=stored.particulars,
            version=stored.version + 1,
        )
    )
    if changed.rowcount != 1:
        raise StoreError(f"the alert {stored.alert.fingerprint} was changed by another process; run the check again.")
    return replace(stored, version=stored.version + 1)


def add_transition(connection: Connection, fingerprint: str, transition: Transition) -> str:
    """Record one step of an alert; returns the row's id."""
    row_id = new_id()
    connection.execute(
        insert(alert_transition).values(
            id=row_id,
            fingerprint=fingerprint,
            episode=transition.episode,
            sequence=transition.sequence,
            kind=transition.kind.value,
            at=transition.at,
            reason=transition.reason,
            announced=transition.announce,
        )
    )
    return row_id


def transitions(connection: Connection, fingerprint: str) -> tuple[Transition, ...]:
    """Every step of an alert, oldest first."""
    rows = connection.execute(
        select(alert_transition).where(alert_transition.c.fingerprint == fingerprint).order_by(alert_transition.c.id)
    )
    return tuple(
        Transition(TransitionKind(row.kind), row.episode, row.sequence, row.at, row.reason, row.announced)
        for row in rows
    )


def open_alerts(
    connection: Connection, states: Sequence[AlertState] = (AlertState.FIRING, AlertState.RECOVERING)
) -> tuple[StoredAlert, ...]:
    """Alerts in ``states``, the one that fired longest ago first."""
    rows = connection.execute(
        select(alert)
        .where(alert.c.state.in_([state.value for state in states]))
        .order_by(alert.c.fired_at, alert.c.fingerprint)
    )
    return tuple(_stored(row) for row in rows)


def due_alerts(connection: Connection, now: datetime, limit: int) -> tuple[StoredAlert, ...]:
    """Alerts that may have something to say by now, though nobody looks; those due first come first.

    One that was last said in the future is due as well: the clock was set back since, and its times mean nothing.
    """
    set_back = select(alert).where(alert.c.state.in_(_SPEAKING), alert.c.last_message_at > now)
    due = select(alert).where(alert.c.due_at.is_not(None), alert.c.due_at <= now).order_by(alert.c.due_at).limit(limit)
    rows = [*connection.execute(due), *connection.execute(set_back)]
    return tuple({row.fingerprint: _stored(row) for row in rows}.values())


def make_due(connection: Connection, silence_id: str, now: datetime) -> None:
    """What the silence kept quiet may speak now."""
    connection.execute(update(alert).where(alert.c.silenced_by == silence_id).values(due_at=now))


def fired_between(connection: Connection, fingerprint: str, since: datetime, until: datetime) -> int:
    """How often an alert fired, said or not, from ``since`` to ``until``."""
    steps = alert_transition
    fired = [TransitionKind.FIRED.value, TransitionKind.FLAPPING.value]  # the latter may follow an unsaid FIRED
    count = select(func.count(distinct(steps.c.episode))).where(
        steps.c.fingerprint == fingerprint, steps.c.at >= since, steps.c.at <= until, steps.c.kind.in_(fired)
    )
    return connection.execute(count).scalar_one()


def _values(stored: Alert) -> dict[str, Any]:
    values = {name: getattr(stored, name) for name in _ALERT_FIELDS}
    return values | {
        "kind": stored.kind.value,
        "state": stored.state.value,
        "seen": stored.seen and stored.seen.value,
        "told_severity": stored.told_severity and stored.told_severity.value,
    }


def _stored(row: Row[Any]) -> StoredAlert:
    values = {name: getattr(row, name) for name in _ALERT_FIELDS}
    values |= {
        "kind": AlertKind(row.kind),
        "state": AlertState(row.state),
        "seen": ObservationState(row.seen) if row.seen else None,
        "told_severity": Severity(row.told_severity) if row.told_severity else None,
    }
    return StoredAlert(Alert(**values), row.title, Severity(row.severity), row.version, row.particulars)


# --- channels -------------------------------------------------------------------------------------------------------


def lock_channel(connection: Connection, name: str) -> ChannelStatus:
    """The channel's condition, locked until the transaction ends: its messages are claimed one at a time."""
    locked = select(channel).where(channel.c.name == name).with_for_update()
    row = connection.execute(locked).first()
    if row is None:
        insert_if_absent(connection, channel, name=name)
        row = connection.execute(locked).one()
    return _channel(row)


def channels(connection: Connection) -> tuple[ChannelStatus, ...]:
    """Every channel that was ever used, by name."""
    return tuple(_channel(row) for row in connection.execute(select(channel).order_by(channel.c.name)))


def disable_channel(
    connection: Connection, name: str, reason: str, now: datetime, check_again_at: datetime | None = None
) -> None:
    """Stop sending to ``name``; its messages stay. ``reason`` says why and what to do."""
    insert_if_absent(connection, channel, name=name)
    connection.execute(
        update(channel)
        .where(channel.c.name == name)
        .values(disabled_at=now, disabled_reason=reason, not_before=check_again_at)
    )


def enable_channel(connection: Connection, name: str) -> bool:
    """Send to ``name`` again; whether it had been disabled."""
    changed = connection.execute(
        update(channel)
        .where(channel.c.name == name, channel.c.disabled_at.is_not(None))
        .values(disabled_at=None, disabled_reason=None, not_before=None)
    )
    return changed.rowcount == 1


def hold_channel(connection: Connection, name: str, not_before: datetime) -> None:
    """Send nothing to ``name`` earlier than ``not_before``."""
    connection.execute(update(channel).where(channel.c.name == name).values(not_before=not_before))


def note_sent(connection: Connection, name: str, now: datetime) -> None:
    """Remember when a message last went out."""
    connection.execute(update(channel).where(channel.c.name == name).values(last_sent_at=now))


def _channel(row: Row[Any]) -> ChannelStatus:
    return ChannelStatus(row.name, row.disabled_at, row.disabled_reason, row.not_before, row.last_sent_at)


# --- heartbeats -----------------------------------------------------------------------------------------------------


def begin_heartbeat(connection: Connection, check: str, subject: str | None, now: datetime) -> str:
    """Record that a run of ``check`` begins; returns the id for :func:`end_heartbeat`."""
    row_id = new_id()
    connection.execute(insert(heartbeat).values(id=row_id, check=check, subject=subject, started_at=now))
    return row_id


def end_heartbeat(connection: Connection, heartbeat_id: str, verdict: str, message: str | None, now: datetime) -> None:
    """Record how the run ended: ``verdict`` is ok, attention or failed."""
    connection.execute(
        update(heartbeat)
        .where(heartbeat.c.id == heartbeat_id)
        .values(finished_at=now, verdict=verdict, message=message)
    )


def last_heartbeat(connection: Connection, check: str, subject: str | None = None) -> Heartbeat | None:
    """The newest run of ``check`` (of ``subject``, where one is named), or ``None``."""
    query = select(heartbeat).where(heartbeat.c.check == check)
    if subject is not None:
        query = query.where(heartbeat.c.subject == subject)
    row = connection.execute(query.order_by(heartbeat.c.started_at.desc(), heartbeat.c.id.desc()).limit(1)).first()
    return _heartbeat(row) if row else None


def unfinished_heartbeats(connection: Connection, started_before: datetime) -> tuple[Heartbeat, ...]:
    """Runs that began before ``started_before`` and never said how they ended: killed, or stuck."""
    rows = connection.execute(
        select(heartbeat)
        .where(heartbeat.c.finished_at.is_(None), heartbeat.c.started_at < started_before)
        .order_by(heartbeat.c.started_at)
    )
    return tuple(_heartbeat(row) for row in rows)


def _heartbeat(row: Row[Any]) -> Heartbeat:
    return Heartbeat(row.id, row.check, row.subject, row.started_at, row.finished_at, row.verdict, row.message)
