"""First messages of episodes, which show how their alerts stand: the SQL of refreshed rows of the outbox."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, and_, exists, select, update

from kronos_health.domain.alerts import AlertState, DeliveryState, TransitionKind
from kronos_health.store.outbox import OutboxRow, enqueue, episode_of
from kronos_health.store.tables.alerts import alert, outbox
from kronos_health.store.types import new_id


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """Where the first message of an open alert's episode is, and what it shows (``None``: as it was posted)."""

    id: str
    channel: str
    fingerprint: str
    episode: int
    shown: str | None


def first_messages(connection: Connection, channels: Iterable[str]) -> tuple[FirstMessage, ...]:
    """The first message that arrived of each open alert's episode, in the ``channels`` that can show it anew.

    Without their texts: many may be open, and few have changed. What was told together with others has none of its own.
    """
    together = outbox.alias("together")
    rows = connection.execute(
        select(*(outbox.c[field.name] for field in fields(FirstMessage)))
        .join(alert, and_(alert.c.fingerprint == outbox.c.fingerprint, alert.c.episode == outbox.c.episode))
        .where(
            alert.c.state.in_([AlertState.FIRING.value, AlertState.RECOVERING.value]),
            outbox.c.channel.in_(list(channels)),
            outbox.c.state == DeliveryState.SENT.value,
            outbox.c.external_id.is_not(None),
            ~exists().where(
                together.c.channel == outbox.c.channel,
                together.c.fingerprint == outbox.c.fingerprint,
                together.c.episode == outbox.c.episode,
                together.c.told_in.is_not(None),
            ),
        )
        .order_by(outbox.c.sequence.desc())
    )
    # The lowest sequence is written last.
    first = {(row.channel, row.fingerprint): FirstMessage(**row._mapping) for row in rows}
    return tuple(first.values())


def refresh(connection: Connection, first: OutboxRow, sequence: int, message: str, shown: str, now: datetime) -> None:
    """Have ``first`` show ``message``: after everything that was queued before, and before whatever follows.

    ``sequence`` is that of the alert's newest message. A refresh that is still waiting is replaced. One that somebody
    has claimed says the same from now on: should its claimant be dead, it is sent later, and must show nothing older.
    """
    connection.execute(update(outbox).where(outbox.c.id == first.id).values(shown=shown))
    refreshes = (
        *episode_of(first),
        outbox.c.kind == TransitionKind.REFRESHED.value,
        outbox.c.sequence == sequence,
    )
    claimed = outbox.c.state.in_([DeliveryState.SENDING.value, DeliveryState.UNKNOWN.value])
    connection.execute(update(outbox).where(*refreshes, claimed).values(message=message))
    replaced = connection.execute(
        update(outbox).where(*refreshes, outbox.c.state == DeliveryState.PENDING.value).values(message=message)
    )
    if not replaced.rowcount:
        kind = TransitionKind.REFRESHED
        enqueue(
            connection, first.channel, first.fingerprint, first.episode, kind, sequence, message, now, row_id=new_id()
        )


def note_shown(connection: Connection, row_id: str, shown: str) -> None:
    """Remember what the message ``row_id`` shows."""
    connection.execute(update(outbox).where(outbox.c.id == row_id).values(shown=shown))
