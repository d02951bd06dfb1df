"""The repository of messages on their way, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from kronos_health.domain.alerts import DeliveryState, TransitionKind
from kronos_health.store import next_message, outbox
from kronos_health.store.database import reading, writing
from kronos_health.store.outbox import OutboxRow

FIRED, UPDATED, RESOLVED = TransitionKind.FIRED, TransitionKind.UPDATED, TransitionKind.RESOLVED
LEASE = timedelta(seconds=60)


def _put(
    connection: Connection,
    now: datetime,
    fingerprint: str = "f",
    episode: int = 1,
    sequence: int = 1,
    kind: TransitionKind = FIRED,
    channel: str = "slack",
) -> bool:
    return outbox.enqueue(connection, channel, fingerprint, episode, kind, sequence, "{}", now)


def _take(connection: Connection, now: datetime, owner: str = "me") -> OutboxRow | None:
    row = next_message.next_row(connection, "slack", now)
    return row if row and outbox.claim(connection, row, owner, now, now + LEASE) else None


def _finish(connection: Connection, row: OutboxRow | None, now: datetime, external_id: str | None = "C1:1.1") -> None:
    assert row is not None
    assert outbox.settle(connection, row.id, "me", DeliveryState.SENT, external_id=external_id, sent_at=now)


def it_queues_the_same_message_only_once(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        new = [_put(connection, now), _put(connection, now), _put(connection, now, channel="console")]
    assert new == [True, False, True]
    with reading(engine) as connection:
        assert outbox.waiting(connection) == {"slack": 1, "console": 1}


def it_knows_a_message_by_what_it_says_and_where() -> None:
    ids = {
        outbox.message_id(channel, fingerprint, episode, kind, sequence)
        for channel in ("slack", "console")
        for fingerprint in ("a", "b")
        for episode in (1, 2)
        for kind in (FIRED, RESOLVED)
        for sequence in (1, 2)
    }
    assert len(ids) == 32
    assert outbox.message_id("slack", "a", 1, FIRED, 1) == outbox.message_id("slack", "a", 1, FIRED, 1)


def it_lets_later_messages_of_an_alert_wait_for_earlier_ones(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        # As if the first had been tried and put off: what comes after it has been due for longer.
        _put(connection, now - timedelta(seconds=9), episode=2)
        _put(connection, now - timedelta(seconds=9), sequence=2, kind=RESOLVED)
        _put(connection, now)
        _put(connection, now + timedelta(seconds=1), fingerprint="another")
    order = []
    with writing(engine) as connection:
        for _message in range(4):
            row = _take(connection, now + timedelta(seconds=2))
            assert row is not None
            order.append((row.fingerprint, row.episode, row.sequence))
            _finish(connection, row, now)
    assert order == [("f", 1, 1), ("f", 1, 2), ("f", 2, 1), ("another", 1, 1)]


def it_keeps_what_is_claimed_from_others_until_the_lease_ends(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        _put(connection, now)
        seen_by_both = next_message.next_row(connection, "slack", now)
        assert seen_by_both is not None
        assert outbox.claim(connection, seen_by_both, "me", now, now + LEASE)
        assert not outbox.claim(connection, seen_by_both, "you", now, now + LEASE)
        assert next_message.next_row(connection, "slack", now + LEASE - timedelta(seconds=1)) is None
        assert next_message.next_due(connection, "slack") == now + LEASE
        late = now + LEASE
        taken_over = _take(connection, late, "you")
        assert taken_over is not None
        assert (taken_over.state, taken_over.attempts) == (DeliveryState.SENDING, 1)
        assert taken_over.first_claimed_at == now
        assert not outbox.settle(connection, taken_over.id, "me", DeliveryState.SENT)


def it_finds_the_message_that_later_ones_answer(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        _put(connection, now)
        _put(connection, now, sequence=2, kind=UPDATED)
        _finish(connection, _take(connection, now), now)
        update = _take(connection, now)
        assert update is not None
        parent = outbox.parent_of(connection, update)
        assert parent is not None
        assert (parent.sequence, parent.external_id) == (1, "C1:1.1")
        assert outbox.parent_of(connection, parent) is None
        assert outbox.last_address(connection, "slack") == "C1:1.1"
        assert outbox.last_address(connection, "console") is None


def it_merges_an_episode_that_was_never_told(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        for sequence, kind in ((1, FIRED), (2, UPDATED), (3, RESOLVED)):
            _put(connection, now, sequence=sequence, kind=kind)
        _put(connection, now, episode=2)
        fired = next_message.next_row(connection, "slack", now)
        assert fired is not None
        resolved = outbox.resolution_of(connection, fired)
        assert resolved is not None
        assert outbox.merge_into(connection, resolved, '{"merged": 1}') == 2
        row = _take(connection, now)
        assert row is not None
        assert (row.id, row.message) == (resolved.id, '{"merged": 1}')
        assert outbox.waiting(connection) == {"slack": 2}


def it_queues_for_a_second_route_once_and_keeps_the_first(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        _put(connection, now)
        _put(connection, now, fingerprint="g")
        _put(connection, now, channel="console")
        assert outbox.reroute(connection, "slack", "console", now) == 1
        assert outbox.reroute(connection, "slack", "console", now) == 0
        assert outbox.waiting(connection) == {"slack": 2, "console": 2}


def it_brings_back_what_a_wrong_clock_put_off(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        _put(connection, now + timedelta(days=365))
        _put(connection, now + timedelta(minutes=5), fingerprint="g")
        assert outbox.mend_clock(connection, "slack", now, now + timedelta(hours=1)) == 1
        assert next_message.next_due(connection, "slack") == now


def it_forgets_what_came_to_an_end_and_nothing_else(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        _put(connection, now)
        _put(connection, now, fingerprint="g")
        _finish(connection, _take(connection, now), now)
        assert outbox.forget(connection, now) == 0
        assert outbox.forget(connection, now + timedelta(days=1)) == 1
        assert outbox.waiting(connection) == {"slack": 1}


def it_gives_up_what_nobody_can_read(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        _put(connection, now)
        outbox.bury(connection, outbox.recent(connection)[0].id, "not a message")
        assert outbox.waiting(connection) == {}
        assert outbox.recent(connection)[0].last_error == "not a message"
