"""Silence is told by the hours in which predictions usually complete: not on a weekend, soon on a trading day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.checks.observations.predictions import Silence
from kronos_health.checks.observations.rhythm import LEAST_WEEKS, Rhythm, hour_of_week, learn
from kronos_health.checks.scanning import scan
from kronos_health.domain.alerts import ObservationState
from kronos_health.store.database import reading
from kronos_health.store.history import run_query
from tests.checks.conftest import Clock, MakeContext
from tests.checks.test_scanning import PATTERNS, Log, Rows

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
TRADING = [(day, hour) for day in range(5) for hour in range(14, 21)]


def trading(weeks: int, until: datetime = MONDAY) -> list[datetime]:
    """The hours of so many weeks of trading days before ``until``, a Monday."""
    return [
        until - timedelta(weeks=week) + timedelta(days=day, hours=hour)
        for week in range(1, weeks + 1)
        for day, hour in TRADING
    ]


def state(last: datetime, now: datetime, rhythm: Rhythm | None) -> ObservationState:
    return Silence({"kronos": last}, MONDAY - timedelta(days=90), None, 96, rhythm).state(now)


def it_learns_the_hours_of_the_week() -> None:
    rhythm = learn(trading(5))
    assert rhythm is not None
    assert rhythm.hours == {day * 24 + hour for day, hour in TRADING}
    assert (rhythm.weeks, rhythm.allowed) == (4, 2)  # from Friday to Friday, the first week is not whole
    assert rhythm.words == "35 hours of the week: Mon Tue Wed Thu Fri 14-21 UTC"


def it_is_unknown_while_there_is_not_enough_history() -> None:
    assert learn([]) is None
    assert learn(trading(LEAST_WEEKS - 1)) is None
    assert learn([MONDAY - timedelta(weeks=week) for week in range(8)]) is None, "an hour a week is no habit to hold to"


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (1, ObservationState.GOOD),
        (40, ObservationState.GOOD),  # Sunday
        (66, ObservationState.GOOD),  # Monday 14:30
        (68, ObservationState.GOOD),
        (69, ObservationState.BAD),  # Monday, three trading hours without any
        (24 * 30, ObservationState.BAD),
    ],
)
def it_does_not_page_on_a_weekend_and_does_within_hours_on_a_trading_day(
    hours: int, expected: ObservationState
) -> None:
    friday = MONDAY - timedelta(days=3) + timedelta(hours=20, minutes=30)
    assert state(friday, friday + hours * HOUR, learn(trading(6))) is expected


def it_keeps_to_the_four_days_where_nothing_is_learnt() -> None:
    assert state(MONDAY, MONDAY + 95 * HOUR, None) is ObservationState.GOOD
    assert state(MONDAY, MONDAY + 97 * HOUR, None) is ObservationState.BAD


def it_is_not_led_astray_by_one_outage() -> None:
    outage = MONDAY - timedelta(weeks=2)
    hours = [at for at in trading(8) if not outage <= at < outage + timedelta(days=3)]
    rhythm = learn(hours)
    assert rhythm is not None
    assert (len(rhythm.hours), rhythm.allowed) == (35, 2)


def it_allows_what_a_usual_week_misses() -> None:
    """Every week three hours in a row pass without, another time each week."""
    missed = {
        MONDAY - timedelta(weeks=week) + timedelta(days=(week - 1) % 5, hours=(18 if week <= 5 else 14) + hour)
        for week in range(1, 9)
        for hour in range(3)
    }
    rhythm = learn([at for at in trading(9) if at not in missed])
    assert rhythm is not None
    assert (len(rhythm.hours), rhythm.weeks, rhythm.allowed) == (35, 8, 5)


@given(st.lists(st.integers(0, 8 * 168), min_size=1, max_size=400))
def it_learns_only_hours_that_were_seen(offsets: list[int]) -> None:
    hours = [MONDAY - offset * HOUR for offset in offsets]
    rhythm = learn(hours)
    if rhythm is not None:
        assert rhythm.hours <= {hour_of_week(at) for at in hours}
        assert rhythm.missed(MONDAY, MONDAY) == 0


def it_tells_of_silence_by_what_it_has_learnt(
    make_context: MakeContext, rows: Rows, clock: Clock, tmp_path: Path
) -> None:
    log = Log(tmp_path / "trade.log")
    context = make_context(sources={"trade": {"path": str(log.path)}}, logs={"patterns": PATTERNS})
    for at in trading(6):
        log.write(
            f"{at + timedelta(minutes=5):%Y-%m-%d %H:%M:%S} UTC | x.py:1 INFO | Kronos prediction completed in 3.5 s\n"
        )
    ask = "SELECT message FROM outbox WHERE fingerprint = 'no_predictions:trade'"
    clock.now = MONDAY - timedelta(days=2)  # Saturday
    for hours in (1, 24, 36):  # until Monday 13:00
        log.quiet_line()
        scan(context, "trade")
        clock.move(hours=hours)
    assert rows(ask) == []
    clock.now = MONDAY + timedelta(hours=17, minutes=10)
    log.quiet_line()
    scan(context, "trade")
    (fired,) = rows(ask)
    assert "3 hours in which predictions usually complete have passed without any" in fired["message"]
    assert "Mon Tue Wed Thu Fri 14-21 UTC" in fired["message"]
    with reading(context.engine) as connection:
        asked = run_query(connection, "prediction_rhythm", {}, now=clock.now).dicts()
    assert len(asked) == 35
    assert (asked[0]["weekday"], asked[0]["hour"], asked[0]["weeks"]) == (1, 14, 6)
