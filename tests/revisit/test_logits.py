"""Layer A1: eager's own distance from float64 is the yardstick."""

from __future__ import annotations

from typing import Any

import pytest

from kronos_health.domain.accuracy import HeadAccuracy, LogitAccuracy
from kronos_health.domain.probes import AccuracyState
from kronos_health.revisit.logits import LogitPair, judge_logits

PASS, FAIL = AccuracyState.PASS, AccuracyState.FAIL
INCONCLUSIVE, VOID = AccuracyState.INCONCLUSIVE, AccuracyState.VOID


def arm(
    rmse: float | None = 3e-7,
    variation: float | None = 1e-7,
    *,
    finite: bool = True,
    windows: int = 16,
    digest: str = "d1",
    second: str = "s2",
) -> LogitAccuracy:
    """The second head is what is asked for; the first is always well."""
    heads = (HeadAccuracy("s1", 3e-7, 1e-7, True), HeadAccuracy(second, rmse, variation, finite))
    return LogitAccuracy(windows, digest, heads)


NOTHING = LogitAccuracy(0, None, (), "Toy has no logits(windows)")


@pytest.mark.parametrize(
    ("eager", "variant", "dtype", "state", "words"),
    [
        (arm(), arm(), "float32", PASS, "1 times as far from float64 as eager's"),
        (arm(), arm(5.9e-7), "float32", PASS, "1.97 times"),
        (arm(), arm(6.1e-7), "float32", FAIL, "2.03 times as far from float64 as eager's (head s2, limit 2)"),
        (arm(), arm(8.9e-7), "bfloat16", PASS, "limit 3"),
        (arm(), arm(9.1e-7), "float16", FAIL, "limit 3"),
        (arm(), arm(variation=0.011), "float32", FAIL, "total variation 0.011 (limit 0.01)"),
        (arm(), arm(windows=15), "float32", INCONCLUSIVE, "only 15 of 16 windows"),
        (arm(), arm(1.0, windows=15), "float32", FAIL, "times as far"),
        (arm(), arm(None, None, finite=False), "float32", FAIL, "the logits of s2 are not finite"),
        (None, arm(None, None, finite=False), "float32", FAIL, "the logits of s2 are not finite"),
        (arm(None, None, finite=False), arm(), "float32", VOID, "eager's own logits are not finite"),
        (arm(variation=0.3), arm(), "float32", VOID, "is the model the same whenever it is loaded?"),
        (arm(digest="d2"), arm(), "float32", VOID, "other windows"),
        (arm(second="s3"), arm(), "float32", VOID, "other heads"),
        (None, arm(), "float32", None, "logits were not compared: nobody asked"),
        (arm(), NOTHING, "float32", None, "logits were not compared: the variant: Toy has no logits(windows)."),
        (NOTHING, None, "float32", None, "logits were not compared: eager: Toy has no logits(windows)."),
        (arm(0.0), arm(1e-16), "float64", PASS, ""),
    ],
)
def it_decides(eager: Any, variant: Any, dtype: str, state: AccuracyState | None, words: str) -> None:
    judged = judge_logits(LogitPair(eager, variant), dtype)
    assert judged.state is state
    assert words in judged.reason


def it_tells_the_worst_head() -> None:
    judged = judge_logits(LogitPair(arm(), arm(6e-7, 2e-3)), "float32")
    assert judged.rmse_ratio == pytest.approx(2.0)
    assert judged.total_variation == 2e-3
