"""News worth a trial, and the trials that were ordered.

Functions take a connection inside :func:`kronos_health.store.database.writing` and never begin or commit.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from kronos_health.domain.candidates import of_commit, of_release
from kronos_health.domain.revisit import Attempt, News, TrialOrder
from kronos_health.store.tables.upstream import candidate_trial, upstream_commit, upstream_release
from kronos_health.store.types import new_id
from kronos_health.store.upstream import HEAD


def release_news(connection: Connection, package: str) -> tuple[News, ...]:
    """Releases that came out while the watch looked, oldest first."""
    table = upstream_release.c
    query = select(table.version, table.seen_at).where(table.package == package, table.first_look.is_(False))
    rows = connection.execute(query.order_by(table.seen_at, table.id))
    return tuple(News(of_release(row.version).name, row.seen_at) for row in rows)


def revision_news(connection: Connection, repository: str) -> tuple[News, ...]:
    """The remote's present commit, if it came while the watch looked and the checkout does not hold it yet."""
    table = upstream_commit.c
    query = select(upstream_commit).where(table.repository == repository, table.ref != HEAD)
    row = connection.execute(query.order_by(table.last_seen_at.desc(), table.id.desc()).limit(1)).one_or_none()
    if row is None or row.first_look or row.contained:
        return ()
    return (News(of_commit(row.commit).name, row.seen_at),)


def attempts(connection: Connection) -> tuple[Attempt, ...]:
    """Every trial that was ordered, in order."""
    table = candidate_trial.c
    rows = connection.execute(select(candidate_trial).order_by(table.ordered_at, table.id))
    return tuple(Attempt(row.candidate, row.attempt, row.ordered_at) for row in rows)


def record_orders(connection: Connection, orders: Iterable[TrialOrder], now: datetime) -> None:
    """Note that these trials are ordered now. Raises ``IntegrityError`` when somebody else just ordered one."""
    for order in orders:
        connection.execute(
            candidate_trial.insert().values(
                id=new_id(), candidate=order.candidate, attempt=order.attempt, ordered_at=now
            )
        )
