"""How sure a number of successes makes us, also when somebody looks every day; and whether errors got worse.

Written after the notes of the project; the theory: Ville's inequality for e-processes (Ramdas et al., "Game-theoretic
statistics and safe anytime-valid inference", 2023), Clopper and Pearson (1934), paired non-inferiority by Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kronos_health.domain.revisit import Confidence

THRESHOLD = 20.0  # 1 / 0.05: an e-process passes it with probability at most 5 % when the null is true, ever
HALF, FOUR_FIFTHS, NINE_TENTHS = 0.5, 0.8, 0.9
_LARGEST_LOG = 690.0  # e^690 still is a float that every database takes


def e_value(passed: int, failed: int, p0: float) -> float:
    """Evidence against "the success rate is at most ``p0``" after ``passed`` and ``failed`` trials.

    The mixture likelihood ratio ∫ p^s (1-p)^f dp / ((1-p0) · p0^s (1-p0)^f) with p uniform over (p0, 1]: every better
    rate gets equal weight. It starts at 1, and under the null its expectation never grows, so it may be looked at
    after every trial. Capped at e^690.
    """
    from scipy.special import betaincc, betaln

    above = float(betaincc(passed + 1, failed + 1, p0))  # the share of ∫₀¹ that lies above p0
    if above <= 0:
        return 0.0  # so many failures that floats cannot tell it from nothing
    log_mixture = float(betaln(passed + 1, failed + 1)) + math.log(above) - math.log1p(-p0)
    log_null = passed * math.log(p0) + failed * math.log1p(-p0)
    return math.exp(min(log_mixture - log_null, _LARGEST_LOG))


def lower_bound(passed: int, failed: int, level: float = 0.95) -> float:
    """The success rate that these trials show at least (Clopper-Pearson, one-sided): 5 of 5 show 0.549."""
    from scipy.special import betaincinv

    return float(betaincinv(passed, failed + 1, 1 - level)) if passed else 0.0


@dataclass(frozen=True, slots=True)
class Streak:
    """What is known of one variant since the last change of its fingerprint."""

    passed: int
    failed: int
    days: int
    both_regimes: bool
    cold_and_warm: bool


def confidence(streak: Streak, variants_tried: int) -> Confidence:
    """The words for a streak. Trying several variants raises the threshold by their number (Bonferroni)."""
    threshold = THRESHOLD * max(variants_tried, 1)

    def shows(p0: float) -> bool:
        return e_value(streak.passed, streak.failed, p0) >= threshold

    if streak.passed + streak.failed < 5 or not shows(HALF):
        return Confidence.LOW
    if not shows(FOUR_FIFTHS):
        return Confidence.MODERATE
    everywhere = streak.days >= 3 and streak.both_regimes and streak.cold_and_warm
    return Confidence.VERY_HIGH if everywhere and shows(NINE_TENTHS) else Confidence.HIGH


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Mean difference (positive: worse) with its one-sided 95 % bounds; infinite with fewer than two values."""

    mean: float
    upper: float
    lower: float


def non_inferiority(differences: Sequence[float], level: float = 0.95) -> NonInferiority:
    """mean ± t(level, n-1)·s/√n of paired differences. Raises ``ValueError`` for none at all."""
    from scipy.special import stdtrit  # the quantile of Student's t; scipy.stats would take a second to import

    n = len(differences)
    if n == 0:
        raise ValueError("no differences to judge")
    mean = math.fsum(differences) / n
    if n == 1:
        return NonInferiority(mean, math.inf, -math.inf)
    variance = math.fsum((value - mean) ** 2 for value in differences) / (n - 1)
    reach = float(stdtrit(n - 1, level)) * math.sqrt(variance / n)
    return NonInferiority(mean, mean + reach, mean - reach)
