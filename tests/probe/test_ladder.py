"""The layer ladder: which rungs there are, how they are planned, and which layer is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kronos_health.domain.probes import (
    AccuracyState,
    Comparison,
    Failure,
    Outcome,
    ProbeFigures,
    ProbeKind,
    ProbeRecord,
    Regime,
)
from kronos_health.probe.ladder import RUNGS, first_failing_layer
from kronos_health.probe.plan import PlanError, plan_ladder
from kronos_health.probe.variants import find_variant
from kronos_health.settings.models import Settings, Target

SETTINGS = Settings(targets={"kronos": Target()})
MEASURED, REHEARSED = ProbeKind.MEASURED, ProbeKind.REHEARSED
AT = datetime(2026, 11, 23, tzinfo=UTC)
ALL_BUT_ONE = "Dynamo, AOTAutograd, Inductor and CUDA graphs"
ALL_PASS = "No layer fails: Dynamo, AOTAutograd, Inductor, CUDA graphs and Inductor with CUDA graphs pass."
PASSED = [Outcome.PASSED] * len(RUNGS)


def probes(*outcomes: Outcome | None, kinds: ProbeKind = MEASURED) -> list[ProbeRecord]:
    """A probe per rung that has an outcome; rungs with CUDA graphs are of ``kinds``."""
    return [
        ProbeRecord(
            probe_id=rung.variant, campaign_id="c", target="kronos", variant=rung.variant, candidate="production",
            kind=kinds if find_variant(rung.variant).claims_graphs else MEASURED, regime=Regime.SATURATED,
            imported=False, started_at=AT, finished_at=AT, outcome=outcome, requested=1,
            passed=int(outcome is Outcome.PASSED), environment=None, figures=ProbeFigures(), failure=None,
            skipped_reason=None, noise=(),
        )
        for rung, outcome in zip(RUNGS, outcomes, strict=False)
    ]  # fmt: skip


def outcomes(failing: int, outcome: Outcome) -> list[Outcome]:
    return [*PASSED[:failing], outcome, *PASSED[failing + 1 :]]


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (probes(*PASSED), ALL_PASS),
        (
            probes(*PASSED, kinds=REHEARSED),
            f"{ALL_PASS} CUDA graphs were rehearsed, which is no evidence.",
        ),
        (
            probes(*outcomes(4, Outcome.GRAPH_REUSE), kinds=REHEARSED),
            "First failing layer: CUDA graphs (graph_reuse, rehearsed): Dynamo, AOTAutograd and Inductor pass.",
        ),
        (
            probes(*outcomes(5, Outcome.GRAPH_REUSE)),
            f"First failing layer: Inductor with CUDA graphs (graph_reuse): {ALL_BUT_ONE} pass.",
        ),
        (probes(*outcomes(2, Outcome.CRASHED)), "First failing layer: AOTAutograd (crashed): Dynamo passes."),
        (
            probes(*outcomes(1, Outcome.DEGRADED_TO_EAGER)),
            "First failing layer: Dynamo (degraded_to_eager): the model itself passes.",
        ),
        (probes(*outcomes(0, Outcome.ACCURACY)), "First failing layer: the model itself (accuracy)."),
        (
            probes(*outcomes(3, Outcome.SKIPPED)),
            "No layer can be named: Inductor gave no answer (skipped); Dynamo and AOTAutograd pass.",
        ),
        (
            probes(*PASSED[:2], None),
            "No layer can be named: AOTAutograd gave no answer (not finished); Dynamo passes.",
        ),
        ([], "No layer can be named: the model itself gave no answer (not probed)."),
    ],
)  # fmt: skip
def it_names_the_first_layer_that_fails(told: list[ProbeRecord], sentence: str) -> None:
    result = first_failing_layer(told)
    assert result.sentence == sentence
    assert result.passes is sentence.startswith("No layer fails")
    assert first_failing_layer(reversed(told)) == result, "the order of the rows carries no meaning"


def it_says_why_a_rung_gave_no_answer() -> None:
    told = probes(*outcomes(1, Outcome.WORKER_ERROR))
    told[1] = replace(told[1], failure=Failure("BadInput", "no torch there\nand more"))
    assert "Dynamo gave no answer (worker_error: no torch there)" in first_failing_layer(told).sentence


def it_takes_wrong_forecasts_for_a_failure() -> None:
    def compared(accuracy: AccuracyState) -> Comparison:
        return Comparison("eager", "layer_inductor", 4, accuracy, "12 % worse", 0.1, 0.2, 0.05, 1.1, 1.0, 1.0)

    assert first_failing_layer(probes(*PASSED), [compared(AccuracyState.INCONCLUSIVE)]).passes
    result = first_failing_layer(probes(*PASSED), [compared(AccuracyState.FAIL)])
    assert result.sentence == "First failing layer: Inductor (12 % worse): Dynamo and AOTAutograd pass."


@pytest.mark.parametrize(
    ("device", "rehearsed"),
    [("cpu", {"layer_cudagraphs", "layer_inductor_cudagraphs"}), ("cuda", set()), (None, set())],
)
def it_rehearses_cuda_graphs_where_there_are_none(device: str | None, rehearsed: set[str]) -> None:
    specs = plan_ladder(SETTINGS, lambda _target: device, target="kronos", iterations=2, regime="growing")
    assert [spec.variant for spec in specs] == [rung.variant for rung in RUNGS]
    assert {spec.variant for spec in specs if spec.kind is REHEARSED} == rehearsed
    assert {(spec.iterations, spec.regime) for spec in specs} == {(2, Regime.GROWING)}


def it_names_a_target_that_is_not_there() -> None:
    with pytest.raises(PlanError, match="there is no target 'kronso'"):
        plan_ladder(SETTINGS, lambda _target: "cpu", target="kronso")
