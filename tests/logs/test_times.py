"""The time of a record is its own, in UTC, whatever clock its program writes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kronos_health.logs.errors import LogProblem
from kronos_health.logs.times import Clock, zone_named

MODIFIED = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def at(line: str, zone: str = "UTC", *before: str) -> datetime | None:
    return Clock(zone_named(zone), MODIFIED, NOW).time_of(line, lambda: before)


@pytest.mark.parametrize(
    ("line", "zone", "expected"),
    [
        ("2025-10-30 09:08:09 UTC | 2025-10-30 05:08:09 EDT | 2025-10-30 22:08:09 NZDT | x", "Asia/Tokyo", "09:08:09"),
        ("2025-10-30 05:08:09 EDT | 2025-10-30 09:08:09 UTC | x", "UTC", "09:08:09"),
        ("2025-10-30 22:08:09 NZDT | x", "UTC", "09:08:09"),
        ("2025-10-30 05:08:09 EDT | x", "America/New_York", "09:08:09"),
        ("2025-10-30 05:08:09,250 - root - INFO", "America/New_York", "09:08:09.250"),
        ("2025-10-30T09:08:09.123456Z ready", "Asia/Tokyo", "09:08:09.123456"),
        ("2025-10-30T11:08:09+02:00 ready", "UTC", "09:08:09"),
        ("[2025-10-30 09:08] ready", "UTC", "09:08:00"),
        ("\t2025/10/30 09:08:09 ready", "UTC", "09:08:09"),
        ('{"message": "x", "time": "2025-10-30T09:08:09Z"}', "UTC", "09:08:09"),
        ('{"ts": 1761815289.5, "message": "x"}', "Asia/Tokyo", "09:08:09.500"),
        ('{"timestamp": 1761815289500}', "Asia/Tokyo", "09:08:09.500"),
        ("W1030 09:08:09.060000 123 torch/x.py:1] x", "UTC", "09:08:09.060"),
        ("[rank0]:W1030 05:08:09.060000 123 torch/x.py:1] x", "America/New_York", "09:08:09.060"),
        ("Oct 30 09:08:09 host app: x", "UTC", "09:08:09"),
    ],
)
def it_reads_the_stamps_of_many_loggers(line: str, zone: str, expected: str) -> None:
    assert at(line, zone) == datetime.fromisoformat(f"2025-10-30T{expected}+00:00")


@pytest.mark.parametrize(
    "line", ["no time here", "2025-13-45 25:61:00 nonsense", "W1345 99:99:99 x", "Feb 31 10:00:00 x", ""]
)
def it_knows_no_time_where_there_is_none(line: str) -> None:
    assert at(line) is None


def it_takes_the_year_of_a_stamp_without_one_from_the_files_last_change() -> None:
    clock = Clock(UTC, datetime(2026, 1, 2, tzinfo=UTC), NOW)
    assert clock.time_of("W1231 23:59:59.000000 x") == datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert clock.time_of("W0102 12:00:00.000000 x") == datetime(2026, 1, 2, 12, tzinfo=UTC)  # clocks differ by hours
    assert clock.time_of("W0229 12:00:00.000000 x") == datetime(2024, 2, 29, 12, tzinfo=UTC)


def it_takes_the_year_that_fits_the_records_before_it() -> None:
    """A log that was copied or checked out has a last change long after its lines."""
    header = "2019-12-31 23:59:58 UTC | ready"
    assert at("W0101 00:00:01.000000 x", "UTC", "no time", header) == datetime(2020, 1, 1, 0, 0, 1, tzinfo=UTC)


def it_gives_a_record_without_a_stamp_the_time_of_the_one_before() -> None:
    found = at("skipping cudagraphs due to x", "UTC", "also none", "2025-10-30 09:08:09 UTC | ready")
    assert found == datetime(2025, 10, 30, 9, 8, 9, tzinfo=UTC)


def it_says_that_a_time_zone_is_unknown() -> None:
    with pytest.raises(LogProblem, match=r"time zone 'Mars/Olympus' is not known here\. Write a name such as UTC"):
        zone_named("Mars/Olympus")


@pytest.mark.parametrize(
    "line", ["9999-12-31 23:59:59 x", "2026-03-02 00:00:01 x", "0001-01-01 00:00:00 x", "1970-01-01 00:00:00 x"]
)
def it_takes_a_placeholder_for_no_time(line: str) -> None:
    assert at(line) is None
    assert at(line, "UTC", "2026-01-01 10:00:00 before") == datetime(2026, 1, 1, 10, tzinfo=UTC)


def it_believes_a_clock_that_runs_hours_ahead_and_a_file_whose_last_change_was_lost() -> None:
    assert at("2026-03-01 20:00:00 x") == datetime(2026, 3, 1, 20, tzinfo=UTC)
    clock = Clock(UTC, datetime(1970, 1, 1, tzinfo=UTC), NOW)
    assert clock.time_of("2026-02-28 12:00:00 x") == datetime(2026, 2, 28, 12, tzinfo=UTC)
