"""What the next message costs follows from nothing: neither from how many wait nor from how many were ever sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert

from kronos_health.domain.alerts import DeliveryState, TransitionKind
from kronos_health.store import next_message, outbox
from kronos_health.store.database import open_engine, writing
from kronos_health.store.tables.alerts import outbox as table

PENDING, SENDING, SENT, MERGED = (
    DeliveryState.PENDING,
    DeliveryState.SENDING,
    DeliveryState.SENT,
    DeliveryState.MERGED,
)
ASKED: dict[str, Callable[[Connection, datetime], object]] = {
    "next_row": lambda connection, now: next_message.next_row(connection, "slack", now),
    "next_due": lambda connection, _now: next_message.next_due(connection, "slack"),
}
WHOLESALE = {"Sort", "Incremental Sort", "Seq Scan", "Hash Join", "Hash", "Bitmap Heap Scan", "Materialize"}
_FEW = 40  # entries a look may visit, in all its steps


def _row(
    now: datetime, number: int, sequence: int = 1, state: DeliveryState = PENDING, **values: Any
) -> dict[str, Any]:
    return {
        "id": f"{number}-{sequence}-{state.value}",
        "channel": "slack",
        "fingerprint": f"alert {number}",
        "episode": 1,
        "sequence": sequence,
        "kind": TransitionKind.FIRED.value,
        "state": state.value,
        "message": "{}",
        "created_at": now,
        "next_at": now,
        "attempts": 0,
        "plain": False,
        "lease_until": None,
        "told_in": None,
    } | values


def _fill(connection: Connection, now: datetime, alerts: int) -> None:
    """A backlog as a bad day leaves it: much sent, more waiting, some told together, some claimed by the dead."""
    long_ago = now - timedelta(days=9)
    rows = [_row(long_ago, number, 0, SENT) for number in range(alerts)]
    rows += [_row(now, number, sequence) for number in range(alerts) for sequence in (1, 2)]
    rows += [_row(long_ago, number, -1, MERGED, told_in=f"{number}-0-sent") for number in range(0, alerts, 3)]
    ends = now + timedelta(minutes=1)
    rows += [_row(now, alerts + number, state=SENDING, lease_until=ends) for number in range(5)]
    connection.execute(insert(table), rows)


def _statements(connection: Connection, work: Callable[[], object]) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return seen


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _visited(node: dict[str, Any]) -> float:
    """Entries that a step of PostgreSQL's looked at, over all its repetitions."""
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


def _steps_of_sqlite(connection: Connection, work: Callable[[], object]) -> int:
    """How many instructions SQLite's machine ran, in tens."""
    raw, tens = connection.connection.driver_connection, 0

    def count() -> int:
        nonlocal tens
        tens += 1
        return 0

    assert raw is not None
    raw.set_progress_handler(count, 10)
    try:
        work()
    finally:
        raw.set_progress_handler(None, 0)
    return tens


@pytest.mark.parametrize("name", ASKED)
def it_looks_by_indexes_alone_on_sqlite(sqlite_engine: Engine, now: datetime, name: str) -> None:
    with writing(sqlite_engine) as connection:
        _fill(connection, now, 100)
        for statement, parameters in _statements(connection, lambda: ASKED[name](connection, now)):
            rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
            steps = [row[3] for row in rows]
            by_lease = "ORDER BY outbox.lease_until" in statement
            lead = "ix_outbox_leased" if by_lease else "ix_outbox_due"
            assert steps[0].startswith(f"SEARCH outbox USING INDEX {lead} (channel=?")
            assert [step for step in steps if "TEMP B-TREE" in step or "SCAN" in step] == []
            plan = " ".join(steps)
            assert "earlier USING INDEX ix_outbox_open_of_alert (channel=? AND fingerprint=? AND episode<?)" in plan
            assert "told USING INDEX ix_outbox_told_elsewhere (channel=? AND fingerprint=? AND episode<?)" in plan
            assert "carrier USING INDEX sqlite_autoindex_outbox_1 (id=?)" in plan


@pytest.mark.parametrize("name", ASKED)
def it_works_as_little_for_many_as_for_few_on_sqlite(sqlite_engine: Engine, now: datetime, name: str) -> None:
    costs = []
    for alerts in (20, 2_000):
        with writing(sqlite_engine) as connection:
            connection.execute(table.delete())
            _fill(connection, now, alerts)
            ASKED[name](connection, now)  # what is prepared once is not counted
            costs.append(_steps_of_sqlite(connection, lambda at=connection: ASKED[name](at, now)))  # type: ignore[misc]
    few, many = costs
    assert many <= few + 2


@pytest.mark.parametrize("counted", ["never", "before", "after"])
@pytest.mark.parametrize("name", ASKED)
def it_visits_a_handful_of_entries_on_postgresql(postgres_url: str, now: datetime, name: str, counted: str) -> None:
    """Whatever PostgreSQL's statistics say: none yet, those of an empty outbox, or the truth."""
    engine = open_engine(postgres_url)
    with writing(engine) as connection:
        if counted == "before":
            connection.execute(insert(table), [_row(now, 1, 0, SENT)])
            connection.exec_driver_sql("ANALYZE outbox")
        _fill(connection, now, 2_000) if counted != "before" else _fill_anew(connection, now)
        if counted == "after":
            connection.exec_driver_sql("ANALYZE outbox")
        for statement, parameters in _statements(connection, lambda: ASKED[name](connection, now)):
            found = connection.exec_driver_sql("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, parameters).scalar_one()
            plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
            nodes = list(_nodes(plan))
            assert {node["Node Type"] for node in nodes} & {
                "Sort",
                "Seq Scan",
                "Hash Join",
                "Bitmap Heap Scan",
            } == set()
            assert sum(_visited(node) for node in nodes) <= _FEW
    engine.dispose()


def _fill_anew(connection: Connection, now: datetime) -> None:
    connection.execute(table.delete())
    _fill(connection, now, 2_000)


def it_lets_a_message_wait_for_the_one_that_tells_an_earlier_one(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        rows = [
            _row(now, 1, 1, MERGED, told_in="carrier"),
            _row(now, 1, 2),
            _row(now + timedelta(seconds=1), 9, 1, id="carrier"),
        ]
        connection.execute(insert(table), rows)
        later = now + timedelta(seconds=5)
        first = next_message.next_row(connection, "slack", later)
        assert first is not None
        assert first.id == "carrier"
        assert next_message.next_due(connection, "slack") == first.next_at
        assert outbox.claim(connection, first, "me", later, later + timedelta(minutes=1))
        assert next_message.next_row(connection, "slack", later) is None
        assert outbox.settle(connection, "carrier", "me", SENT)
        second = next_message.next_row(connection, "slack", later)
        assert second is not None
        assert second.id == "1-2-pending"
