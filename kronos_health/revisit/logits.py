"""Layer A1 of the accuracy: is a variant as near to the float64 model as eager is? Pure.

Forecasts are drawn, so a small loss drowns in their spread; logits are not, and show it on a few windows. Eager's own
error is the yardstick: RMSE(variant) / RMSE(eager) at most 2 (3 in half precision, where rounding depends on the
order of sums), and mean total variation at most 0.01. Measured on CPU: ratios 0.95–1.00, total variation 1e-7 in
float32 and 4e-3 in bfloat16.
"""

from __future__ import annotations

from dataclasses import dataclass

from kronos_health.domain.accuracy import HeadAccuracy, LogitAccuracy
from kronos_health.domain.probes import AccuracyState

FEWEST_WINDOWS = 16
RMSE_LIMIT, RMSE_LIMIT_HALF = 2.0, 3.0
VARIATION_LIMIT = 0.01
RMSE_FLOOR = 1e-9  # below a billionth of a logit two errors are alike, also where eager's is nothing
HALF = frozenset({"float16", "bfloat16"})


@dataclass(frozen=True, slots=True)
class LogitPair:
    """What eager's probe and the variant's told of their logits; ``None`` where nothing was."""

    eager: LogitAccuracy | None = None
    variant: LogitAccuracy | None = None


@dataclass(frozen=True, slots=True)
class LogitJudgement:
    """``state`` is ``None`` where logits are not available, which speaks neither for nor against the variant."""

    state: AccuracyState | None
    reason: str
    rmse_ratio: float | None = None
    total_variation: float | None = None


def judge_logits(pair: LogitPair, dtype: str) -> LogitJudgement:
    """Judge the worst head. ``dtype`` is the model's, as the environment names it."""
    eager, variant = pair.eager, pair.variant
    wrong = [head.name for head in (variant.heads if variant else ()) if not head.finite]
    if eager is not None and not all(head.finite for head in eager.heads):
        return LogitJudgement(AccuracyState.VOID, "eager's own logits are not finite.")
    if wrong:
        return LogitJudgement(AccuracyState.FAIL, f"the logits of {' and '.join(wrong)} are not finite.")
    if eager is None or variant is None or not eager.heads or not variant.heads:
        return LogitJudgement(None, f"logits were not compared: {_missing(eager, variant)}.")
    if eager.digest != variant.digest or len(eager.heads) != len(variant.heads):
        return LogitJudgement(AccuracyState.VOID, "eager's logits are of other windows: the series changed meanwhile.")
    worst_of_eager = max(_variation(head) for head in eager.heads)
    if worst_of_eager > VARIATION_LIMIT:
        text = f"eager's own logits are {worst_of_eager:.3g} (total variation) from its float64 copy"
        return LogitJudgement(AccuracyState.VOID, f"{text}: is the model the same whenever it is loaded?")
    return _judge_heads(eager, variant, RMSE_LIMIT_HALF if dtype in HALF else RMSE_LIMIT)


def _judge_heads(eager: LogitAccuracy, variant: LogitAccuracy, limit: float) -> LogitJudgement:
    yardstick = {head.name: _rmse(head) for head in eager.heads}
    if yardstick.keys() != {head.name for head in variant.heads}:
        return LogitJudgement(AccuracyState.VOID, "eager's logits are of other heads.")
    ratios = {head.name: _rmse(head) / yardstick[head.name] for head in variant.heads}
    worst = max(ratios, key=lambda name: ratios[name])
    variation = max(_variation(head) for head in variant.heads)
    told = (
        f"logits {ratios[worst]:.3g} times as far from float64 as eager's (head {worst}, limit {limit:g}), total "
        f"variation {variation:.2g} (limit {VARIATION_LIMIT:g}), {variant.windows} windows."
    )
    if ratios[worst] > limit or variation > VARIATION_LIMIT:
        state = AccuracyState.FAIL
    elif min(eager.windows, variant.windows) < FEWEST_WINDOWS:
        state = AccuracyState.INCONCLUSIVE
        told = f"only {variant.windows} of {FEWEST_WINDOWS} windows; {told}"
    else:
        state = AccuracyState.PASS
    return LogitJudgement(state, told, ratios[worst], variation)


def _missing(eager: LogitAccuracy | None, variant: LogitAccuracy | None) -> str:
    for arm, told in (("the variant", variant), ("eager", eager)):
        if told is not None and told.note:
            return f"{arm}: {told.note}"
    return "nobody asked, or no iteration got so far"


def _rmse(head: HeadAccuracy) -> float:
    return max(head.rmse or 0.0, RMSE_FLOOR)


def _variation(head: HeadAccuracy) -> float:
    return head.total_variation or 0.0
