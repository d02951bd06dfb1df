"""Numbers by the hour: added up once, asked in SQL, and kept when the lines are forgotten; on both databases."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from kronos_health.domain.logs import Sample
from kronos_health.store import retention
from kronos_health.store.database import reading, writing
from kronos_health.store.errors import CursorMoved
from kronos_health.store.history import run_query
from kronos_health.store.retention import Before
from kronos_health.store.tables.logs import log_sample, log_window
from tests.store.test_logs import apply, generation, result, windows

HOUR = datetime(2026, 11, 23, 9, tzinfo=UTC)
METRIC = "kronos_inference_ms"


def rows(engine: Engine, statement: str) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(text(statement)).mappings()]


def scan(engine: Engine, now: datetime, values: list[tuple[datetime, float]], known: Any = None) -> Any:
    one = known or generation(now)
    samples = tuple((one.id, Sample(METRIC, None, value, at, place)) for place, (at, value) in enumerate(values))
    counted = windows(*((METRIC, None, at, value) for at, value in values))
    previous = {"known": (one.id,)} if known else {}
    made = result(now, *([] if known else [one]), samples=samples, windows=counted, **previous)
    apply(engine, made, now)
    return one


def it_adds_up_what_scans_read_of_an_hour(engine: Engine, now: datetime) -> None:
    one = scan(engine, now, [(HOUR, 3000.0), (HOUR + timedelta(minutes=5), 5000.0)])
    scan(engine, now, [(HOUR + timedelta(minutes=9), 1000.0), (HOUR + timedelta(hours=1), 7.0)], known=one)
    first, second = rows(engine, "SELECT * FROM v_sample_window ORDER BY hour_at")
    assert (first["samples"], first["mean"], first["minimum"], first["maximum"]) == (3, 3000.0, 1000.0, 5000.0)
    assert first["p50"] == pytest.approx(3000, rel=0.01)
    assert first["p95"] == first["p99"] == pytest.approx(5000, rel=0.01)
    assert (second["samples"], second["p50"], second["subject"]) == (1, 7.0, None)


def it_gives_percentiles_of_any_range_when_the_lines_are_forgotten(engine: Engine, now: datetime) -> None:
    chance = random.Random(20251030)
    values = [(HOUR + timedelta(minutes=3 * number), chance.lognormvariate(8.1, 0.4)) for number in range(400)]
    scan(engine, now, values)
    ordered = sorted(value for _at, value in values)

    def ask(since: datetime) -> dict[str, Any]:
        with reading(engine) as connection:
            (row,) = run_query(connection, "prediction_latency_percentiles", {"since": since}, now=now).dicts()
        return row

    exact = ask(HOUR)
    assert (exact["samples"], exact["p50"], exact["p95"], exact["p99"]) == (
        400,
        ordered[199],
        ordered[379],
        ordered[395],
    )
    later = now + timedelta(days=60)
    before = Before(findings=HOUR, samples=later, windows=HOUR, heartbeats=HOUR)
    with writing(engine) as connection:
        assert retention.forget(connection, before).samples == 400
    kept = ask(HOUR)
    assert (kept["samples"], kept["minimum"], kept["maximum"]) == (400, ordered[0], ordered[-1])
    for name in ("p50", "p95", "p99"):
        assert kept[name] == pytest.approx(exact[name], rel=0.01)
    part = sorted(value for at, value in values if at >= HOUR + timedelta(hours=5))
    assert ask(HOUR + timedelta(hours=5))["p50"] == pytest.approx(part[len(part) // 2 - 1], rel=0.01)
    days = rows(engine, "SELECT samples, minimum, maximum FROM v_sample_daily")
    assert sum(day["samples"] for day in days) == 400


def it_answers_exactly_since_a_minute_within_an_hour_whose_lines_are_kept(engine: Engine, now: datetime) -> None:
    scan(engine, now, [(HOUR + timedelta(minutes=minute), 3000.0 + minute) for minute in range(60)])
    with reading(engine) as connection:
        since = HOUR + timedelta(minutes=30)
        (row,) = run_query(connection, "prediction_latency_percentiles", {"since": since}, now=now).dicts()
    assert (row["samples"], row["minimum"], row["p50"]) == (30, 3030.0, 3044.0)


def it_weighs_the_bins_of_old_hours_in_the_deployment_checks(engine: Engine, now: datetime) -> None:
    one = scan(engine, now, [(HOUR, 3500.0)] * 7 + [(HOUR + timedelta(minutes=1), 9000.0)] * 3)
    with writing(engine) as connection:
        connection.execute(log_sample.delete())
    scan(engine, now, [(HOUR + timedelta(hours=1), 4000.0)], known=one)
    with reading(engine) as connection:
        checks = run_query(connection, "deployment_checks", {}, now=now).dicts()
    times = checks[3]
    assert (times["count"], times["bad"], times["state"]) == (11, 3, "bad")
    assert times["median"] == pytest.approx(3500, rel=0.01)


def it_counts_once_what_several_scans_read_at_once(engine: Engine, now: datetime) -> None:
    start, outcomes = threading.Barrier(4), []

    def run() -> None:
        start.wait()
        try:
            scan(engine, now, [(HOUR, 3000.0), (HOUR, 4000.0)])
            outcomes.append("stored")
        except CursorMoved:
            outcomes.append("came second")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["came second"] * 3 + ["stored"]
    assert rows(engine, "SELECT samples FROM v_sample_window") == [{"samples": 2}]


def it_forgets_hours_with_their_bins(engine: Engine, now: datetime) -> None:
    scan(engine, now, [(HOUR, 3000.0), (HOUR + timedelta(days=2), 4000.0)])
    end = HOUR + timedelta(days=1)
    with writing(engine) as connection:
        assert retention.forget(connection, Before(HOUR, HOUR, end, HOUR)).windows == 1
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(log_window)).scalar_one() == 1
    assert rows(engine, "SELECT count(*) AS n FROM log_window_bin") == [{"n": 1}]
