"""Messages that wait for others, or are told by one: the SQL of held and grouped rows of the outbox."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, exists, func, literal_column, or_, select, update
from sqlalchemy.sql import ColumnElement

from kronos_health.domain.alerts import AlertState, DeliveryState, TransitionKind
from kronos_health.store.outbox import OutboxRow, enqueue, is_open, row_of
from kronos_health.store.tables.alerts import alert, alert_transition, outbox
from kronos_health.store.types import new_id


@dataclass(frozen=True, slots=True)
class Followed:
    """A message that arrived and tells ``episodes`` (fingerprint and number), not all over when it was last looked at.

    ``shown`` is what it shows of them (``None``: as it was posted).
    """

    id: str
    shown: str | None
    episodes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of an episode; ``occurrences`` is 0 where they are not known any more."""

    at: datetime
    occurrences: int


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
            is_open(),  # by the partial index: not by all that was ever sent
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
        select(outbox)
        .where(outbox.c.told_in == carrier_id)
        .order_by(outbox.c.created_at, outbox.c.fingerprint, outbox.c.episode, outbox.c.sequence)
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


def followed(connection: Connection, channels: Iterable[str]) -> tuple[Followed, ...]:
    """The messages in ``channels`` (those that can show anew) that tell several alerts and are not over; oldest first.

    News is not among their episodes: it never ends.
    """
    told = outbox.alias("told")
    rows = connection.execute(
        select(outbox.c.id, outbox.c.shown, told.c.fingerprint, told.c.episode, told.c.kind)
        .join(told, told.c.told_in == outbox.c.id)
        .where(
            # Literals: for the partial index.
            outbox.c.kind == literal_column(f"'{TransitionKind.GROUPED.value}'"),
            outbox.c.over_at.is_(None),
            outbox.c.channel.in_(list(channels)),
            outbox.c.state == DeliveryState.SENT.value,
            outbox.c.external_id.is_not(None),
        )
        .order_by(outbox.c.created_at, outbox.c.id, told.c.fingerprint, told.c.episode)
    )
    found: dict[str, tuple[str | None, dict[tuple[str, int], None]]] = {}
    for row in rows:
        _shown, episodes = found.setdefault(row.id, (row.shown, {}))
        if row.kind != TransitionKind.NOTICE.value:
            episodes[row.fingerprint, row.episode] = None
    return tuple(Followed(row_id, shown, tuple(episodes)) for row_id, (shown, episodes) in found.items())


def ends(connection: Connection, episodes: Collection[tuple[str, int]]) -> dict[tuple[str, int], Ended]:
    """When the ``episodes`` that are over ended, and how often they were seen."""
    if not episodes:
        return {}
    steps = alert_transition
    known = (alert.c.episode == steps.c.episode) & (alert.c.state == AlertState.OK.value)
    rows = connection.execute(
        select(
            steps.c.fingerprint,
            steps.c.episode,
            func.max(steps.c.at).label("at"),
            func.max(case((known, alert.c.occurrences), else_=0)).label("occurrences"),
        )
        .join(alert, alert.c.fingerprint == steps.c.fingerprint)
        .where(
            steps.c.fingerprint.in_({fingerprint for fingerprint, _episode in episodes}),
            steps.c.kind == TransitionKind.RESOLVED.value,
        )
        .group_by(steps.c.fingerprint, steps.c.episode)
    )
    found = {(row.fingerprint, row.episode): Ended(row.at, row.occurrences) for row in rows}
    return {episode: found[episode] for episode in episodes if episode in found}


def show(connection: Connection, carrier: OutboxRow, message: str, shown: str, now: datetime) -> bool:
    """Have ``carrier`` show ``message``, after what it was to show before; false when another run just saw to that.

    What still waits to be shown is replaced.
    """
    if not note_shown(connection, carrier, shown):
        return False
    anew = (outbox.c.fingerprint == carrier.fingerprint, outbox.c.channel == carrier.channel)
    replaced = connection.execute(
        update(outbox)
        .where(
            *anew,
            outbox.c.kind == TransitionKind.REFRESHED.value,
            outbox.c.state == DeliveryState.PENDING.value,
        )
        .values(message=message)
    )
    if not replaced.rowcount:
        last = connection.execute(select(func.max(outbox.c.sequence)).where(*anew)).scalar_one()
        kind, row_id = TransitionKind.REFRESHED, new_id()
        place = (carrier.channel, carrier.fingerprint, carrier.episode, kind, last + 1)
        enqueue(connection, *place, message, now, row_id=row_id)
    return True


def note_shown(connection: Connection, carrier: OutboxRow, shown: str) -> bool:
    """Remember what ``carrier`` shows; false when another run has just done so."""
    before = outbox.c.shown.is_(None) if carrier.shown is None else outbox.c.shown == carrier.shown
    changed = connection.execute(update(outbox).where(outbox.c.id == carrier.id, before).values(shown=shown))
    return changed.rowcount == 1


def note_over(connection: Connection, carrier_id: str, now: datetime) -> None:
    """Look after ``carrier_id`` no longer: everything it tells is over."""
    connection.execute(update(outbox).where(outbox.c.id == carrier_id).values(over_at=now))
