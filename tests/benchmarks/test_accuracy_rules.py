"""The simulated world is the one that the notes describe, and the rules err in it as they say."""

from __future__ import annotations

import random
import statistics

import pytest

from benchmarks.accuracy_rules import MAE, World, logits, original, project, shares
from kronos_health.domain.probes import AccuracyState

RUNS = 400


def it_gives_eager_the_error_of_the_baseline_and_of_a_naive_forecast() -> None:
    pairs = World("float32", 0.0).pairs(random.Random(1), 20_000)
    eager = statistics.fmean(pair.baseline_error or 0.0 for pair in pairs)
    naive = statistics.fmean(pair.naive_error or 0.0 for pair in pairs)
    assert eager == pytest.approx(MAE, rel=0.02)
    assert eager / naive == pytest.approx(1.06, abs=0.02)


def it_pairs_forecasts_as_the_arithmetic_does() -> None:
    def identical(arithmetic: str) -> float:
        pairs = World(arithmetic, 0.0).pairs(random.Random(2), 3000)
        return statistics.fmean(pair.baseline_value == pair.candidate_value for pair in pairs)

    assert identical("float32") == 1.0
    assert identical("bfloat16") == pytest.approx(56 / 60, abs=0.02)
    assert identical("unpaired") == 0.0


@pytest.mark.parametrize("rare", [False, True])
def it_makes_errors_worse_by_the_true_loss(rare: bool) -> None:
    pairs = World("float32", 0.10, rare).pairs(random.Random(3), 50_000)
    eager = statistics.fmean(pair.baseline_error or 0.0 for pair in pairs)
    assert statistics.fmean(pair.candidate_error or 0.0 for pair in pairs) / eager == pytest.approx(1.10, abs=0.01)


def it_finds_the_errors_of_the_original_rule_that_the_notes_name() -> None:
    healthy, worse = shares(original(0.0), 5, 4000, 4), shares(original(0.05), 5, 4000, 4)
    assert healthy[AccuracyState.FAIL] / 4000 == pytest.approx(0.17, abs=0.02)
    assert worse[AccuracyState.PASS] / 4000 == pytest.approx(0.50, abs=0.03)


@pytest.mark.parametrize("arithmetic", ["float32", "bfloat16"])
def it_finds_that_the_projects_rule_errs_in_at_most_one_of_twenty(arithmetic: str) -> None:
    assert shares(project(World(arithmetic, 0.0)), 20, RUNS, 5)[AccuracyState.FAIL] <= RUNS / 20
    assert shares(project(World(arithmetic, 0.05)), 20, RUNS, 5)[AccuracyState.PASS] <= RUNS / 20


def it_says_void_where_eager_itself_does_not_forecast() -> None:
    assert shares(project(World("float32", 0.0, bias=2.0)), 60, 50, 6) == {AccuracyState.VOID: 50}


def it_fails_a_variant_whose_logits_are_too_far_from_float64() -> None:
    world = World("float32", 0.0)
    assert shares(project(world, logits("float32", 2.5)), 60, 50, 7) == {AccuracyState.FAIL: 50}
    assert shares(project(world, logits("float32", 1.0)), 60, 50, 7) == {AccuracyState.PASS: 50}
