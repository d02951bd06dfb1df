"""When predictions are to be expected, learnt from the hours of past weeks in which any completed. Pure.

A quantile of the gaps between predictions would be the few minutes within a trading day, and page on every weekend; so
each hour of the week is looked at by itself. An hour counts as expected when it saw a prediction in most of the weeks,
and silence is counted in expected hours. How many of them may be missed is learnt as well: what the median week missed
in a row, and two more, for clocks that change and slow days. The weeks end with the last prediction, so that a long
silence is not unlearnt into a habit.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LOOK_BACK = timedelta(weeks=8)
LEAST_WEEKS = 3
_MOST = 0.8  # of the weeks
_LEAST_HOURS = 5  # fewer in a week say nothing: nobody would notice within days
_SPARE = 2
_HOUR = timedelta(hours=1)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """``hours`` of the week (0: Monday 00:00 UTC) in which predictions complete, as ``weeks`` of history say.

    ``allowed`` is how many of them in a row may pass without any.
    """

    hours: frozenset[int]
    weeks: int
    allowed: int

    def missed(self, last: datetime, now: datetime) -> int:
        """How many whole expected hours have passed since the hour of ``last``."""
        at, count = _floor(last) + _HOUR, 0
        end = min(_floor(now), at + LOOK_BACK)
        while at < end:
            count += hour_of_week(at) in self.hours
            at += _HOUR
        return count

    @property
    def words(self) -> str:
        """The hours for people, e.g. ``35 hours of the week: Mon Tue Wed Thu Fri 13-20 UTC``."""
        by_span: dict[str, list[str]] = {}
        for day, name in enumerate(_DAYS):
            spans = _spans(sorted(hour % 24 for hour in self.hours if hour // 24 == day))
            if spans:
                by_span.setdefault(spans, []).append(name)
        told = "; ".join(f"{' '.join(days)} {spans}" for spans, days in by_span.items())
        return f"{len(self.hours)} hours of the week: {told} UTC"


def learn(hours: Collection[datetime]) -> Rhythm | None:
    """What the hours with a prediction say, by their beginnings; ``None``: too few weeks, or no habit."""
    if not hours:
        return None
    seen = {_floor(at) for at in hours}
    end = max(seen) + _HOUR
    weeks = int(min(end - min(seen), LOOK_BACK) / timedelta(weeks=1))
    if weeks < LEAST_WEEKS:
        return None
    begins = [end - timedelta(weeks=number + 1) for number in range(weeks)]
    every = [[begin + offset * _HOUR for offset in range(168)] for begin in begins]
    needed = math.ceil(_MOST * weeks)
    expected = frozenset(
        hour_of_week(slots[0]) for slots in zip(*every, strict=True) if sum(at in seen for at in slots) >= needed
    )
    if len(expected) < _LEAST_HOURS:
        return None
    usual = statistics.median_low(_longest_miss(week, seen, expected) for week in every)
    return Rhythm(expected, weeks, usual + _SPARE)


def _longest_miss(week: Collection[datetime], seen: Collection[datetime], expected: Collection[int]) -> int:
    longest = run = 0
    for at in week:
        if at in seen:
            run = 0
        elif hour_of_week(at) in expected:
            run += 1
            longest = max(longest, run)
    return longest


def hour_of_week(at: datetime) -> int:
    """0 for Monday 00:00 UTC to 167."""
    at = at.astimezone(UTC)
    return at.weekday() * 24 + at.hour


def _floor(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _spans(hours: list[int]) -> str:
    spans: list[list[int]] = []
    for hour in hours:
        if spans and spans[-1][1] == hour:
            spans[-1][1] = hour + 1
        else:
            spans.append([hour, hour + 1])
    return ", ".join(f"{begin}-{end}" for begin, end in spans)
