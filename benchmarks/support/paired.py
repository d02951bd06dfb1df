"""Ratios of paired runs, and whether a bound on their median is kept, broken, or lost in the noise. Pure.

The interval of the median is that of the sign test: order statistics, which assume nothing of the noise but that one
pair says nothing of the next. k values lie below the median with probability B(n, 1/2)(k).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

LEVEL = 0.95  # of each end of the interval by itself


class Verdict(StrEnum):
    """Only ``BROKEN`` is a failure: the whole interval lies above the bound."""

    KEPT = "kept"
    UNDECIDED = "not decided"
    BROKEN = "BROKEN"


@dataclass(frozen=True, slots=True)
class Ratios:
    """Median and quartiles, and the ends of the median's interval; infinite with fewer than five pairs."""

    count: int
    median: float
    quartiles: tuple[float, float]
    lower: float
    upper: float

    def verdict(self, bound: float) -> Verdict:
        """Whether the median is at most ``bound``: sure that it is, sure that it is not, or neither."""
        if self.lower > bound:
            return Verdict.BROKEN
        return Verdict.KEPT if self.upper <= bound else Verdict.UNDECIDED

    def told(self, bound: float) -> str:
        """The figures and the verdict in one line."""
        low, high = self.quartiles
        interval = f"{self.lower:.3f} to {self.upper:.3f}" if math.isfinite(self.lower) else "unknown: under 5 pairs"
        verdict = self.verdict(bound)
        noise = ""
        if verdict is Verdict.UNDECIDED:
            side = "at most" if self.median <= bound else "above"
            noise = f": the median is {side} the bound, the noise of {self.count} pairs is wider than the distance"
        return (
            f"median {self.median:.3f} (quartiles {low:.3f} and {high:.3f}; interval {interval}), "
            f"bound {bound:g}: {verdict.value}{noise}"
        )


def ratios(values: Sequence[float]) -> Ratios:
    """Summarise at least one ratio."""
    ordered = sorted(values)
    inside = _rank(len(ordered))
    low, _, high = statistics.quantiles(ordered, n=4, method="inclusive") if len(ordered) > 1 else ordered * 3
    return Ratios(
        count=len(ordered),
        median=statistics.median(ordered),
        quartiles=(low, high),
        lower=ordered[inside - 1] if inside else -math.inf,
        upper=ordered[-inside] if inside else math.inf,
    )


def _rank(count: int) -> int:
    """The largest k with P(fewer than k of ``count`` values below the median) ≤ 1 - LEVEL; 0 where there is none."""
    below, rank = 0.0, 0
    for k in range(count):
        below += math.comb(count, k) / 2**count
        if below > 1 - LEVEL:
            break
        rank = k + 1
    return rank
