"""Figures from what a child measured: pure arithmetic; the steady state leaves out what compiled, and nothing else."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from kronos_health.domain.probes import (
    CacheState,
    Counters,
    Environment,
    EvaluationSpec,
    Iteration,
    Outcome,
    Prediction,
    ProbeFigures,
)
from kronos_health.probe.events import PROTOCOL_VERSION, Surroundings


@dataclass(frozen=True, slots=True)
class IterationFigures:
    """Milliseconds and the mean absolute error of one iteration; ``None`` where nothing was measured."""

    first_call_ms: float | None
    steady_median_ms: float | None
    steady_iqr_ms: float | None
    steady_p95_ms: float | None
    mae: float | None


def of_iteration(
    predictions: Sequence[Prediction], compiled_in: Container[int] = (), warm_up_ms: float | None = None
) -> IterationFigures:
    """Figures of one iteration's predictions in order; ``warm_up_ms`` is its first warm-up call, where it made one.

    The first prediction, and those during which torch compiled (``compiled_in``, by index), are no part of the steady
    state: also after warm-up calls, so that iterations with and without them are timed alike.
    """
    made = [prediction for prediction in predictions if prediction.error is None]
    first = next((prediction.latency_ms for prediction in made if prediction.index == 0), None)
    steady = [one.latency_ms for one in made if one.index > 0 and one.index not in compiled_in]
    return IterationFigures(
        first_call_ms=first if warm_up_ms is None else warm_up_ms,
        steady_median_ms=_median(steady),
        steady_iqr_ms=_iqr(steady),
        steady_p95_ms=quantile(steady, 0.95),
        mae=_mean([prediction.absolute_error for prediction in made if prediction.absolute_error is not None]),
    )


def of_probe(iterations: Iterable[Iteration]) -> ProbeFigures:
    """Figures over the iterations that passed: others did not run the variant to its end, or not as that variant."""
    passed = [iteration for iteration in iterations if iteration.outcome is Outcome.PASSED]
    maes = _known(iteration.mae for iteration in passed)
    latencies = [latency for iteration in passed for latency in _latencies(iteration)]
    peaks = _known(iteration.memory.headline_mb for iteration in passed)
    return ProbeFigures(
        mae_mean=_mean(maes),
        mae_std=statistics.pstdev(maes) if maes else None,
        latency_mean_ms=_mean(latencies),
        latency_std_ms=statistics.pstdev(latencies) if latencies else None,
        first_call_median_ms=_median(_known(iteration.first_call_ms for iteration in passed)),
        steady_median_ms=_median(_known(iteration.steady_median_ms for iteration in passed)),
        steady_iqr_ms=_median(_known(iteration.steady_iqr_ms for iteration in passed)),
        steady_p95_ms=_median(_known(iteration.steady_p95_ms for iteration in passed)),
        memory_mb=max(peaks) if peaks else None,
    )


def _latencies(iteration: Iteration) -> list[float]:
    """Its predictions, the first call of the process (a warm-up call, maybe) in the place of the first of them."""
    told = [prediction.latency_ms for prediction in iteration.predictions]
    if iteration.warmups and iteration.first_call_ms is not None:
        told[:1] = [iteration.first_call_ms]
    return told


def cache_state(counters: Counters | None) -> CacheState:
    """What the compile caches held. A bypass compiles anew, like a miss; time is no sign (machines are noisy)."""
    if counters is None:
        return CacheState.NONE
    compiled = counters.cache_misses + counters.cache_bypasses
    if counters.cache_hits and compiled:
        return CacheState.MIXED
    if counters.cache_hits:
        return CacheState.WARM
    return CacheState.COLD if compiled else CacheState.NONE


def environment_of(
    seen: Surroundings, target: str, evaluation: EvaluationSpec, threads: int | None = None
) -> Environment:
    """The environment with its fingerprint: SHA-256 over what makes two figures comparable.

    Inside: target, revisions, model and window shapes, dtype, device, GPU, driver, torch, CUDA, triton, Python,
    threads, timing method and protocol. Outside: host (another machine with the same GPU is comparable), variant,
    candidate and regime (columns of their own), and the series, which grows from day to day.
    """
    comparable = {
        "target": target,
        "device": seen.device,
        "python": seen.python,
        "torch": seen.torch,
        "cuda": seen.cuda,
        "triton": seen.triton,
        "driver": seen.driver,
        "gpu": seen.gpu,
        "target_revision": seen.target_revision,
        "weights_revision": seen.weights_revision,
        "dtype": seen.dtype,
        "model_shape": seen.model_shape,
        "timing_method": seen.timing_method,
        "protocol": PROTOCOL_VERSION,
        "window": [evaluation.lookback, evaluation.pred_len, evaluation.sample_count, evaluation.max_context],
        "threads": threads,
    }
    fingerprint = hashlib.sha256(json.dumps(comparable, sort_keys=True).encode()).hexdigest()
    return Environment(
        fingerprint=fingerprint,
        device=seen.device,
        python=seen.python,
        torch=seen.torch,
        cuda=seen.cuda,
        triton=seen.triton,
        driver=seen.driver,
        gpu=seen.gpu,
        host=seen.host,
        target_revision=seen.target_revision,
        weights_revision=seen.weights_revision,
        dtype=seen.dtype,
        model_shape=seen.model_shape,
        timing_method=seen.timing_method,
        protocol_version=PROTOCOL_VERSION,
        window_shape=_window_shape(evaluation),
        threads=threads,
    )


def _window_shape(evaluation: EvaluationSpec) -> str:
    asked = f"{evaluation.lookback}+{evaluation.pred_len} ×{evaluation.sample_count}"
    return f"{asked} / {evaluation.max_context}"


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` of the values lie, with linear interpolation; ``None`` of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _iqr(values: Sequence[float]) -> float | None:
    low, high = quantile(values, 0.25), quantile(values, 0.75)
    return None if low is None or high is None else high - low


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
