"""A variant is as accurate as eager only when enough pairs say so; everything else has its own name."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.domain.accuracy import HeadAccuracy, LogitAccuracy
from kronos_health.domain.probes import (
    AccuracyState,
    CacheState,
    Comparison,
    Environment,
    Failure,
    IterationRecord,
    Outcome,
    PredictionPair,
    ProbeFigures,
    ProbeKind,
    ProbeRecord,
    Regime,
)
from kronos_health.revisit.comparison import compare
from kronos_health.revisit.logits import LogitPair

AT = datetime(2026, 11, 23, tzinfo=UTC)
ENVIRONMENT = Environment(
    "f", "cuda", "3.11", "2.13.0", "13.0", "3.5", "580", "H200", "gpu-1", "abc", "model x", "float32", "base",
    "cuda_event", 1,
)  # fmt: skip


def _probe(variant: str, **changes: Any) -> ProbeRecord:
    probe = ProbeRecord(
        probe_id=variant,
        campaign_id="campaign",
        target="kronos",
        variant=variant,
        candidate="production",
        kind=ProbeKind.MEASURED,
        regime=Regime.SATURATED,
        imported=False,
        started_at=AT,
        finished_at=AT,
        outcome=Outcome.PASSED,
        requested=5,
        passed=5,
        environment=ENVIRONMENT,
        figures=ProbeFigures(steady_median_ms=100.0 if variant == "eager" else 50.0, memory_mb=400.0),
        failure=None,
        skipped_reason=None,
        noise=(),
    )
    return replace(probe, **changes)


def _pairs(number: int = 20, eager: float = 1.0, naive: float = 1.0, **spread: float) -> list[PredictionPair]:
    """``worse`` is what the variant's error has more, ``noise`` its standard deviation, in the series' own unit."""
    dice = random.Random(1)
    return [
        PredictionPair(k // 4, k % 4, 1000 + k, 100.0, 100.0 + bool(spread), eager, error, naive)
        for k in range(number)
        for error in [eager + spread.get("worse", 0.0) + dice.gauss(0, spread.get("noise", 0.0))]
    ]


def _compare(pairs: list[PredictionPair], eager: Any = None, variant: Any = None) -> Comparison:
    return compare(eager or _probe("eager"), variant or _probe("compiled"), pairs, margin=0.05, minimum_pairs=12)


def it_passes_identical_forecasts_and_says_that_they_are() -> None:
    comparison = _compare(_pairs())
    assert comparison.accuracy is AccuracyState.PASS
    assert "All 20 forecasts are identical to eager's." in comparison.accuracy_reason
    assert (comparison.pairs, comparison.scaled_difference, comparison.upper_bound) == (20, 0.0, 0.0)
    assert (comparison.mae_ratio, comparison.speed_up, comparison.memory_ratio) == (1.0, 2.0, 1.0)


@pytest.mark.parametrize(
    ("spread", "state"),
    [
        ({"worse": 0.0, "noise": 0.02}, AccuracyState.PASS),
        ({"worse": 0.02, "noise": 0.01}, AccuracyState.PASS),
        ({"worse": 0.0, "noise": 0.5}, AccuracyState.INCONCLUSIVE),
        ({"worse": 0.05, "noise": 0.02}, AccuracyState.INCONCLUSIVE),
        ({"worse": 0.10, "noise": 0.02}, AccuracyState.FAIL),
        ({"worse": -0.5, "noise": 0.1}, AccuracyState.PASS),
    ],
)
def it_judges_the_bound_and_not_the_mean(spread: dict[str, float], state: AccuracyState) -> None:
    comparison = _compare(_pairs(**spread))
    assert comparison.accuracy is state
    assert "0 of 20 forecasts are identical to eager's." in comparison.accuracy_reason


def it_judges_in_shares_of_the_naive_error() -> None:
    dear = [replace(p, baseline_error=1000.0, candidate_error=1020.0, naive_error=1000.0) for p in _pairs(worse=1.0)]
    assert _compare(dear).scaled_difference == pytest.approx(0.02)
    assert _compare(dear).mae_ratio == pytest.approx(1.02)


def it_is_inconclusive_with_too_few_pairs_however_alike_they_are() -> None:
    comparison = _compare(_pairs(11))
    assert comparison.accuracy is AccuracyState.INCONCLUSIVE
    assert comparison.accuracy_reason.startswith("only 11 of 12 pairs")
    assert _compare([]).accuracy is AccuracyState.INCONCLUSIVE
    assert _compare(_pairs(1)).upper_bound is None


def it_does_not_pass_what_it_saw_only_a_part_of() -> None:
    unfinished = _compare(_pairs(), variant=_probe("compiled", passed=4))
    missing = _compare([*_pairs(), replace(_pairs(1)[0], candidate_error=None)])
    infinite = _compare([*_pairs(), replace(_pairs(1)[0], candidate_error=float("nan"))])
    assert {result.accuracy for result in (unfinished, missing, infinite)} == {AccuracyState.INCONCLUSIVE}
    assert unfinished.accuracy_reason.startswith("1 iterations did not pass")
    assert missing.accuracy_reason.startswith("1 forecasts have no usable partner")


def it_fails_wrong_outputs_whatever_the_other_pairs_say() -> None:
    iteration = IterationRecord("i", 0, Regime.SATURATED, CacheState.COLD, Outcome.ACCURACY, AT)
    wrong = _probe("compiled", iterations=(iteration,), failure=Failure("NotFinite", "forecast 2 is NaN"), passed=4)
    comparison = _compare(_pairs(), variant=wrong)
    assert comparison.accuracy is AccuracyState.FAIL
    assert comparison.accuracy_reason.startswith("1 iterations gave wrong outputs: forecast 2 is NaN.")


class DescribeAVoidComparison:
    def it_needs_a_model_that_forecasts(self) -> None:
        comparison = _compare(_pairs(eager=6.3))
        assert comparison.accuracy is AccuracyState.VOID
        assert "6.3 times that of repeating the last value" in comparison.accuracy_reason
        assert "real weights (targets.NAME.weights" in comparison.accuracy_reason
        assert "All 20 forecasts are identical to eager's." in comparison.accuracy_reason

    def it_accepts_a_model_near_the_naive_forecast(self) -> None:
        assert _compare(_pairs(eager=1.2)).accuracy is AccuracyState.PASS

    def it_needs_a_series_that_moves(self) -> None:
        assert _compare(_pairs(naive=0.0)).accuracy is AccuracyState.VOID

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"environment": replace(ENVIRONMENT, torch="2.15.0")}, "torch 2.13.0 → 2.15.0"),
            ({"environment": replace(ENVIRONMENT, dtype="bfloat16", gpu="A100")}, "gpu H200 → A100, dtype float32"),
            ({"environment": None}, "no iteration got far enough"),
            ({"regime": Regime.GROWING}, "different windows"),
            ({"campaign_id": "another"}, "different windows"),
        ],
    )
    def it_never_compares_across(self, changes: dict[str, Any], reason: str) -> None:
        comparison = _compare(_pairs(), variant=_probe("compiled", **changes))
        assert comparison.accuracy is AccuracyState.VOID
        assert reason in comparison.accuracy_reason
        assert (comparison.speed_up, comparison.memory_ratio, comparison.mae_ratio) == (None, None, None)

    def it_does_not_mind_another_host_with_the_same_gpu(self) -> None:
        other = _probe("compiled", environment=replace(ENVIRONMENT, host="gpu-2"))
        assert _compare(_pairs(), variant=other).accuracy is AccuracyState.PASS


def it_takes_no_speed_from_a_rehearsal() -> None:
    comparison = _compare(_pairs(), variant=_probe("compiled", kind=ProbeKind.REHEARSED))
    assert (comparison.speed_up, comparison.memory_ratio) == (None, None)


@given(errors=st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10)), max_size=40), seed=st.randoms())
def it_does_not_depend_on_the_order_of_the_pairs(errors: list[tuple[float, float, float]], seed: Any) -> None:
    pairs = [PredictionPair(k, 0, k, 1.0, 1.0, *values) for k, values in enumerate(errors)]
    shuffled = seed.sample(pairs, len(pairs))
    assert _compare(pairs).accuracy is _compare(shuffled).accuracy
    if _compare(pairs).accuracy is AccuracyState.PASS:
        assert len(pairs) >= 12


class DescribeTheLayersTogether:
    """Accuracy passes when every layer that is available says so, and fails as soon as one does."""

    def compared(self, rmse: float, pairs: list[PredictionPair], windows: int = 16) -> Comparison:
        eager = LogitAccuracy(16, "d", (HeadAccuracy("s1", 1e-7, 1e-7, True),))
        variant = LogitAccuracy(windows, "d", (HeadAccuracy("s1", rmse, 1e-7, True),))
        logits = LogitPair(eager, variant)
        return compare(_probe("eager"), _probe("compiled"), pairs, logits, margin=0.05, minimum_pairs=12)

    @pytest.mark.parametrize(
        ("rmse", "windows", "pairs", "state", "first"),
        [
            (1e-7, 16, _pairs(), AccuracyState.PASS, "error +0.00 %"),
            (1e-6, 16, _pairs(), AccuracyState.FAIL, "logits 10 times"),
            (1e-6, 16, _pairs(eager=6.3), AccuracyState.FAIL, "logits 10 times"),
            (1e-6, 16, [], AccuracyState.FAIL, "logits 10 times"),
            (1e-7, 16, _pairs(worse=0.10, noise=0.02), AccuracyState.FAIL, "error +10"),
            (1e-7, 16, _pairs(eager=6.3), AccuracyState.VOID, "eager's own error"),
            (1e-7, 16, _pairs(noise=0.5), AccuracyState.INCONCLUSIVE, "error "),
            (1e-7, 15, _pairs(), AccuracyState.INCONCLUSIVE, "only 15 of 16 windows"),
            (1e-7, 15, _pairs(eager=6.3), AccuracyState.VOID, "eager's own error"),
        ],
    )
    def it_takes_the_worst_and_tells_it_first(
        self, rmse: float, windows: int, pairs: list[PredictionPair], state: AccuracyState, first: str
    ) -> None:
        comparison = self.compared(rmse, pairs, windows)
        assert comparison.accuracy is state
        assert comparison.accuracy_reason.startswith(first)
        assert comparison.rmse_ratio == pytest.approx(rmse / 1e-7)

    def it_does_without_logits_where_there_are_none(self) -> None:
        comparison = _compare(_pairs())
        assert (comparison.logits, comparison.accuracy) == (None, AccuracyState.PASS)
        assert comparison.accuracy_reason.endswith(
            "Logits were not compared: nobody asked, or no iteration got so far."
        )

    def it_is_void_when_eager_itself_is_wrong(self) -> None:
        iteration = IterationRecord("i", 0, Regime.SATURATED, CacheState.NONE, Outcome.ACCURACY, AT)
        wrong = _probe("eager", iterations=(iteration,), failure=Failure("NotFinite", "forecast 2 is NaN"))
        comparison = _compare(_pairs(), eager=wrong)
        assert comparison.accuracy is AccuracyState.VOID
        assert comparison.accuracy_reason == "eager itself gave wrong outputs in 1 iterations: forecast 2 is NaN."

    def it_pairs_only_forecasts_of_the_same_window(self) -> None:
        comparison = _compare([*_pairs(), replace(_pairs(1)[0], same_window=False)])
        assert (comparison.pairs, comparison.accuracy) == (20, AccuracyState.INCONCLUSIVE)
