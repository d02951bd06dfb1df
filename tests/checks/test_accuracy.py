"""Accuracy from the worker to the verdict in the database: a campaign of eager and what was made a little worse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kronos_health.checks import probing
from kronos_health.checks.probing import CampaignSummary, ProbeRequest
from kronos_health.domain.probes import AccuracyState, Comparison, Outcome
from tests.checks.conftest import MakeContext, on_sqlite

pytestmark = pytest.mark.timeout(600)

PLANTED = Path(__file__).parents[1] / "probe" / "worker" / "planted"
Rows = Callable[[str], list[dict[str, Any]]]
PROBE = {
    "device": "cpu",
    "iterations": 1,
    "predictions": 60,
    "rehearse": "never",
    "evaluation": {"lookback": 16, "max_context": 16, "sample_count": 2},
}


def campaign(make_context: MakeContext, *variants: str, factory: str = "make", **probe: Any) -> CampaignSummary:
    target = {"loader": f"bins:{factory}", "python_path": [str(PLANTED)]}
    context = make_context(probe={**PROBE, "targets": ["bins"], **probe}, targets={"bins": target})
    return probing.probe(context, ProbeRequest(variants=("eager", *variants)))


def beside_eager(summary: CampaignSummary, variant: str) -> Comparison:
    assert {record.outcome for record in summary.probes} == {Outcome.PASSED}, summary.probes
    (probe_id,) = (record.probe_id for record in summary.probes if record.variant == variant)
    (comparison,) = (item for item in summary.comparisons if item.candidate_probe == probe_id)
    return comparison


@on_sqlite
def it_fails_a_loss_of_2_percent_that_forecasts_alone_do_not_show(make_context: MakeContext, rows: Rows) -> None:
    summary = campaign(make_context, "bins:slightly_worse", "bins:faithful")
    worse = beside_eager(summary, "bins:slightly_worse")
    assert worse.mae_ratio == pytest.approx(1.02, abs=0.003)
    assert worse.forecasts is AccuracyState.PASS, "within the margin of 5 %"
    assert (worse.logits, worse.accuracy) == (AccuracyState.FAIL, AccuracyState.FAIL)
    assert worse.accuracy_reason.startswith("logits ")
    assert "times as far from float64 as eager's (head returns, limit 2)" in worse.accuracy_reason

    good = beside_eager(summary, "bins:faithful")
    assert (good.logits, good.forecasts, good.accuracy) == (AccuracyState.PASS,) * 3
    assert "All 60 forecasts are identical to eager's." in good.accuracy_reason

    stored = rows("SELECT head, windows, finite FROM logit_accuracy")
    assert [(row["head"], row["windows"]) for row in stored] == [("returns", 16)] * 3
    kept = rows("SELECT logits, forecasts, accuracy, rmse_ratio FROM comparison ORDER BY rmse_ratio")
    assert [(row["logits"], row["forecasts"], row["accuracy"]) for row in kept] == [
        ("pass", "pass", "pass"),
        ("fail", "pass", "fail"),
    ]


@on_sqlite
def it_judges_by_forecasts_alone_where_nobody_asks_for_logits(make_context: MakeContext) -> None:
    found = beside_eager(campaign(make_context, "bins:faithful", accuracy_windows=0), "bins:faithful")
    assert (found.logits, found.accuracy) == (None, AccuracyState.PASS)
    assert "Logits were not compared: nobody asked" in found.accuracy_reason


@on_sqlite
def it_is_void_when_the_model_is_another_one_each_time(make_context: MakeContext) -> None:
    found = beside_eager(campaign(make_context, "bins:faithful", factory="make_another"), "bins:faithful")
    assert (found.logits, found.accuracy) == (AccuracyState.VOID, AccuracyState.VOID)
    assert "is the model the same whenever it is loaded?" in found.accuracy_reason
