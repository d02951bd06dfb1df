"""Windows that belong to production are read off the wall: time zones, midnight, and the nights the clock is set."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.probe.blackout import closed_until, until_in_words
from kronos_health.settings.models import Blackout

NEW_YORK = ZoneInfo("America/New_York")
MARKET = Blackout()


def window(days: str, start: str, end: str, timezone: str = "America/New_York") -> Blackout:
    return Blackout.model_validate({"days": days.split(), "start": start, "end": end, "timezone": timezone})


def new_york(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK, fold=fold).astimezone(UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-23 09:29:59", None),  # a Monday
        ("2026-11-23 09:30", "2026-11-23 16:00"),
        ("2026-11-23 15:59:59", "2026-11-23 16:00"),
        ("2026-11-23 16:00", None),
        ("2026-11-22 12:00", None),  # a Sunday
        ("2026-07-06 10:00", "2026-07-06 16:00"),
    ],
)
def it_knows_the_trading_hours_of_new_york(at: str, until: str | None) -> None:
    assert closed_until([MARKET], new_york(at)) == (new_york(until) if until else None)


def it_follows_daylight_saving() -> None:
    """The same hour in UTC is before the market opens in winter, and after it has in summer."""
    assert closed_until([MARKET], utc("2026-11-23 14:00")) is None
    assert closed_until([MARKET], utc("2026-07-06 14:00")) == utc("2026-07-06 20:00")


@pytest.mark.parametrize(
    ("days", "start", "end", "at", "until"),
    [
        ("fri", "22:00", "04:00", "2026-11-28 03:59", "2026-11-28 04:00"),  # begun on Friday, over midnight
        ("sat", "22:00", "04:00", "2026-11-28 03:59", None),
        ("sat", "22:00", "00:00", "2026-11-28 23:59", "2026-11-29 00:00"),
        ("sat", "00:00", "00:00", "2026-11-28 00:00", "2026-11-29 00:00"),  # the whole day
        ("sat", "00:00", "00:00", "2026-11-29 00:00", None),
        ("sat", "12:00", "12:00", "2026-11-29 11:59", "2026-11-29 12:00"),
    ],
)
def it_reaches_over_midnight(days: str, start: str, end: str, at: str, until: str | None) -> None:
    expected = new_york(until) if until else None
    assert closed_until([window(days, start, end)], new_york(at)) == expected


class DescribeTheNightsTheClockIsSet:
    """In New York it goes from 2:00 to 3:00 on 2026-03-08, and from 2:00 back to 1:00 on 2026-11-01: both Sundays."""

    def it_ends_by_the_clock_on_the_wall(self) -> None:
        night = window("sat", "22:00", "06:00")
        short = closed_until([night], new_york("2026-03-07 22:00"))
        long = closed_until([night], new_york("2026-10-31 22:00"))
        assert short == new_york("2026-03-07 22:00") + timedelta(hours=7)
        assert long == new_york("2026-10-31 22:00") + timedelta(hours=9)

    def it_is_closed_through_both_readings_of_an_hour(self) -> None:
        hour = window("sun", "01:15", "01:45")
        end = new_york("2026-11-01 01:45", fold=1)
        for at in (new_york("2026-11-01 01:15"), new_york("2026-11-01 01:50"), new_york("2026-11-01 01:10", fold=1)):
            assert closed_until([hour], at) == end
        assert closed_until([hour], end) is None

    def it_does_not_lose_a_window_in_the_hour_that_never_was(self) -> None:
        assert closed_until([window("sun", "02:15", "02:45")], new_york("2026-03-08 03:00")) is not None


def it_takes_windows_that_touch_or_overlap_for_one() -> None:
    night = [window("mon tue wed thu fri sat sun", "22:00", "02:00"), window("tue", "01:00", "05:00")]
    morning = window("tue", "05:00", "06:00", "America/Chicago")  # 6:00 to 7:00 in New York: after an hour's pause
    at = new_york("2026-11-23 23:00")
    assert closed_until([*night, morning], at) == new_york("2026-11-24 05:00")
    touching = window("tue", "04:00", "06:00", "America/Chicago")
    assert closed_until([*night, touching], at) == new_york("2026-11-24 07:00")


def it_tells_the_end_on_both_clocks() -> None:
    at = new_york("2026-11-23 10:00")
    until = closed_until([MARKET], at)
    assert until is not None
    words = until_in_words([window("sun", "00:00", "01:00"), MARKET], at, until)
    assert words == "until Mon 2026-11-23 16:00 America/New_York (2026-11-23 21:00 UTC)"


def it_says_that_a_week_without_a_pause_never_ends() -> None:
    always = window("mon tue wed thu fri sat sun", "00:00", "00:00")
    at = new_york("2026-11-23 10:00")
    until = closed_until([always], at)
    assert until is not None
    assert until_in_words([always], at, until) == "for good: together its windows cover the whole week"


def it_has_no_window_by_default(now: datetime) -> None:
    assert closed_until((), now) is None


_times = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))
_windows = st.builds(
    Blackout,
    days=st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri"]), min_size=1, unique=True),
    start=_times,
    end=_times,
    timezone=st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
)


@given(
    st.lists(_windows, max_size=3),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)
def it_opens_at_the_first_moment_that_no_window_holds(windows: list[Any], at: datetime) -> None:
    until = closed_until(windows, at)
    if until is None:
        return
    assert until > at
    assert until - at < timedelta(days=7), "the weekend is free"
    assert closed_until(windows, until) is None
    assert closed_until(windows, until - timedelta(seconds=1)) == until
    assert closed_until(windows[::-1], at) == until


def it_prints_as_people_write_it() -> None:
    assert str(Blackout(days=("mon", "fri"), start=time(9), end=time(0))) == "mon fri 09:00-00:00 America/New_York"
