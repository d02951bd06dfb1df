"""Does confidence keep its promise when somebody looks every day for a year?

A variant whose true success rate is exactly p0 must never be called better than p0 by the words that claim it: at most
5 % of such histories may ever reach them (Ville's inequality). Simulated with the project's own
:func:`kronos_health.revisit.statistics.confidence`, five fresh processes a day, looking after every day, everything
that VERY HIGH asks for besides granted. Beside it the rule that people use by hand: "five of five, once".
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from functools import cache

from kronos_health.domain.revisit import Confidence
from kronos_health.revisit.statistics import Streak, confidence

DAYS, PER_DAY = 365, 5
PROMISE = 0.05
CLAIMS = ((0.5, Confidence.MODERATE), (0.8, Confidence.HIGH), (0.9, Confidence.VERY_HIGH))
ORDER = list(Confidence)

Reached = Callable[[int, int, int], bool]  # passed and failed so far, passed today


def claims(word: Confidence, variants: int) -> Reached:
    """Whether the project's own words are at least ``word`` after so many passed and failed."""

    @cache
    def reached(passed: int, failed: int) -> bool:
        found = confidence(Streak(passed, failed, days=365, both_regimes=True, cold_and_warm=True), variants)
        return ORDER.index(found) >= ORDER.index(word)

    return lambda passed, failed, _today: reached(passed, failed)


def ever(chance: random.Random, rate: float, reached: Reached, days: int = DAYS) -> bool:
    """One history of daily probes at a true success ``rate``: did it ever get there?"""
    passed = failed = 0
    for _ in range(days):
        today = sum(chance.random() < rate for _ in range(PER_DAY))
        passed, failed = passed + today, failed + PER_DAY - today
        if reached(passed, failed, today):
            return True
    return False


def share(seed: int, histories: int, rate: float, reached: Reached, variants: int = 1, days: int = DAYS) -> float:
    """Share of the histories in which any of ``variants`` independent arms ever got there."""
    chance = random.Random(seed)
    hits = sum(any(ever(chance, rate, reached, days) for _ in range(variants)) for _ in range(histories))
    return hits / histories


def main() -> int:
    """Print one line per claim; 1 when a promise is broken by more than chance allows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=2000, help="simulated years per line")
    parser.add_argument("--seed", type=int, default=20251030)
    asked = parser.parse_args()
    slack = 3 * (PROMISE * (1 - PROMISE) / asked.histories) ** 0.5  # three standard errors of the simulation itself
    broken = False
    print(f"{asked.histories} simulated years of {PER_DAY} fresh processes a day, looked at every day")
    print(f"{'true rate':>9}  {'variants':>8}  {'claim':<12} {'ever made':>9}  promise")
    for rate, word in CLAIMS:
        for variants in (1, 4):
            found = share(asked.seed, asked.histories // variants, rate, claims(word, variants), variants)
            kept = found <= PROMISE + slack * variants**0.5
            broken = broken or not kept
            print(
                f"{rate:>9}  {variants:>8}  {word.value:<12} {found:>9.2%}  ≤ {PROMISE:.0%}{'' if kept else '  BROKEN'}"
            )
    month = share(asked.seed, asked.histories, 0.5, lambda _passed, _failed, today: today == PER_DAY, days=30)
    print(f"For comparison, a variant that works half the time shows 5/5 on some day of a month: {month:.0%}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
