"""A variant's probe against eager's: accuracy by its three layers, speed and memory.

A1 compares logits (:mod:`.logits`), A2 forecasts in pairs, A3 asks whether eager forecasts anything at all. Accuracy
passes only when every layer that is available says so, and fails as soon as one does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from kronos_health.domain.probes import (
    AccuracyState,
    Comparison,
    Environment,
    Outcome,
    PredictionPair,
    ProbeKind,
    ProbeRecord,
)
from kronos_health.revisit.logits import LogitJudgement, LogitPair, judge_logits
from kronos_health.revisit.statistics import non_inferiority

NEAR_NAIVE = 1.25  # A3: eager's mean error may be this many times the last-value forecast's; sampling alone costs 6 %
_COMPARABLE = ("device", "gpu", "driver", "python", "torch", "cuda", "triton", "target_revision", "weights_revision",
               "dtype", "model_shape", "timing_method", "protocol_version")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What the paired forecasts say (A2, A3); ``difference`` and ``upper`` are shares of the naive error, + worse."""

    state: AccuracyState
    reason: str
    difference: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class _Errors:
    """One usable pair: absolute errors in the series' own unit."""

    eager: float
    variant: float
    naive: float
    identical: bool


def compare(
    baseline: ProbeRecord,
    candidate: ProbeRecord,
    pairs: Sequence[PredictionPair],
    logits: LogitPair | None = None,
    *,
    margin: float,
    minimum_pairs: int,
) -> Comparison:
    """Compare ``candidate`` with the eager ``baseline`` of the same campaign: by logits, and by forecasts in pairs.

    What was measured on different things is never compared: accuracy is void then and every ratio ``None``; the
    figures of a rehearsal are no figures. ``margin`` is a share of the naive error, e.g. 0.05.
    """
    usable = _usable(pairs)
    obstacle = _obstacle(baseline, candidate)
    rehearsed = ProbeKind.REHEARSED in (baseline.kind, candidate.kind)
    old, new = baseline.figures, candidate.figures
    if obstacle:
        forecasts = Forecasts(AccuracyState.VOID, obstacle)
        inside = LogitJudgement(None, "")
    else:
        forecasts = _judge(candidate, usable, len(pairs) - len(usable), margin, minimum_pairs)
        inside = judge_logits(logits or LogitPair(), candidate.environment.dtype if candidate.environment else "")
    state, reason = _together(inside, forecasts)
    return Comparison(
        baseline_probe=baseline.probe_id,
        candidate_probe=candidate.probe_id,
        pairs=len(usable),
        accuracy=state,
        accuracy_reason=reason,
        scaled_difference=forecasts.difference,
        upper_bound=forecasts.upper,
        margin=margin,
        mae_ratio=None if obstacle else _ratio(_sum(usable, "variant"), _sum(usable, "eager")),
        speed_up=None if obstacle or rehearsed else _ratio(old.steady_median_ms, new.steady_median_ms),
        memory_ratio=None if obstacle or rehearsed else _ratio(new.memory_mb, old.memory_mb),
        logits=inside.state,
        forecasts=forecasts.state,
        rmse_ratio=inside.rmse_ratio,
        total_variation=inside.total_variation,
    )


_DECIDES = (AccuracyState.FAIL, AccuracyState.VOID, AccuracyState.INCONCLUSIVE, AccuracyState.PASS)


def _together(logits: LogitJudgement, forecasts: Forecasts) -> tuple[AccuracyState, str]:
    """The worst of both, with the layer that decides told first. Logits that are not available decide nothing."""
    state = min(logits.state or AccuracyState.PASS, forecasts.state, key=_DECIDES.index)
    told = [forecasts.reason, logits.reason] if forecasts.state is state else [logits.reason, forecasts.reason]
    first, *then = (text if text.endswith((".", "!", "?")) else f"{text}." for text in told if text)
    return state, " ".join([first, *(text[0].upper() + text[1:] for text in then)])


def _obstacle(baseline: ProbeRecord, candidate: ProbeRecord) -> str | None:
    if baseline.campaign_id != candidate.campaign_id or baseline.regime != candidate.regime:
        return "the two probes forecast different windows: they are of different campaigns or regimes"
    wrong = sum(iteration.outcome is Outcome.ACCURACY for iteration in baseline.iterations)
    if wrong:
        return f"eager itself gave wrong outputs in {wrong} iterations: {_message(baseline)}"
    if baseline.environment is None or candidate.environment is None:
        return "no iteration got far enough to say what it ran on"
    changed = [_change(name, baseline.environment, candidate.environment) for name in _COMPARABLE]
    differences = ", ".join(change for change in changed if change)
    return f"measured in different environments ({differences})" if differences else None


def _message(probe: ProbeRecord) -> str:
    return probe.failure.message if probe.failure else "no message"


def _change(name: str, before: Environment, after: Environment) -> str | None:
    first, second = getattr(before, name), getattr(after, name)
    return None if first == second else f"{name} {first} → {second}"


def _usable(pairs: Sequence[PredictionPair]) -> list[_Errors]:
    return [
        _Errors(eager, variant, naive, pair.baseline_value == pair.candidate_value)
        for pair in pairs
        if pair.same_window
        and _is_number(eager := pair.baseline_error)
        and _is_number(variant := pair.candidate_error)
        and _is_number(naive := pair.naive_error)
    ]  # fmt: skip


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _judge(candidate: ProbeRecord, pairs: list[_Errors], unusable: int, margin: float, minimum: int) -> Forecasts:
    wrong = sum(iteration.outcome is Outcome.ACCURACY for iteration in candidate.iterations)
    if wrong:
        return Forecasts(AccuracyState.FAIL, f"{wrong} iterations gave wrong outputs: {_message(candidate)}")
    if not pairs:
        return Forecasts(AccuracyState.INCONCLUSIVE, "there is no pair of forecasts to compare")
    void = _void(pairs)
    if void:
        return Forecasts(AccuracyState.VOID, f"{void} {_identity(pairs)}")
    unfinished = candidate.requested - candidate.passed
    return _judge_differences(pairs, margin, _too_little(pairs, unusable, unfinished, minimum))


def _too_little(pairs: list[_Errors], unusable: int, unfinished: int, minimum: int) -> str | None:
    """Why a good result would be no pass: what is missing may well be what is worse."""
    if unfinished:
        return f"{unfinished} iterations did not pass"
    if unusable:
        return f"{unusable} forecasts have no usable partner"
    if len(pairs) < minimum:
        return f"only {len(pairs)} of {minimum} pairs"
    return None


def _judge_differences(pairs: list[_Errors], margin: float, too_little: str | None) -> Forecasts:
    """A2: differences in shares of the mean naive error, which no single calm day can blow up."""
    scale = _sum(pairs, "naive") / len(pairs)
    result = non_inferiority([(pair.variant - pair.eager) / scale for pair in pairs])
    bound = f"at most {_percent(result.upper)}" if math.isfinite(result.upper) else "without a bound"
    told = (
        f"error {_percent(result.mean)} of the naive error against eager's over {len(pairs)} pairs, {bound} "
        f"(95 %), margin {100 * margin:g} %. {_identity(pairs)}"
    )
    if result.lower >= margin:
        state = AccuracyState.FAIL
    elif result.upper >= margin or too_little:
        state = AccuracyState.INCONCLUSIVE
        told = f"{too_little}; {told}" if too_little else told
    else:
        state = AccuracyState.PASS
    return Forecasts(state, told, result.mean, result.upper if math.isfinite(result.upper) else None)


def _void(pairs: list[_Errors]) -> str | None:
    """A3: an eager forecast that is far off leaves nothing to lose, so nothing is shown by not losing it."""
    naive = _sum(pairs, "naive")
    if naive <= 0:
        return "the series does not move, so errors have no scale."
    times = _sum(pairs, "eager") / naive
    if times <= NEAR_NAIVE:
        return None
    return (
        f"eager's own error is {times:.1f} times that of repeating the last value (limit {NEAR_NAIVE}): the comparison "
        "needs a model that forecasts. Set real weights (targets.NAME.weights and tokenizer) and a real series."
    )


def _identity(pairs: list[_Errors]) -> str:
    same = sum(pair.identical for pair in pairs)
    if same == len(pairs):
        return f"All {same} forecasts are identical to eager's."
    return f"{same} of {len(pairs)} forecasts are identical to eager's."


def _percent(share: float) -> str:
    return f"{100 * share:+.2f} %"


def _sum(pairs: list[_Errors], side: str) -> float:
    return math.fsum(getattr(pair, side) for pair in pairs)


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None
