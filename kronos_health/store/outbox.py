"""Messages on their way: all the SQL of the outbox.

A row is claimed by compare-and-set and settled by its claimant only. Within one alert and channel, a message waits
for every earlier one.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    FromClause,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.sql import ColumnElement

from kronos_health.domain.alerts import DeliveryState, TransitionKind
from kronos_health.store.alerts import insert_if_absent
from kronos_health.store.tables.alerts import outbox

_NAMESPACE = uuid.UUID("6f0c62a9-1c0e-5b7e-9d4c-2b7d0f6a8e11")  # drawn once, for the identities of messages
_OPEN = (DeliveryState.PENDING.value, DeliveryState.SENDING.value, DeliveryState.UNKNOWN.value)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One message on its way to one channel; ``message`` is the channel-neutral JSON."""

    id: str
    channel: str
    fingerprint: str
    episode: int
    sequence: int
    kind: TransitionKind
    state: DeliveryState
    message: str
    created_at: datetime
    next_at: datetime
    lease_until: datetime | None = None
    lease_owner: str | None = None
    first_claimed_at: datetime | None = None
    attempts: int = 0
    plain: bool = False
    external_id: str | None = None
    last_error: str | None = None
    sent_at: datetime | None = None
    shown: str | None = None
    staged: str | None = None
    told_in: str | None = None
    over_at: datetime | None = None


def message_id(channel: str, fingerprint: str, episode: int, kind: TransitionKind, sequence: int) -> str:
    """The identity of a message: the same one can be queued only once, and is recognised where it arrived."""
    return str(uuid.uuid5(_NAMESPACE, "\n".join((channel, fingerprint, str(episode), kind.value, str(sequence)))))


def enqueue(
    connection: Connection,
    channel: str,
    fingerprint: str,
    episode: int,
    kind: TransitionKind,
    sequence: int,
    message: str,
    now: datetime,
    row_id: str | None = None,
    held_until: datetime | None = None,
) -> bool:
    """Queue a message unless it is queued already; whether it was new.

    ``row_id``: it may be queued many times. ``held_until``: it is not to be sent before.
    """
    return insert_if_absent(
        connection,
        outbox,
        id=row_id or message_id(channel, fingerprint, episode, kind, sequence),
        channel=channel,
        fingerprint=fingerprint,
        episode=episode,
        sequence=sequence,
        kind=kind.value,
        state=(DeliveryState.HELD if held_until else DeliveryState.PENDING).value,
        message=message,
        created_at=now,
        next_at=held_until or now,
        attempts=0,
        plain=False,
    )


def is_open(rows: FromClause = outbox) -> ColumnElement[bool]:
    """What holds for messages on their way."""
    # Literals, not parameters: only then do both planners recognise the partial indexes.
    return rows.c.state.in_(bindparam("open_states", _OPEN, expanding=True, literal_execute=True))


def is_leased(rows: FromClause = outbox) -> ColumnElement[bool]:
    """What holds for messages that somebody has claimed."""
    return rows.c.state == literal_column(f"'{DeliveryState.SENDING.value}'")


# Made once: these are asked for every message, and making one takes longer than asking it.
_EPISODE = (
    outbox.c.channel == bindparam("channel"),
    outbox.c.fingerprint == bindparam("fingerprint"),
    outbox.c.episode == bindparam("episode"),
)
_HAS_ARRIVED = (outbox.c.state == DeliveryState.SENT.value, outbox.c.external_id.is_not(None))
_RESOLUTION = select(outbox).where(
    *_EPISODE, outbox.c.kind == TransitionKind.RESOLVED.value, outbox.c.state == DeliveryState.PENDING.value
)
_CARRIER = select(outbox).where(
    outbox.c.id.in_(
        select(outbox.c.told_in).where(
            *_EPISODE, outbox.c.sequence < bindparam("sequence"), outbox.c.told_in.is_not(None)
        )
    ),
    *_HAS_ARRIVED,
)
_PARENT = (
    select(outbox)
    .where(
        *_EPISODE,
        outbox.c.id != bindparam("row_id"),
        outbox.c.kind != TransitionKind.REFRESHED.value,
        outbox.c.sequence <= bindparam("sequence"),
        *_HAS_ARRIVED,
    )
    .order_by(outbox.c.sequence)
    .limit(1)
)


def _asked(row: OutboxRow) -> dict[str, Any]:
    return {
        "channel": row.channel,
        "fingerprint": row.fingerprint,
        "episode": row.episode,
        "sequence": row.sequence,
        "row_id": row.id,
    }


def claim(connection: Connection, row: OutboxRow, owner: str, now: datetime, lease_until: datetime) -> bool:
    """Take ``row`` for ``owner``; false when somebody else was first."""
    same_owner = outbox.c.lease_owner.is_(None) if row.lease_owner is None else outbox.c.lease_owner == row.lease_owner
    changed = connection.execute(
        update(outbox)
        .where(outbox.c.id == row.id, outbox.c.state == row.state.value, same_owner, outbox.c.attempts == row.attempts)
        .values(
            state=DeliveryState.SENDING.value,
            lease_owner=owner,
            lease_until=lease_until,
            first_claimed_at=row.first_claimed_at or now,
            attempts=row.attempts + 1,
        )
    )
    return changed.rowcount == 1


def settle(connection: Connection, row_id: str, owner: str, state: DeliveryState, **values: Any) -> bool:
    """Record what became of a claimed message; false when the lease was lost and it is no longer ours to say."""
    changed = connection.execute(
        update(outbox)
        .where(outbox.c.id == row_id, outbox.c.lease_owner == owner, outbox.c.state == DeliveryState.SENDING.value)
        .values(state=state.value, lease_owner=None, lease_until=None, **values)
    )
    return changed.rowcount == 1


def bury(connection: Connection, row_id: str, error: str) -> None:
    """Give a message up that nobody can send."""
    connection.execute(
        update(outbox).where(outbox.c.id == row_id).values(state=DeliveryState.DEAD.value, last_error=error)
    )


def resolution_of(connection: Connection, fired: OutboxRow) -> OutboxRow | None:
    """The waiting message that ends the episode ``fired`` begins, if there is one."""
    row = connection.execute(_RESOLUTION, _asked(fired)).first()
    return row_of(row) if row else None


def merge_into(connection: Connection, resolved: OutboxRow, message: str) -> int:
    """Let ``resolved`` say ``message`` for its whole, still unsent episode; how many messages that spares."""
    spared = connection.execute(
        update(outbox)
        .where(
            *episode_of(resolved),
            outbox.c.sequence < resolved.sequence,
            outbox.c.state == DeliveryState.PENDING.value,
        )
        .values(state=DeliveryState.MERGED.value)
    )
    connection.execute(update(outbox).where(outbox.c.id == resolved.id).values(message=message))
    return spared.rowcount


def parent_of(connection: Connection, row: OutboxRow) -> OutboxRow | None:
    """The first message of the episode that arrived, which later ones answer.

    One that told the beginning of the episode together with others goes before its own.
    """
    for statement in (_CARRIER, _PARENT):
        found = connection.execute(statement, _asked(row)).first()
        if found:
            return row_of(found)
    return None


def orphan(connection: Connection, row: OutboxRow) -> None:
    """Forget where the episode's earlier messages stand: they are gone, and ``row`` begins the conversation anew."""
    connection.execute(
        update(outbox).where(*episode_of(row), outbox.c.sequence < row.sequence).values(external_id=None)
    )


def by_id(connection: Connection, row_id: str) -> OutboxRow | None:
    """One message."""
    row = connection.execute(select(outbox).where(outbox.c.id == row_id)).first()
    return row_of(row) if row else None


def episode_of(row: OutboxRow) -> tuple[ColumnElement[bool], ...]:
    """What holds for the messages of the same episode in the same channel."""
    return (
        outbox.c.channel == row.channel,
        outbox.c.fingerprint == row.fingerprint,
        outbox.c.episode == row.episode,
    )


def told_in(connection: Connection, fingerprint: str, episode: int) -> tuple[str, ...]:
    """The channels that messages of the episode were queued for, by name."""
    rows = connection.execute(
        select(outbox.c.channel)
        .where(outbox.c.fingerprint == fingerprint, outbox.c.episode == episode)
        .distinct()
        .order_by(outbox.c.channel)
    )
    return tuple(rows.scalars())


def last_address(connection: Connection, channel: str) -> str | None:
    """Where the newest delivered message of ``channel`` went, in the channel's own terms."""
    return connection.execute(
        select(outbox.c.external_id)
        .where(outbox.c.channel == channel, outbox.c.external_id.is_not(None), outbox.c.sent_at.is_not(None))
        .order_by(outbox.c.sent_at.desc())
        .limit(1)
    ).scalar()


def reroute(
    connection: Connection,
    from_channel: str,
    to_channel: str,
    now: datetime,
    only: str | None = None,
    queued_before: datetime | None = None,
) -> int:
    """Queue what is open in ``from_channel`` (or the one row ``only``) for ``to_channel`` as well; how many were new.

    With ``queued_before``, only what waits since before then. The rows of ``from_channel`` stay as they are: nothing is
    lost when it works again.
    """
    known = outbox.alias("known")
    already = exists().where(
        known.c.channel == to_channel,
        known.c.fingerprint == outbox.c.fingerprint,
        known.c.episode == outbox.c.episode,
        known.c.sequence == outbox.c.sequence,
        known.c.kind == outbox.c.kind,
    )
    # A refreshed message means something only where it stands.
    news = outbox.c.kind != TransitionKind.REFRESHED.value
    wanted = outbox.c.id == only if only else and_(is_open(), outbox.c.channel == from_channel, news)
    if queued_before is not None:
        wanted = and_(wanted, outbox.c.created_at < queued_before)
    rows = [row_of(row) for row in connection.execute(select(outbox).where(wanted, ~already))]
    return sum(
        enqueue(connection, to_channel, row.fingerprint, row.episode, row.kind, row.sequence, row.message, now)
        for row in rows
    )


def mend_clock(connection: Connection, channel: str, now: datetime, latest: datetime) -> int:
    """Bring back times that lie beyond ``latest``: no wait is that long, so the clock was set back since."""
    due = connection.execute(
        update(outbox).where(is_open(), outbox.c.channel == channel, outbox.c.next_at > latest).values(next_at=now)
    )
    leases = connection.execute(
        update(outbox)
        .where(is_leased(), outbox.c.channel == channel, outbox.c.lease_until > latest)
        .values(lease_until=now)
    )
    return due.rowcount + leases.rowcount


def waiting(connection: Connection) -> dict[str, int]:
    """How many messages are on their way, by channel."""
    rows = connection.execute(select(outbox.c.channel, func.count()).where(is_open()).group_by(outbox.c.channel))
    return {name: count for name, count in rows}  # noqa: C416 - a Row is not a pair to the type checker


def recent(connection: Connection, limit: int = 50) -> tuple[OutboxRow, ...]:
    """The newest messages of every channel."""
    rows = connection.execute(select(outbox).order_by(outbox.c.created_at.desc(), outbox.c.id).limit(limit))
    return tuple(row_of(row) for row in rows)


def forget(connection: Connection, before: datetime) -> int:
    """Delete messages that came to an end and were made before ``before``; open ones are kept, however old."""
    return connection.execute(
        delete(outbox).where(outbox.c.created_at < before, ~is_open(), outbox.c.state != DeliveryState.HELD.value)
    ).rowcount


def row_of(row: Row[Any]) -> OutboxRow:
    """The row as the rest of the program knows it."""
    values = dict(row._mapping)
    return OutboxRow(**(values | {"kind": TransitionKind(row.kind), "state": DeliveryState(row.state)}))
