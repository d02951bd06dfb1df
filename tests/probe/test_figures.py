"""Figures: the first call apart, nothing else dropped, and a fingerprint that changes with what matters only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.domain.probes import (
    CacheState,
    Counters,
    EvaluationSpec,
    Failure,
    Iteration,
    Memory,
    Outcome,
    Prediction,
    ProbeFigures,
    Regime,
)
from kronos_health.probe import figures
from kronos_health.probe.events import Surroundings

SEEN = Surroundings(
    device="cuda",
    python="3.11.7",
    torch="2.13.0",
    cuda="12.8",
    triton="3.5",
    driver="570",
    gpu="H200",
    host="here",
    target_revision="r1",
    weights_revision="w1",
    dtype="float32",
    model_shape="base",
    timing_method="cuda_event",
)
WINDOW = EvaluationSpec()


def predictions(*latencies: float, errors: tuple[float, ...] = ()) -> tuple[Prediction, ...]:
    return tuple(
        Prediction(index, 1000 + index, latency, 100.0, errors[index] if errors else 2.0, 3.0)
        for index, latency in enumerate(latencies)
    )


def iteration(
    made: tuple[Prediction, ...], outcome: Outcome = Outcome.PASSED, memory: float | None = 300.0
) -> Iteration:
    of = figures.of_iteration(made)
    return Iteration(
        index=0,
        outcome=outcome,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration_ms=1.0,
        regime=Regime.SATURATED,
        cache_state=CacheState.NONE,
        exit_status=0,
        signal=None,
        import_ms=None,
        load_ms=None,
        first_call_ms=of.first_call_ms,
        steady_median_ms=of.steady_median_ms,
        steady_iqr_ms=of.steady_iqr_ms,
        steady_p95_ms=of.steady_p95_ms,
        mae=of.mae,
        memory=Memory(rss_peak_mb=memory),
        counters=Counters(),
        predictions=made,
        failure=None if outcome is Outcome.PASSED else Failure("E", "e"),
    )


def it_keeps_the_first_call_out_of_the_steady_state() -> None:
    of = figures.of_iteration(predictions(9000.0, 10.0, 12.0, 14.0, errors=(1.0, 2.0, 3.0, 6.0)))
    assert (of.first_call_ms, of.steady_median_ms, of.steady_iqr_ms, of.mae) == (9000.0, 12.0, 2.0, 3.0)
    assert of.steady_p95_ms == pytest.approx(13.8)


def it_keeps_calls_that_compiled_out_of_the_steady_state() -> None:
    of = figures.of_iteration(predictions(9000.0, 3000.0, 12.0, 14.0), compiled_in={0, 1})
    assert (of.first_call_ms, of.steady_median_ms, of.steady_iqr_ms) == (9000.0, 13.0, 1.0)
    assert figures.of_iteration(predictions(9.0, 8.0), compiled_in={0, 1}).steady_median_ms is None


def it_takes_the_first_warm_up_call_for_the_first_call() -> None:
    made = predictions(20.0, 10.0, 12.0)
    of = figures.of_iteration(made, warm_up_ms=9000.0)
    assert (of.first_call_ms, of.steady_median_ms) == (9000.0, 11.0)
    warm = replace(iteration(made), first_call_ms=of.first_call_ms, warmups=3)
    cold = iteration(predictions(9000.0, 10.0, 12.0))
    assert figures.of_probe([warm]).latency_mean_ms == figures.of_probe([cold]).latency_mean_ms


def it_measures_nothing_of_nothing() -> None:
    assert figures.of_iteration(()) == figures.IterationFigures(None, None, None, None, None)
    assert figures.of_probe([]) == ProbeFigures()


def it_takes_no_figures_from_a_failed_forecast() -> None:
    made = (*predictions(50.0, 10.0), Prediction(2, 1002, 0.1, None, None, None, "not finite"))
    of = figures.of_iteration(made)
    assert (of.steady_median_ms, of.mae) == (10.0, 2.0)


def it_has_no_first_call_where_the_first_forecast_failed() -> None:
    made = (Prediction(0, 1000, 5.0, None, None, None, "failed"), Prediction(1, 1001, 10.0, 1.0, 1.0, 1.0))
    assert figures.of_iteration(made).first_call_ms is None


def it_sums_a_probe_up_over_the_iterations_that_passed() -> None:
    failed = iteration(predictions(1.0, 1.0), Outcome.DEGRADED_TO_EAGER, 9999.0)
    first = iteration(predictions(100.0, 10.0, 10.0, errors=(1.0, 1.0, 1.0)), memory=300.0)
    second = iteration(predictions(200.0, 20.0, 20.0, errors=(3.0, 3.0, 3.0)), memory=310.0)
    of = figures.of_probe([first, failed, second])
    assert (of.mae_mean, of.mae_std) == (2.0, 1.0)
    assert (of.first_call_median_ms, of.steady_median_ms, of.memory_mb) == (150.0, 15.0, 310.0)
    assert of.latency_mean_ms == pytest.approx(60.0)


@pytest.mark.parametrize(
    ("counters", "state"),
    [
        (None, CacheState.NONE),
        (Counters(), CacheState.NONE),
        (Counters(cache_misses=4), CacheState.COLD),
        (Counters(cache_bypasses=4), CacheState.COLD),
        (Counters(cache_hits=4), CacheState.WARM),
        (Counters(cache_hits=3, cache_misses=1), CacheState.MIXED),
    ],
)
def it_reads_the_cache_state_from_counters(counters: Counters | None, state: CacheState) -> None:
    assert figures.cache_state(counters) is state


@pytest.mark.parametrize(
    "field",
    [
        *("device", "python", "torch", "cuda", "triton", "driver", "gpu", "target_revision", "weights_revision"),
        *("dtype", "model_shape", "timing_method"),
    ],
)
def it_gives_another_fingerprint_when_figures_cannot_be_compared(field: str) -> None:
    one = figures.environment_of(SEEN, "kronos", WINDOW)
    other = figures.environment_of(replace(SEEN, **{field: "other"}), "kronos", WINDOW)
    assert one.fingerprint != other.fingerprint
    assert getattr(other, field) == "other"


def it_includes_target_window_and_threads_in_the_fingerprint() -> None:
    seen = {
        figures.environment_of(SEEN, target, window, threads).fingerprint
        for target, window, threads in [
            ("kronos", WINDOW, None),
            ("toto", WINDOW, None),
            ("kronos", replace(WINDOW, max_context=512), None),
            ("kronos", replace(WINDOW, sample_count=1), None),
            ("kronos", WINDOW, 2),
        ]
    }
    assert len(seen) == 5


def it_leaves_host_and_series_out_of_the_fingerprint() -> None:
    one = figures.environment_of(SEEN, "kronos", WINDOW)
    other = figures.environment_of(replace(SEEN, host="there"), "kronos", replace(WINDOW, csv="today.csv", rows=601))
    assert one.fingerprint == other.fingerprint
    assert len(one.fingerprint) == 64


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.floats(0, 1))
def it_finds_quantiles_within_the_values(values: list[float], share: float) -> None:
    found = figures.quantile(values, share)
    assert found is not None
    assert min(values) <= found <= max(values)
