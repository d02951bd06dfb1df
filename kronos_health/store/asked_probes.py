"""Probes that people asked for: all the SQL, inside the caller's transaction.

At most one waits or runs per target, and one process takes it, by compare-and-set.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from kronos_health.domain.conversation import AskedProbe
from kronos_health.store.tables.conversation import probe_request


def ask(connection: Connection, asked: AskedProbe) -> AskedProbe:
    """Store a request; returns the one for the same target that is still open, where there is one."""
    same = probe_request.c.target.is_(None) if asked.target is None else probe_request.c.target == asked.target
    known = _first(connection, (probe_request.c.id == asked.id) | (same & probe_request.c.finished_at.is_(None)))
    if known is not None:
        return known
    connection.execute(
        insert(probe_request).values(
            id=asked.id, asked_at=asked.asked_at, who=asked.who, via=asked.via, target=asked.target
        )
    )
    return asked


def waiting(connection: Connection) -> tuple[AskedProbe, ...]:
    """Those that nobody has taken, the oldest first."""
    rows = connection.execute(
        select(probe_request)
        .where(probe_request.c.taken_at.is_(None), probe_request.c.finished_at.is_(None))
        .order_by(probe_request.c.asked_at, probe_request.c.id)
    )
    return tuple(AskedProbe(**row._mapping) for row in rows)


def take(connection: Connection, request_id: str, by: str, now: datetime) -> bool:
    """Take one; false when somebody else has, unless that was ``by`` as well (a task that is tried again)."""
    changed = connection.execute(
        update(probe_request)
        .where(
            probe_request.c.id == request_id,
            probe_request.c.finished_at.is_(None),
            probe_request.c.taken_at.is_(None) | (probe_request.c.taken_by == by),
        )
        .values(taken_at=now, taken_by=by)
    )
    return changed.rowcount == 1


def finish(connection: Connection, request_id: str, outcome: str, now: datetime, campaign_id: str | None) -> bool:
    """Say what came of it; false when that was said already."""
    changed = connection.execute(
        update(probe_request)
        .where(probe_request.c.id == request_id, probe_request.c.finished_at.is_(None))
        .values(finished_at=now, outcome=outcome[:4_000], campaign_id=campaign_id)
    )
    return changed.rowcount == 1


def give_up(connection: Connection, taken_before: datetime, now: datetime) -> int:
    """Close those that were taken long ago and never finished: whoever took them is gone."""
    changed = connection.execute(
        update(probe_request)
        .where(probe_request.c.taken_at < taken_before, probe_request.c.finished_at.is_(None))
        .values(finished_at=now, outcome="whoever measured it is gone; ask again")
    )
    return changed.rowcount


def by_id(connection: Connection, request_id: str) -> AskedProbe | None:
    """One request."""
    return _first(connection, probe_request.c.id == request_id)


def recent(connection: Connection, limit: int = 20) -> tuple[AskedProbe, ...]:
    """The newest ones."""
    rows = connection.execute(select(probe_request).order_by(probe_request.c.asked_at.desc()).limit(limit))
    return tuple(AskedProbe(**row._mapping) for row in rows)


def forget(connection: Connection, before: datetime) -> int:
    """Delete finished ones from before ``before``."""
    old = probe_request.c.asked_at < before
    return connection.execute(delete(probe_request).where(old, probe_request.c.finished_at.is_not(None))).rowcount


def _first(connection: Connection, condition: ColumnElement[bool]) -> AskedProbe | None:
    row = connection.execute(select(probe_request).where(condition).order_by(probe_request.c.asked_at).limit(1)).first()
    return AskedProbe(**row._mapping) if row else None
