"""The figures of the project's notes, and the promises behind them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.domain.revisit import Confidence
from kronos_health.revisit.statistics import (
    THRESHOLD,
    Streak,
    confidence,
    e_value,
    lower_bound,
    non_inferiority,
)


@pytest.mark.parametrize(
    ("p0", "failed", "needed"),
    [(0.5, 0, 7), (0.8, 0, 20), (0.8, 1, 31), (0.8, 2, 41), (0.9, 0, 43), (0.9, 1, 66), (0.9, 2, 85)],
)
def it_needs_as_many_fresh_processes_as_the_notes_say(p0: float, failed: int, needed: int) -> None:
    reached = [processes for processes in range(failed, 200) if e_value(processes - failed, failed, p0) >= THRESHOLD]
    assert reached[0] == needed
    assert reached == list(range(needed, 200)), "more successes never weaken the evidence"


@pytest.mark.parametrize("tried", [1, 2, 5, 12])
def it_asks_for_twenty_times_the_number_of_variants(tried: int) -> None:
    """Ville's inequality for each, Bonferroni over all: any of them is ever wrongly promoted in 5 % of worlds."""
    words = [Confidence.MODERATE, Confidence.HIGH, Confidence.VERY_HIGH]
    first = {word: next(n for n in range(5, 300) if confidence(_streak(n), tried) is word) for word in words}
    for word, p0 in zip(words, (0.5, 0.8, 0.9), strict=True):
        assert e_value(first[word], 0, p0) >= 20 * tried > e_value(first[word] - 1, 0, p0)


def it_seldom_promotes_the_luckiest_of_many_variants() -> None:
    """Eight variants that work four times in five, looked at daily for 120 days: HIGH is never their due."""
    dice, fooled, worlds = random.Random(20251030), 0, 60
    for _world in range(worlds):
        counts = [[0, 0] for _variant in range(8)]
        for _day in range(120):
            for count in counts:
                successes = sum(dice.random() < 0.8 for _ in range(5))
                count[0], count[1] = count[0] + successes, count[1] + 5 - successes
            if any(confidence(_streak(*count), 8) in (Confidence.HIGH, Confidence.VERY_HIGH) for count in counts):
                fooled += 1
                break
    assert fooled / worlds <= 0.05


@pytest.mark.parametrize(
    ("passed", "failed", "bound"),
    [(5, 0, 0.549), (10, 0, 0.741), (20, 0, 0.861), (29, 0, 0.902), (59, 0, 0.950), (0, 5, 0.0), (0, 0, 0.0)],
)
def it_bounds_the_success_rate_from_below(passed: int, failed: int, bound: float) -> None:
    assert lower_bound(passed, failed) == pytest.approx(bound, abs=5e-4)


@given(passed=st.integers(0, 40), failed=st.integers(0, 20), p0=st.sampled_from([0.5, 0.8, 0.9]))
def it_is_a_fair_bet_when_the_null_is_true(passed: int, failed: int, p0: float) -> None:
    now = e_value(passed, failed, p0)
    after = p0 * e_value(passed + 1, failed, p0) + (1 - p0) * e_value(passed, failed + 1, p0)
    assert after == pytest.approx(now, rel=1e-6)


@given(passed=st.integers(0, 40), failed=st.integers(0, 20), p0=st.sampled_from([0.5, 0.8, 0.9]), share=st.floats(0, 1))
def it_is_a_losing_bet_when_the_truth_is_worse(passed: int, failed: int, p0: float, share: float) -> None:
    p = p0 * share
    after = p * e_value(passed + 1, failed, p0) + (1 - p) * e_value(passed, failed + 1, p0)
    assert after <= e_value(passed, failed, p0) * (1 + 1e-6)


def it_is_seldom_fooled_by_somebody_who_looks_every_day() -> None:
    dice, fooled, runs = random.Random(20251030), 0, 150  # a mode that works half the time
    for _ in range(runs):
        passed = failed = 0
        for _day in range(150):
            successes = sum(dice.random() < 0.5 for _ in range(5))
            passed, failed = passed + successes, failed + 5 - successes
            if passed > failed and e_value(passed, failed, 0.5) >= THRESHOLD:
                fooled += 1
                break
    assert fooled / runs <= 0.05


def it_stays_a_number_for_any_history() -> None:
    assert math.isfinite(e_value(100_000, 0, 0.5))
    assert e_value(0, 100_000, 0.9) == 0.0
    assert e_value(0, 0, 0.5) == pytest.approx(1.0)


def _streak(passed: int, failed: int = 0, **changes: object) -> Streak:
    return Streak(passed, failed, **{"days": 9, "both_regimes": True, "cold_and_warm": True, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("streak", "tried", "words"),
    [
        (_streak(4), 1, Confidence.LOW),
        (_streak(5), 1, Confidence.LOW),
        (_streak(7), 1, Confidence.MODERATE),
        (_streak(19), 1, Confidence.MODERATE),
        (_streak(20), 1, Confidence.HIGH),
        (_streak(29, 1), 1, Confidence.MODERATE),
        (_streak(30, 1), 1, Confidence.HIGH),
        (_streak(43), 1, Confidence.VERY_HIGH),
        (_streak(43, days=2), 1, Confidence.HIGH),
        (_streak(43, both_regimes=False), 1, Confidence.HIGH),
        (_streak(43, cold_and_warm=False), 1, Confidence.HIGH),
        (_streak(7), 2, Confidence.LOW),
        (_streak(20), 8, Confidence.MODERATE),
        (_streak(43), 8, Confidence.HIGH),
        (_streak(0, 50), 1, Confidence.LOW),
    ],
)
def it_puts_a_streak_into_words(streak: Streak, tried: int, words: Confidence) -> None:
    assert confidence(streak, tried) is words


class DescribeNonInferiority:
    def it_bounds_the_mean_by_students_t(self) -> None:
        result = non_inferiority([0.01, 0.02, 0.03, 0.00])
        assert result.mean == pytest.approx(0.015)
        assert result.upper == pytest.approx(0.015 + 2.3534 * 0.0129099 / 2, abs=1e-5)
        assert result.lower == pytest.approx(2 * result.mean - result.upper)

    def it_is_certain_of_identical_values(self) -> None:
        result = non_inferiority([0.0] * 20)
        assert (result.mean, result.upper, result.lower) == (0.0, 0.0, 0.0)

    def it_knows_nothing_of_the_spread_from_one_value(self) -> None:
        assert non_inferiority([0.01]).upper == math.inf

    def it_refuses_to_judge_nothing(self) -> None:
        with pytest.raises(ValueError, match="no differences"):
            non_inferiority([])
