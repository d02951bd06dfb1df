"""Percentiles of merged hours are those of all values, within the stated error."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from ddsketch import DDSketch
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.domain.logs import SampleWindow
from kronos_health.logs.entries import _LARGEST
from kronos_health.logs.windows import RELATIVE_ERROR, Windows, bin_of, percentile, value_of

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
NUMBERS = st.floats(min_value=-_LARGEST, max_value=_LARGEST)
# The logarithm is taken in double precision: on a bin's edge, the error may be passed by the last digits.
TOLERANCE = RELATIVE_ERROR * (1 + 1e-9)


def exact(values: list[float], percent: float) -> float:
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]


@given(NUMBERS)
def it_keeps_every_number_within_the_stated_error(value: float) -> None:
    assert abs(value_of(bin_of(value)) - value) <= TOLERANCE * abs(value) + 2.3e-308


@given(NUMBERS, NUMBERS)
def it_orders_bins_as_their_numbers(one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    assert bin_of(smaller) <= bin_of(larger)


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.one_of(NUMBERS, st.floats(2000, 6000), st.floats(-0.2, 0.2))),
        min_size=1,
        max_size=200,
    ),
    st.sampled_from([1, 25, 50, 75, 95, 99, 100]),
)
def it_gives_the_percentiles_of_any_range_of_hours(written: list[tuple[int, float]], percent: int) -> None:
    scans = (Windows(), Windows())  # as two scans would have seen them
    for number, (hour, value) in enumerate(written):
        scans[number % 2].add("m", "ETHUSD", START + timedelta(hours=hour, minutes=number % 60), value)
    merged = Windows()
    for scan in scans:
        merged.merge(scan)
    found = merged.frozen()
    assert sum(window.count for window in found) == len(written)
    last = max(hour for hour, _ in written)
    for until in {last, 3}:
        values = [value for hour, value in written if hour <= until]
        if not values:
            continue
        bins = [part for window in found if window.hour_at <= START + timedelta(hours=until) for part in window.bins]
        right = exact(values, percent)
        assert abs(percentile(bins, percent) - right) <= TOLERANCE * abs(right) + 2.3e-308


@given(st.lists(st.floats(0.001, 10_000), min_size=1, max_size=50))
def it_puts_numbers_where_the_library_puts_them(values: list[float]) -> None:
    windows, library = Windows(), DDSketch(RELATIVE_ERROR)
    for value in values:
        windows.add("m", None, START, value)
        library.add(value)
    (window,) = windows.frozen()
    store = library._store
    kept = {value: count for value, count in enumerate(store.bins, store.offset) if count}
    assert [part.count for part in window.bins] == [kept[key] for key in sorted(kept)]
    assert [part.value for part in window.bins] == [library._mapping.value(key) for key in sorted(kept)]


def it_counts_by_metric_subject_and_hour() -> None:
    windows = Windows()
    windows.add("a", None, START, 1.0)
    windows.add("a", "", START + timedelta(minutes=59), 3.0)
    windows.add("a", None, START.astimezone() + timedelta(hours=1), 5.0)
    windows.add("a", "ETHUSD", START, 7.0)
    first, second, third = windows.frozen()
    assert (first.count, first.total, first.minimum, first.maximum) == (2, 4.0, 1.0, 3.0)
    assert (first.first_at, first.last_at) == (START, START + timedelta(minutes=59))
    assert (second.hour_at, second.hour_at.tzinfo, second.subject) == (START + timedelta(hours=1), UTC, "")
    assert third.subject == "ETHUSD"
    assert all(isinstance(window, SampleWindow) for window in (first, second, third))


def it_has_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile((), 50)
