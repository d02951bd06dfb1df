"""When a bound on paired ratios counts as kept, broken, or neither."""

from __future__ import annotations

import math
import random

import pytest

from benchmarks.support.paired import Verdict, ratios


def it_summarises_by_median_and_quartiles() -> None:
    found = ratios([1.04, 1.0, 1.01, 1.02, 1.03])
    assert (found.count, found.median) == (5, 1.02)
    assert found.quartiles == pytest.approx((1.01, 1.03))


@pytest.mark.parametrize(("count", "rank"), [(5, 1), (8, 2), (10, 2), (11, 3), (20, 6)])
def it_takes_the_ends_from_the_table_of_the_sign_test(count: int, rank: int) -> None:
    found = ratios([float(value) for value in range(1, count + 1)])
    assert (found.lower, found.upper) == (rank, count + 1 - rank)


def it_decides_nothing_from_fewer_than_five_pairs() -> None:
    found = ratios([9.0, 9.0, 9.0, 9.0])
    assert (found.lower, found.upper) == (-math.inf, math.inf)
    assert found.verdict(1.02) is Verdict.UNDECIDED
    assert "under 5 pairs" in found.told(1.02)


def it_is_broken_only_when_the_whole_interval_lies_above() -> None:
    assert ratios([1.03] * 5).verdict(1.02) is Verdict.BROKEN
    assert ratios([1.02] * 5).verdict(1.02) is Verdict.KEPT
    noisy = ratios([0.9, 1.03, 1.03, 1.04, 1.2])
    assert noisy.verdict(1.02) is Verdict.UNDECIDED
    assert "the median is above the bound" in noisy.told(1.02)


def it_cries_wolf_in_at_most_one_of_twenty_noisy_runs() -> None:
    chance = random.Random(1)
    runs = [ratios([chance.lognormvariate(math.log(1.02), 0.3) for _ in range(10)]) for _ in range(2000)]
    assert sum(run.verdict(1.02) is Verdict.BROKEN for run in runs) / len(runs) <= 0.05
