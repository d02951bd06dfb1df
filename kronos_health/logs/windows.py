"""Numbers of a log by the hour: counts, bounds and a mergeable quantile sketch, instead of every line for ever.

The sketch is DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error
guarantees", VLDB 2019) with the key mapping of Datadog's library. A value falls into a bin whose representative is at
most ``RELATIVE_ERROR`` away from it, so any percentile by nearest rank is wrong by at most that share. Bins of hours,
days or logs are merged by adding their counts, which SQL can do as well: they are stored as rows, not as a blob.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from math import log
from typing import Any

import numpy as np

from kronos_health.domain.logs import SampleBin, SampleWindow

RELATIVE_ERROR = 0.01
# Keys of the smallest and the largest double lie within ± 36,000: with this added, bins are in the order of values.
_POSITIVE = 40_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = 3_600_000_000  # microseconds
_Key = tuple[str, str, datetime]


class Windows:
    """Numbers gathered by metric, subject and the hour they were written in (UTC)."""

    def __init__(self) -> None:
        self._hours: dict[_Key, _Hour] = {}

    def add(self, metric: str, subject: str | None, at: datetime, value: float) -> None:
        """Count ``value``, finite, written at ``at``, aware."""
        at = at.astimezone(UTC)
        key = (metric, subject or "", at.replace(minute=0, second=0, microsecond=0))
        hour = self._hours.get(key)
        if hour is None:
            hour = self._hours[key] = _Hour(at, value)
        hour.add(at, value)

    def add_many(self, metric: str, subject: str | None, times: Any, values: Any) -> None:
        """Count ``values``, an array, written at ``times``, an array of microseconds since 1970."""
        hours = times // _HOUR
        for hour_number in np.unique(hours).tolist():
            inside = hours == hour_number
            at = _EPOCH + timedelta(microseconds=hour_number * _HOUR)
            key = (metric, subject or "", at)
            first, last = (_EPOCH + timedelta(microseconds=int(edge)) for edge in _edges(times[inside]))
            hour = self._hours.get(key)
            if hour is None:
                hour = self._hours[key] = _Hour(first, float(values[inside][0]))
            hour.add_many(first, last, values[inside])

    def merge(self, other: Windows) -> None:
        """Count everything that ``other`` has counted."""
        for key, hour in other._hours.items():
            mine = self._hours.get(key)
            if mine is None:
                mine = self._hours[key] = _Hour(hour.first_at, hour.minimum)
            mine.merge(hour)

    def frozen(self) -> tuple[SampleWindow, ...]:
        """The windows as they are stored, in order."""
        return tuple(hour.frozen(key) for key, hour in sorted(self._hours.items(), key=lambda item: item[0]))


class _Hour:
    __slots__ = ("bins", "count", "first_at", "last_at", "maximum", "minimum", "total")

    def __init__(self, at: datetime, value: float) -> None:
        self.count, self.total = 0, 0.0
        self.minimum = self.maximum = value
        self.first_at = self.last_at = at
        self.bins: Counter[int] = Counter()

    def add(self, at: datetime, value: float) -> None:
        self.count += 1
        self.total += value
        self.minimum, self.maximum = min(self.minimum, value), max(self.maximum, value)
        self.first_at, self.last_at = min(self.first_at, at), max(self.last_at, at)
        self.bins[bin_of(value)] += 1

    def add_many(self, first: datetime, last: datetime, values: Any) -> None:
        self.count += len(values)
        self.total += float(values.sum())
        low, high = _edges(values)
        self.minimum, self.maximum = min(self.minimum, float(low)), max(self.maximum, float(high))
        self.first_at, self.last_at = min(self.first_at, first), max(self.last_at, last)
        numbers, counts = np.unique(bins_of(values), return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            self.bins[number] += count

    def merge(self, other: _Hour) -> None:
        self.count += other.count
        self.total += other.total
        self.minimum, self.maximum = min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        self.first_at, self.last_at = min(self.first_at, other.first_at), max(self.last_at, other.last_at)
        self.bins.update(other.bins)

    def frozen(self, key: _Key) -> SampleWindow:
        metric, subject, hour_at = key
        bins = tuple(SampleBin(number, value_of(number), count) for number, count in sorted(self.bins.items()))
        return SampleWindow(
            metric, subject, hour_at, self.count, self.total, self.minimum, self.maximum, self.first_at, self.last_at,
            bins,
        )  # fmt: skip


@cache
def _mapping() -> Any:
    from ddsketch.mapping import LogarithmicMapping

    return LogarithmicMapping(RELATIVE_ERROR)


def bin_of(value: float) -> int:
    """The bin of a finite number; bins are in the order of the numbers they hold, 0 is zero's."""
    mapping = _mapping()
    if value > mapping.min_possible:
        return int(mapping.key(value)) + _POSITIVE
    if value < -mapping.min_possible:
        return -int(mapping.key(-value)) - _POSITIVE
    return 0


def bins_of(values: Any) -> Any:
    """The bins of an array of finite numbers, as :func:`bin_of` says.

    Where a logarithm lies so near the border of two bins that numpy's and the library's may round it to different
    sides, and for small numbers, each is asked by itself.
    """
    mapping = _mapping()
    small = np.abs(values) < 1e-6
    exact = np.log(np.where(small, 1.0, np.abs(values))) / log(mapping.gamma)
    unsure = small | (np.abs(exact - np.rint(exact)) < 1e-6)
    exact[unsure] = 0.0
    bins = np.where(values < 0, -1, 1) * (np.ceil(exact).astype(np.int64) + _POSITIVE)
    bins[unsure] = [bin_of(value) for value in values[unsure].tolist()]
    return bins


def _edges(values: Any) -> tuple[Any, Any]:
    return values.min(), values.max()


def value_of(number: int) -> float:
    """The number that stands for all of a bin: none of them is further away than ``RELATIVE_ERROR`` of itself."""
    if number == 0:
        return 0.0
    size = float(_mapping().value(abs(number) - _POSITIVE))
    return size if number > 0 else -size


def percentile(bins: Iterable[SampleBin], percent: float) -> float:
    """The percentile by nearest rank of merged bins. Raises ``ValueError`` where there are none."""
    merged: Counter[int] = Counter()
    for item in bins:
        merged[item.bin] += item.count
    rank = max(-(-sum(merged.values()) * percent // 100), 1)
    for number in sorted(merged):
        rank -= merged[number]
        if rank <= 0:
            return value_of(number)
    raise ValueError("no values")
