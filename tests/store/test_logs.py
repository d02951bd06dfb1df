"""A scan is stored as a whole or not at all, once; and the checks read back what they need, on both databases."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select

from kronos_health.domain.logs import (
    Finding,
    Gap,
    Generation,
    Sample,
    SampleWindow,
    ScanCounts,
    ScanResult,
    Severity,
    Tally,
)
from kronos_health.logs.windows import Windows
from kronos_health.settings.models import Source
from kronos_health.store import logs as store
from kronos_health.store.database import reading, writing
from kronos_health.store.errors import CursorMoved
from kronos_health.store.tables.logs import (
    finding,
    gap,
    log_generation,
    log_sample,
    log_scan,
    log_source,
    log_tally,
    log_window,
    log_window_bin,
)
from kronos_health.store.types import new_id

SOURCE = Source(path="/srv/trade.log", timezone="America/New_York")
SEEN = datetime(2026, 11, 23, 9, 8, 9, tzinfo=UTC)
TABLES = (log_source, log_generation, log_scan, finding, log_sample, log_window, log_window_bin, log_tally, gap)


def generation(now: datetime, **changes: object) -> Generation:
    made = Generation(
        id=new_id(), source="trade", path="/srv/trade.log", inode=7, compression=None, head_sha256="a" * 64,
        head_length=1024, tail_sha256="b" * 64, tail_length=256, offset=5000, line=50, size_seen=6000,
        first_seen_at=now, last_seen_at=now, hint="here:1:7:6000:1", history_until=9000, gone_at=now,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def found(signature: str = "graph_reuse", offset: int = 100, **changes: object) -> Finding:
    made = Finding(
        signature=signature, severity=Severity.CRITICAL, start_offset=offset, end_offset=offset + 50, line=3,
        seen_at=SEEN, fingerprint="f" * 32, fingerprint_version=1, reason=None, record="the record",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def result(now: datetime, *generations: Generation, **changes: object) -> ScanResult:
    made = ScanResult(
        source="trade", started_at=now, finished_at=now + timedelta(seconds=1), generations=generations, previous={},
        findings=(), samples=(), gaps=(), counts=ScanCounts(10, 2, 1, 0, 0, 300), first_run=True, host="trader-1",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def windows(*values: tuple[str, str | None, datetime, float]) -> tuple[SampleWindow, ...]:
    counted = Windows()
    for value in values:
        counted.add(*value)
    return counted.frozen()


def apply(engine: Engine, scanned: ScanResult, now: datetime) -> str:
    with writing(engine) as connection:
        return store.apply_scan(connection, scanned, SOURCE, now)


def rows(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES
        }


def it_knows_no_generation_before_the_first_scan(engine: Engine) -> None:
    with reading(engine) as connection:
        assert store.known_generations(connection, "trade") == ()
        assert store.source_states(connection) == ()
        assert store.last_seen(connection, "trade", "prediction_completed") == {}
        assert store.last_scanned(connection, "trade") is None


def it_gives_generations_back_as_they_were_stored(engine: Engine, now: datetime) -> None:
    one, two = generation(now), generation(now, offset=2**40, inode=None, hint=None, finished=True, compression="gzip")
    apply(engine, result(now, one, two), now)
    with reading(engine) as connection:
        assert set(store.known_generations(connection, "trade")) == {one, two}
        assert store.known_generations(connection, "another") == ()


def it_stores_everything_of_a_scan(engine: Engine, now: datetime) -> None:
    one = generation(now)
    scan_id = apply(
        engine,
        result(
            now,
            one,
            findings=((one.id, found()), (one.id, found("compile_error"))),
            samples=((one.id, Sample("maxdiff_return", "ETHUSD", 0.1043, SEEN, 7)),),
            windows=windows(("maxdiff_return", "ETHUSD", SEEN, 0.1043)),
            gaps=(Gap(one.id, 40, None, "vanished"),),
            tallies=(Tally("prediction_completed", "kronos", SEEN.replace(second=0), 4, SEEN, SEEN),),
        ),
        now,
    )
    assert rows(engine) == {
        "log_source": 1, "log_generation": 1, "log_scan": 1, "finding": 2, "log_sample": 1, "log_window": 1,
        "log_window_bin": 1, "log_tally": 1, "gap": 1,
    }  # fmt: skip
    with reading(engine) as connection:
        row = connection.execute(select(log_scan)).one()
        assert (row.id, row.findings, row.samples, row.lag_bytes, row.duplicates) == (scan_id, 2, 1, 300, 0)
        assert row.first_run
        assert connection.execute(select(finding.c.found_at)).scalars().first() == now
        assert store.gaps_since(connection, now, source="trade") == (Gap(one.id, 40, None, "vanished"),)
        assert store.gaps_since(connection, now + timedelta(seconds=1)) == ()


def it_moves_the_cursor_only_from_where_the_scan_began(engine: Engine, now: datetime) -> None:
    one = generation(now)
    apply(engine, result(now, one), now)
    moved = replace(one, offset=6000, version=1)
    second = result(now, moved, previous={one.id: 0}, known=(one.id,), findings=((one.id, found()),))
    apply(engine, second, now)
    before = rows(engine)
    with pytest.raises(CursorMoved, match=r"another scan of trade moved the cursor of /srv/trade\.log first"):
        apply(engine, second, now)
    assert rows(engine) == before
    with reading(engine) as connection:
        assert store.known_generations(connection, "trade") == (moved,)


def it_refuses_a_scan_that_did_not_know_of_a_generation(engine: Engine, now: datetime) -> None:
    apply(engine, result(now, generation(now)), now)
    before = rows(engine)
    with pytest.raises(CursorMoved, match="another scan of trade came first; nothing of this one was stored"):
        apply(engine, result(now, generation(now)), now)
    assert rows(engine) == before


def it_lets_one_of_two_scans_win_that_run_at_once(engine: Engine, now: datetime) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def run() -> None:
        one = generation(now)
        scanned = result(now, one, findings=((one.id, found()),))
        start.wait()
        try:
            apply(engine, scanned, now)
            outcomes.append("stored")
        except CursorMoved:
            outcomes.append("came second")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["came second"] * 3 + ["stored"]
    assert rows(engine)["finding"] == 1


def it_counts_findings_that_are_there_already(engine: Engine, now: datetime) -> None:
    """The cursors make this impossible; should it happen all the same, it is stored once and can be seen."""
    one = generation(now)
    apply(engine, result(now, one, findings=((one.id, found()),)), now)
    again = result(
        now, replace(one, version=1), previous={one.id: 0}, known=(one.id,),
        findings=((one.id, found()), (one.id, found(offset=200))),
    )  # fmt: skip
    scan_id = apply(engine, again, now)
    with reading(engine) as connection:
        duplicates = select(log_scan.c.duplicates).where(log_scan.c.id == scan_id)
        assert connection.execute(duplicates).scalar_one() == 1
    assert rows(engine)["finding"] == 2


def it_adds_up_tallies_of_the_same_minute(engine: Engine, now: datetime) -> None:
    minute, later = SEEN.replace(second=0), SEEN + timedelta(minutes=5)

    def tally(count: int, first: datetime, last: datetime, model: str = "kronos") -> Tally:
        return Tally("prediction_completed", model, minute, count, first, last)

    one = generation(now)
    apply(engine, result(now, one, tallies=(tally(2, SEEN, SEEN), tally(1, SEEN, SEEN, "toto"))), now)
    early, late = SEEN - timedelta(seconds=5), SEEN + timedelta(seconds=20)
    again = Tally("prediction_completed", "kronos", later.replace(second=0), 7, later, later)
    apply(engine, result(now, known=(one.id,), tallies=(tally(3, early, late), again)), now)
    with reading(engine) as connection:
        kronos, toto = store.tally_since(connection, None, source="trade", signature="prediction_completed")
        assert (kronos.subject, kronos.count, kronos.first_at, kronos.last_at) == ("kronos", 12, early, later)
        assert (toto.subject, toto.count) == ("toto", 1)
        (since,) = store.tally_since(connection, late + timedelta(seconds=1))
        assert (since.count, since.first_at) == (7, later)
        assert store.tally_since(connection, later + timedelta(seconds=1)) == ()
        assert store.last_seen(connection, "trade", "prediction_completed") == {"kronos": later, "toto": SEEN}


def it_says_since_when_a_log_cannot_be_read(engine: Engine, now: datetime) -> None:
    later = now + timedelta(minutes=5)

    def state() -> tuple[str | None, datetime | None, datetime | None]:
        with reading(engine) as connection:
            (found_state,) = store.source_states(connection)
            assert (found_state.path, found_state.host, found_state.lag_bytes) == ("/srv/trade.log", "trader-1", 300)
            return found_state.problem, found_state.problem_since, store.last_scanned(connection, "trade")

    apply(engine, result(now, problem="it is a directory"), now)
    assert state() == ("it is a directory", now, None)
    apply(engine, result(later, problem="it does not exist"), later)
    assert state() == ("it does not exist", now, None)
    apply(engine, result(later), later)
    assert state() == (None, None, later + timedelta(seconds=1))


def it_groups_the_findings_of_a_scan_by_kind(engine: Engine, now: datetime) -> None:
    one = generation(now)
    other = {"fingerprint": "e" * 32, "signature": "cudagraph_skipped", "severity": Severity.WARNING, "reason": "cpu"}
    scan_id = apply(
        engine,
        result(
            now, one,
            findings=(
                (one.id, found(offset=300, line=30, seen_at=SEEN + timedelta(hours=1), record="last")),
                (one.id, found(offset=100, line=10, record="first")),
                (one.id, found(offset=200, line=20, record="")),
                (one.id, found(offset=400, seen_at=None, **other)),
            ),
        ),
        now,
    )  # fmt: skip
    apply(engine, result(now, known=(one.id,), findings=((one.id, found(offset=900)),)), now)
    with reading(engine) as connection:
        reused, skipped = store.findings_of_scan(connection, scan_id)
        everything = store.findings_since(connection, None, source="trade", signature="graph_reuse")
        recent = store.findings_since(connection, SEEN + timedelta(minutes=1))
    assert (reused.signature, reused.count, reused.record, reused.line) == ("graph_reuse", 3, "first", 10)
    assert (reused.first_at, reused.last_at) == (SEEN, SEEN + timedelta(hours=1))
    assert reused.severity is Severity.CRITICAL
    assert (skipped.count, skipped.reason, skipped.first_at) == (1, "cpu", now)
    assert [group.count for group in everything] == [4]
    assert sorted((group.signature, group.count) for group in recent) == [("cudagraph_skipped", 1), ("graph_reuse", 1)]


def it_forgets_finished_files_that_have_been_gone_for_long(engine: Engine, now: datetime) -> None:
    long_ago = now - timedelta(days=40)
    old, unread, live = (
        generation(long_ago, finished=True), generation(long_ago), generation(now),
    )  # fmt: skip
    apply(engine, result(now, old, unread, live), now)
    with reading(engine) as connection:
        assert {item.id for item in store.known_generations(connection, "trade")} == {unread.id, live.id}


def it_stores_one_gap_for_bytes_that_vanish_twice(engine: Engine, now: datetime) -> None:
    one = generation(now)
    apply(engine, result(now, one, gaps=(Gap(one.id, 40, 60, "first"),)), now)
    apply(engine, result(now, known=(one.id,), gaps=(Gap(one.id, 40, None, "again"),)), now)
    with reading(engine) as connection:
        assert store.gaps_since(connection, None) == (Gap(one.id, 40, 60, "first"),)
