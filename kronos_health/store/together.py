"""Messages that wait for others, or are told by one: the SQL of held and grouped rows of the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, exists, literal_column, or_, select, update
from sqlalchemy.sql import ColumnElement

from kronos_health.domain.alerts import DeliveryState, TransitionKind
from kronos_health.store.outbox import OutboxRow, row_of
from kronos_health.store.tables.alerts import outbox


def _is_held() -> ColumnElement[bool]:
    return outbox.c.state == literal_column(f"'{DeliveryState.HELD.value}'")  # literal: for the partial index


def beginnings(connection: Connection, channel: str, limit: int) -> tuple[OutboxRow, ...]:
    """Messages that begin an episode, that nobody has tried to send and that no later one of it waits for."""
    later = outbox.alias("later")
    follows = exists().where(
        later.c.channel == outbox.c.channel,
        later.c.fingerprint == outbox.c.fingerprint,
        later.c.episode == outbox.c.episode,
        later.c.sequence > outbox.c.sequence,
    )
    rows = connection.execute(
        select(outbox)
        .where(
            outbox.c.channel == channel,
            outbox.c.state == DeliveryState.PENDING.value,
            outbox.c.attempts == 0,
            outbox.c.kind.in_([TransitionKind.FIRED.value, TransitionKind.FLAPPING.value]),
            ~follows,
        )
        .order_by(outbox.c.created_at, outbox.c.id)
        .limit(limit)
    )
    return tuple(row_of(row) for row in rows)


def held(connection: Connection, channel: str, until: datetime, unless_after: datetime) -> tuple[OutboxRow, ...]:
    """Held messages whose time has come, or lies so far ahead that the clock must have been set back since."""
    rows = connection.execute(
        select(outbox)
        .where(_is_held(), outbox.c.channel == channel, or_(outbox.c.next_at <= until, outbox.c.next_at > unless_after))
        .order_by(outbox.c.created_at, outbox.c.fingerprint, outbox.c.episode, outbox.c.sequence)
    )
    return tuple(row_of(row) for row in rows)


def release(connection: Connection, row_id: str, now: datetime) -> None:
    """Let a held message go."""
    held_row = (outbox.c.id == row_id, outbox.c.state == DeliveryState.HELD.value)
    connection.execute(update(outbox).where(*held_row).values(state=DeliveryState.PENDING.value, next_at=now))


def told_by(connection: Connection, carrier_id: str) -> tuple[OutboxRow, ...]:
    """The messages that ``carrier_id`` says together; none where it speaks for itself."""
    rows = connection.execute(
        select(outbox).where(outbox.c.told_in == carrier_id).order_by(outbox.c.created_at, outbox.c.fingerprint)
    )
    return tuple(row_of(row) for row in rows)


def tell_in(connection: Connection, row_ids: Sequence[str], carrier_id: str) -> int:
    """Leave it to the message ``carrier_id`` to say these; how many there were."""
    changed = connection.execute(
        update(outbox)
        .where(outbox.c.id.in_(row_ids), outbox.c.state.in_([DeliveryState.PENDING.value, DeliveryState.HELD.value]))
        .values(state=DeliveryState.MERGED.value, told_in=carrier_id)
    )
    return changed.rowcount
