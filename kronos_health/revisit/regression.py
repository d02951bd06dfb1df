"""Did a figure get worse? Each new probe beside the probes before it, since the last step: pure, and in time order.

The method is that of the services which watch benchmarks, made of their plainest parts. As in Conbench's look-back, a
value is held against the recent ones of its own series and how much they scatter; as in asv and Apache Otava, a series
is cut where its level steps, and what lies before a step is no baseline any more; as in Mozilla's Perfherder, one value
is no alert. Median and median absolute deviation stand for mean and deviation, so that a single outlier moves nothing.

The probe is the unit, never its iterations: those of one probe share a machine's mood (clocks, heat, neighbours), and
taking them for so many witnesses is how such watches raise false alarms.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kronos_health.domain.figures import Figure, FigureLabel, FigurePoint, FigureVerdict
from kronos_health.settings.models import Regression

_TO_DEVIATION = 1.4826  # the standard deviation of normal values in units of their median absolute deviation


def judge(points: Iterable[FigurePoint], figure: Figure, rules: Regression) -> tuple[FigureVerdict, ...]:
    """A verdict on every point of one series, oldest first.

    Each rests on the points before it alone, so that judging a longer history again says the same of what was judged.
    A value outside the baseline's bounds is suspicious; the second in a row on the same side is a step, by which a new
    baseline begins. So is a level that crept out of the bounds of the segment's beginning, twice in a row. A regression
    stands until the level is back within the bounds it left, or has been the new one for ``rules.accepted_after``
    probes. Disturbed points (``rules.count_disturbed``) are shown and counted nowhere.
    """
    watch = _Watch(figure, rules)
    return tuple(watch.take(point) for point in points)


@dataclass(frozen=True, slots=True)
class _Baseline:
    """A level with its bounds and relative deviation, from ``sample`` probes."""

    level: float
    lower: float
    upper: float
    deviation: float
    sample: int

    def side(self, value: float) -> int:
        """1 above the bounds, which is worse; -1 below them; 0 within."""
        return (value > self.upper) - (value < self.lower)


class _Watch:
    """The state of one series between two points."""

    def __init__(self, figure: Figure, rules: Regression) -> None:
        self._figure, self._rules = figure, rules
        compiles = figure in (Figure.COLD_COMPILE, Figure.WARM_COMPILE)
        self._floor = rules.minimum_compile_change if compiles else rules.minimum_change
        self._segment: list[float] = []  # since the last step
        self._outside: list[float] = []  # at most one: the last value, if it was out of bounds
        self._side = 0  # where that was
        self._crept = 0  # to which side the level had crept at the last value
        self._deviation: float | None = None  # of the segment before, which stands in while this one is young
        self._earlier: tuple[_Baseline, list[float]] | None = None  # that segment, and the bounds it was left by
        self._reference: _Baseline | None = None  # what a standing regression is one from

    def take(self, point: FigurePoint) -> FigureVerdict:
        baseline, sample = self._baseline(), len(self._recent())
        label, reason = self._judge(point, baseline)
        self._settle()
        return FigureVerdict(
            probe_id=point.probe_id,
            started_at=point.started_at,
            value=point.value,
            label=label,
            reason=reason,
            sample=sample,
            baseline=baseline.level if baseline else None,
            lower=baseline.lower if baseline else None,
            upper=baseline.upper if baseline else None,
            reference=self._reference.level if self._reference else None,
        )

    def _recent(self) -> list[float]:
        return self._segment[-self._rules.window :]

    def _baseline(self) -> _Baseline | None:
        recent = self._recent()
        if len(recent) >= self._rules.minimum_sample:
            return self._bounds(recent, _deviation(recent))
        return None if self._deviation is None else self._bounds(recent, self._deviation)

    def _bounds(self, values: Sequence[float], deviation: float) -> _Baseline:
        """Around the median; what one in ten, and no less than two, showed is inside: some series have two modes."""
        level = statistics.median(values)
        reach, least = level * self._rules.threshold * deviation, level * self._floor
        ordered, seen = sorted(values), max(2, math.ceil(0.1 * len(values)))
        lower = min(level - reach, ordered[seen - 1] - least)
        upper = max(level + reach, ordered[-seen] + least)
        return _Baseline(level, lower, upper, deviation, len(values))

    def _judge(self, point: FigurePoint, baseline: _Baseline | None) -> tuple[FigureLabel, str]:
        value = point.value
        if point.noise and self._figure.is_time and not self._rules.count_disturbed:
            return FigureLabel.DISTURBED, point.noise[0]
        if baseline is None:
            self._segment.append(value)
            return FigureLabel.INSUFFICIENT_DATA, f"{len(self._segment) - 1} of {self._rules.minimum_sample} before it"
        told = f"{value / baseline.level - 1:+.1%} against the median of {baseline.sample}"
        side = baseline.side(value)
        if side == 0:
            self._segment += [*self._outside, value]
            self._outside = []
            return self._creep() or (FigureLabel.STEADY, told)
        if not self._outside or self._side != side:
            self._segment += self._outside
            self._outside, self._side = [value], side
            return FigureLabel.SUSPICIOUS, f"{told}: a second one in a row would be a step"
        return self._step([*self._outside, value], baseline, side), f"{told}, the second in a row"

    def _creep(self) -> tuple[FigureLabel, str] | None:
        """Whether the level has left, step by small step, the bounds of the segment's own beginning, twice in a row."""
        few = self._rules.minimum_sample
        first, last = self._segment[:few], self._segment[-few:]
        if len(self._segment) < 2 * few:
            return None
        beginning = self._bounds(first, max(_deviation(first), _deviation(self._recent())))
        level = statistics.median(last)
        before, self._crept = self._crept, beginning.side(level)
        if self._crept == 0 or before != self._crept:
            return None
        told = f"the level crept by {level / beginning.level - 1:+.1%} in {len(self._segment)} probes"
        return self._step(last, beginning, self._crept), told

    def _step(self, values: list[float], left: _Baseline, side: int) -> FigureLabel:
        """Begin a new segment with ``values``, and remember the level that was ``left`` for the worse."""
        if side > 0 and self._reference is None:
            self._reference = left
        earlier, self._earlier = self._earlier, (left, self._segment)
        if earlier is not None and earlier[0].side(statistics.median(values)) == 0:
            # Back where it was: the segment of before goes on. A short excursion belongs to how the series scatters.
            excursion = self._segment if len(self._segment) < self._rules.minimum_sample else []
            values, self._earlier = [*earlier[1], *excursion, *values], None
        self._segment, self._outside, self._crept, self._deviation = values, [], 0, left.deviation
        return FigureLabel.REGRESSION if side > 0 else FigureLabel.IMPROVEMENT

    def _settle(self) -> None:
        """Forget a regression that is over, or old enough to be how things are."""
        if self._reference is None:
            return
        back = statistics.median(self._recent()) <= self._reference.upper
        if back or len(self._segment) >= self._rules.accepted_after:
            self._reference = None


def _deviation(values: Sequence[float]) -> float:
    """The robust relative standard deviation; n / (n - 0.8) mends what few values underrate (Croux and Rousseeuw)."""
    level = statistics.median(values)
    spread = statistics.median(abs(value - level) for value in values)
    return _TO_DEVIATION * len(values) / (len(values) - 0.8) * spread / level if level > 0 else 0.0
