"""How often does the accuracy rule err? The project's own decision code against simulated forecasts of known quality.

**The world.** Daily moves are normal, with the spread at which eager's mean absolute error is the baseline's 36,160.
Eager forecasts the mean of 8 sampled paths, so a forecast is off by a normal draw of 1/√8 of a move; its error is 1.06
times that of repeating the last value, as it is for a model that knows the spread and nothing else. A variant forecasts
the same under the same seed (``float32``), or draws anew in 4 of 60 forecasts (``bfloat16``, as measured), or always
(``unpaired``: what pairing would lose). Its errors are larger by the true loss, a share of eager's error:

- ``even``: each by the same share;
- ``rare``: one in ten carries all of it, as an output that is sometimes overwritten would.

**The rules.** ``project`` is :func:`kronos_health.revisit.comparison.compare` with the settings' margin and minimum of
pairs: A2 (paired non-inferiority), A3 (void when eager does not forecast) and, in the lines that say so, A1 (logits
against float64) with figures as measured on CPU, the variant so many times as far off as eager. ``original`` is the
rule of the team's script: means of n unpaired forecasts per arm, |Δ| < 5 %. It saw one target again and again: 36,160
with the baseline's spread, 2,105 (the sample standard deviation; 1,883 is the population's).

A *false alarm* is a fail without a loss, a *miss* a pass at a loss beyond the margin. A loss of 2.5 % is within the
margin of 5 %: pass is right, inconclusive no error. Exit status 1 when the project's rule, on paired forecasts with an
even loss, errs in more than 5 % of runs by more than chance allows. The lines ``rare`` and ``unpaired`` have no
promise: they show where the rule ends.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

from kronos_health.domain.accuracy import HeadAccuracy, LogitAccuracy
from kronos_health.domain.probes import (
    AccuracyState,
    Environment,
    Outcome,
    PredictionPair,
    ProbeFigures,
    ProbeKind,
    ProbeRecord,
    Regime,
)
from kronos_health.revisit.comparison import compare
from kronos_health.revisit.logits import LogitPair
from kronos_health.settings.models import Revisit

MAE, SPREAD = 36_160.0, 2_105.0  # the baseline's five values; spread as a sample standard deviation
SAMPLES = 8
NOISE = 1 / math.sqrt(SAMPLES)
MOVE = MAE / (math.sqrt(2 / math.pi) * math.sqrt(1 + NOISE**2))
DIVERGING = {"float32": 0.0, "bfloat16": 4 / 60, "unpaired": 1.0}
RARE = 0.1
LOSSES = (0.0, 0.025, 0.05, 0.10)
PAIRS = (12, 20, 60)
PROMISE = 0.05
WRONG = {0.0: AccuracyState.FAIL, 0.05: AccuracyState.PASS, 0.10: AccuracyState.PASS}
RULES = Revisit()


@dataclass(frozen=True, slots=True)
class World:
    """How the variant differs from eager. ``bias`` (in moves) is how far off eager itself is, for A3."""

    arithmetic: str
    loss: float
    rare: bool = False
    bias: float = 0.0

    def pairs(self, chance: random.Random, count: int) -> list[PredictionPair]:
        """Paired forecasts of ``count`` days, in the series' own unit."""
        return [self._pair(chance, index) for index in range(count)]

    def _pair(self, chance: random.Random, index: int) -> PredictionPair:
        move, drawn = chance.gauss(), self.bias + NOISE * chance.gauss()
        anew = chance.random() < DIVERGING[self.arithmetic]
        own = self.bias + NOISE * chance.gauss() if anew else drawn
        share = (self.loss / RARE if chance.random() < RARE else 0.0) if self.rare else self.loss
        worse = (1 + share) * abs(own - move)
        return PredictionPair(
            iteration=index,
            index=0,
            seed=index,
            baseline_value=drawn,
            candidate_value=own if not share else own + share,
            baseline_error=MOVE * abs(drawn - move),
            candidate_error=MOVE * worse,
            naive_error=MOVE * abs(move),
        )


def project(world: World, logits: LogitPair | None = None) -> Callable[[random.Random, int], AccuracyState]:
    """The project's decision on ``count`` simulated pairs."""
    dtype = "bfloat16" if world.arithmetic == "bfloat16" else "float32"
    eager, variant = record("eager", dtype), record("variant", dtype)

    def decide(chance: random.Random, count: int) -> AccuracyState:
        pairs = world.pairs(chance, count)
        found = compare(eager, variant, pairs, logits, margin=RULES.accuracy_margin, minimum_pairs=RULES.minimum_pairs)
        return found.accuracy

    return decide


def original(loss: float) -> Callable[[random.Random, int], AccuracyState]:
    """The script's rule on ``count`` unpaired forecasts in each arm."""

    def decide(chance: random.Random, count: int) -> AccuracyState:
        eager = statistics.fmean(chance.gauss(MAE, SPREAD) for _ in range(count))
        variant = statistics.fmean(chance.gauss(MAE * (1 + loss), SPREAD) for _ in range(count))
        return AccuracyState.PASS if abs(variant / eager - 1) < 0.05 else AccuracyState.FAIL

    return decide


def record(name: str, dtype: str) -> ProbeRecord:
    """A probe that passed, of the campaign and environment that both arms share."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    environment = Environment(
        fingerprint="simulated", device="cuda", python="3.11", torch="2.13.0", cuda="13", triton="3", driver="1",
        gpu="simulated", host="simulated", target_revision="r", weights_revision="w", dtype=dtype, model_shape="base",
        timing_method="cuda_event", protocol_version=1,
    )  # fmt: skip
    return ProbeRecord(
        probe_id=name, campaign_id="simulated", target="kronos", variant=name, candidate="production",
        kind=ProbeKind.MEASURED, regime=Regime.SATURATED, imported=False, started_at=now, finished_at=now,
        outcome=Outcome.PASSED, requested=5, passed=5, environment=environment, figures=ProbeFigures(), failure=None,
        skipped_reason=None, noise=(),
    )  # fmt: skip


def logits(arithmetic: str, times_as_far: float) -> LogitPair:
    """A1's figures of a variant ``times_as_far`` from float64 as eager is, the rest as measured on CPU."""
    rmse, variation = (1e-6, 1e-7) if arithmetic == "float32" else (6e-3, 4e-3)

    def arm(far: float) -> LogitAccuracy:
        heads = tuple(HeadAccuracy(name, far * rmse, far * variation, finite=True) for name in ("s1", "s2"))
        return LogitAccuracy(windows=16, digest="simulated", heads=heads)

    return LogitPair(arm(1.0), arm(times_as_far))


def shares(decide: Callable[[random.Random, int], AccuracyState], count: int, runs: int, seed: int) -> Counter[str]:
    """How many of ``runs`` simulated comparisons came to which state."""
    chance = random.Random(seed)
    return Counter(decide(chance, count) for _ in range(runs))


def line(rule: str, what: str, count: int, loss: float, found: Counter[str], runs: int) -> str:
    """One line of the table; an error by the definitions above is named behind it."""
    states = (AccuracyState.PASS, AccuracyState.FAIL, AccuracyState.INCONCLUSIVE, AccuracyState.VOID)
    rates = "  ".join(f"{found[state] / runs:>12.1%}" for state in states)
    wrong = WRONG.get(loss)
    error = "" if wrong is None else f"  {'false alarm' if loss == 0 else 'miss'} {found[wrong] / runs:.1%}"
    return f"{rule:<9} {what:<22} {count:>3}  {loss:>+6.1%}  {rates}{error}"


def original_lines(runs: int, seed: int) -> Iterator[str]:
    """The original rule, at its own five forecasts and at more."""
    for count, loss in product((5, *PAIRS), LOSSES):
        yield line("original", "unpaired, one target", count, loss, shares(original(loss), count, runs, seed), runs)


def project_lines(runs: int, seed: int, broken: list[str]) -> Iterator[str]:
    """The project's rule on every kind of variant; lines that break the promise are added to ``broken``."""
    allowed = PROMISE + 3 * math.sqrt(PROMISE * (1 - PROMISE) / runs)  # three standard errors of the simulation itself
    for arithmetic, rare in product(DIVERGING, (False, True)):
        if rare and arithmetic == "unpaired":
            continue
        for count, loss in product(PAIRS, LOSSES[1:] if rare else LOSSES):
            found = shares(project(World(arithmetic, loss, rare)), count, runs, seed)
            text = line("project", f"{arithmetic}, {'rare' if rare else 'even'}", count, loss, found, runs)
            promised = arithmetic != "unpaired" and not rare and loss in WRONG
            if promised and found[WRONG[loss]] / runs > allowed:
                broken.append(text)
            yield text
    yield ""
    count = PAIRS[-1]
    for arithmetic, far in product(("float32", "bfloat16"), (0.95, 1.0, 2.5, 3.5)):
        found = shares(project(World(arithmetic, 0.0), logits(arithmetic, far)), count, runs, seed)
        yield line("project", f"{arithmetic}, A1 ×{far:g}", count, 0.0, found, runs).partition("  false")[0]
    found = shares(project(World("float32", 0.0, bias=2.0)), count, runs, seed)
    yield line("project", "float32, eager far off", count, 0.0, found, runs)


def main() -> int:
    """Print the table; 1 when the project's rule errs more often than it promises."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="simulated comparisons per line")
    parser.add_argument("--seed", type=int, default=20251030)
    asked = parser.parse_args()
    broken: list[str] = []
    print(f"{asked.runs} simulated comparisons per line, margin {RULES.accuracy_margin:.0%} of the naive error")
    states = "  ".join(f"{state:>12}" for state in ("pass", "fail", "inconclusive", "void"))
    print(f"{'rule':<9} {'variant':<22} {'n':>3}  {'loss':>6}  {states}")
    for text in original_lines(asked.runs, asked.seed):
        print(text)
    print()
    for text in project_lines(asked.runs, asked.seed, broken):
        print(text, flush=True)
    if broken:
        print(f"\nThe promise (at most {PROMISE:.0%}) is broken in:", *broken, sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
