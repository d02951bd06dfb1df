"""Which message is next, and when: asked before and after every one, so at one price however many wait.

The order of ``ix_outbox_due`` is the order of delivery. The next message is the first entry that is due and waits for
no other; whether it waits, ``ix_outbox_open_of_alert`` and ``ix_outbox_told_elsewhere`` tell in one step each.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, FromClause, Select, bindparam, exists, literal_column, or_, select, tuple_
from sqlalchemy.sql import ColumnElement

from kronos_health.store.outbox import OutboxRow, is_leased, is_open, row_of
from kronos_health.store.tables.alerts import outbox


def _one(found: Select[Any]) -> Select[Any]:
    # Literals: a planner that does not know how few are wanted would rather sort them all. And with OFFSET, PostgreSQL
    # asks an EXISTS row by row, where it would otherwise collect every message there is to compare them all at once.
    return found.limit(literal_column("1")).offset(literal_column("0"))


def _waits_for_an_earlier_one() -> ColumnElement[bool]:
    earlier, told, carrier = outbox.alias("earlier"), outbox.alias("told"), outbox.alias("carrier")

    def is_before(one: FromClause) -> tuple[ColumnElement[bool], ...]:
        return (
            one.c.channel == outbox.c.channel,
            one.c.fingerprint == outbox.c.fingerprint,
            tuple_(one.c.episode, one.c.sequence) < tuple_(outbox.c.episode, outbox.c.sequence),
        )

    something: ColumnElement[Any] = literal_column("1")
    open_carrier = exists(_one(select(something).where(carrier.c.id == told.c.told_in, is_open(carrier))))
    # What another message tells has gone out once that one has.
    told_by_an_open_one = select(something).where(*is_before(told), told.c.told_in.is_not(None), open_carrier)
    still_open = select(something).where(*is_before(earlier), is_open(earlier))
    return or_(exists(_one(still_open)), exists(_one(told_by_an_open_one)))


def _in_order(found: Select[Any]) -> Select[Any]:
    """The first of ``found`` in a channel in the order of delivery: as ``ix_outbox_due`` has them."""
    columns = (outbox.c.next_at, outbox.c.created_at, outbox.c.fingerprint, outbox.c.episode, outbox.c.sequence)
    return _one(found.where(is_open(), outbox.c.channel == bindparam("channel")).order_by(*columns))


# Made once: making one takes longer than asking it.
_NEXT_ROW = _in_order(
    select(outbox).where(
        outbox.c.next_at <= bindparam("now"),
        or_(~is_leased(), outbox.c.lease_until <= bindparam("now")),
        ~_waits_for_an_earlier_one(),
    )
)
_NEXT_DUE = _in_order(select(outbox.c.next_at).where(~is_leased(), ~_waits_for_an_earlier_one()))
_NEXT_LEASE_ENDS = _one(
    select(outbox.c.lease_until)
    .where(
        is_leased(),
        outbox.c.channel == bindparam("channel"),
        outbox.c.lease_until.is_not(None),
        ~_waits_for_an_earlier_one(),
    )
    .order_by(outbox.c.lease_until)
)


def next_row(connection: Connection, channel: str, now: datetime) -> OutboxRow | None:
    """The message that is due and longest waiting: pending, unknown, or claimed by somebody whose lease ran out.

    Costs the same however many wait: only those are passed over that are ahead in time and wait for another.
    """
    row = connection.execute(_NEXT_ROW, {"channel": channel, "now": now}).first()
    return row_of(row) if row else None


def next_due(connection: Connection, channel: str) -> datetime | None:
    """When the next message of ``channel`` can be taken up: its own time, or the end of somebody's lease."""
    times = [connection.execute(asked, {"channel": channel}).scalar() for asked in (_NEXT_DUE, _NEXT_LEASE_ENDS)]
    return min((at for at in times if at is not None), default=None)
