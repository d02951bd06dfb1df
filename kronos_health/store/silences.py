"""Silences and the audit trail of people's actions: all their SQL, inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from kronos_health.domain.matching import parse_matcher
from kronos_health.domain.silences import Action, ActionKind, Silence, Via
from kronos_health.store.tables.alerts import alert_action, alert_silence
from kronos_health.store.types import new_id


def add(connection: Connection, silence: Silence) -> None:
    """Store a new silence."""
    connection.execute(
        insert(alert_silence).values(
            id=silence.id,
            matchers="\n".join(str(matcher) for matcher in silence.matchers),
            starts_at=silence.starts_at,
            ends_at=silence.ends_at,
            author=silence.author,
            comment=silence.comment,
            via=silence.via.value,
        )
    )


def active(connection: Connection, now: datetime) -> tuple[Silence, ...]:
    """The silences in force at ``now``, the one that ends first first.

    That a silence began is not asked: none is made for later, and a clock that was set back must not end it.
    """
    rows = connection.execute(
        select(alert_silence).where(alert_silence.c.ends_at > now).order_by(alert_silence.c.ends_at, alert_silence.c.id)
    )
    return tuple(_silence(row) for row in rows)


def find(connection: Connection, silence_id: str) -> Silence | None:
    """The silence, locked until the transaction ends; ``None`` when there is none."""
    row = connection.execute(select(alert_silence).where(alert_silence.c.id == silence_id).with_for_update()).first()
    return _silence(row) if row else None


def end(connection: Connection, silence_id: str, at: datetime) -> None:
    """Let the silence end at ``at``, earlier or later than it would have."""
    connection.execute(update(alert_silence).where(alert_silence.c.id == silence_id).values(ends_at=at))


def note(
    connection: Connection,
    kind: ActionKind,
    who: str,
    via: Via,
    at: datetime,
    *,
    fingerprint: str | None = None,
    silence_id: str | None = None,
    detail: str = "",
) -> str:
    """Add a row to the audit trail; returns its id."""
    row_id = new_id()
    connection.execute(
        insert(alert_action).values(
            id=row_id,
            at=at,
            who=who,
            via=via.value,
            action=kind.value,
            fingerprint=fingerprint,
            silence_id=silence_id,
            detail=detail,
        )
    )
    return row_id


def actions(connection: Connection, fingerprint: str | None = None, limit: int = 100) -> tuple[Action, ...]:
    """What people did (about the alert ``fingerprint``), the newest first."""
    query = select(alert_action).order_by(alert_action.c.at.desc(), alert_action.c.id.desc()).limit(limit)
    if fingerprint is not None:
        query = query.where(alert_action.c.fingerprint == fingerprint)
    return tuple(
        Action(
            row.id, row.at, row.who, Via(row.via), ActionKind(row.action), row.fingerprint, row.silence_id, row.detail
        )
        for row in connection.execute(query)
    )


def _silence(row: Row[Any]) -> Silence:
    matchers = tuple(parse_matcher(line) for line in row.matchers.splitlines())
    return Silence(row.id, matchers, row.starts_at, row.ends_at, row.author, row.comment, Via(row.via))
