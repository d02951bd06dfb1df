"""News is ordered once, tried in an environment that cannot lie, and told once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kronos_health.checks import probing, trials
from kronos_health.checks.probing import ProbeRequest
from kronos_health.checks.revisiting import revisit
from kronos_health.domain.probes import (
    Environment,
    EvaluationSpec,
    Failure,
    Outcome,
    ProbeResult,
    ProbeSpec,
)
from kronos_health.domain.revisit import CriterionName, CriterionState, Mode
from kronos_health.domain.upstream import Release
from kronos_health.store import probes as probe_store
from kronos_health.store import upstream
from kronos_health.store.database import writing
from tests.checks.conftest import Clock, MakeContext, on_sqlite, run_planned

Rows = Callable[[str], list[dict[str, Any]]]
NAME = "torch=2.15.0"
STOCK, MENDED = "compiled", "compiled_whole_step"


def environment(candidate: str) -> Environment:
    torch = "2.15.0" if candidate == NAME else "2.13.0"
    return Environment(
        fingerprint=f"fingerprint of {torch}", device="cuda", python="3.11.7", torch=torch, cuda="13.0", triton="3.7",
        driver="580", gpu="NVIDIA H100", host="h", target_revision="r", weights_revision="w", dtype="float32",
        model_shape="base", timing_method="cuda_event", protocol_version=1,
    )  # fmt: skip


def release(context: Any, clock: Clock, *versions: str) -> None:
    """One look of the watch at the index."""
    with writing(context.engine) as connection:
        upstream.record_releases(connection, "torch", [Release("torch", v) for v in versions], None, clock.now)
    clock.move(hours=6)


def campaign(context: Any, candidate: str, outcomes: dict[str, Outcome], failure: Failure | None = None) -> Any:
    """A campaign as a GPU host would have stored it: summaries count their iterations like imported ones."""
    campaign_id = probing.start_campaign(context)
    for variant, outcome in outcomes.items():
        good = outcome is Outcome.PASSED
        spec = ProbeSpec("kronos", variant, candidate, evaluation=EvaluationSpec())
        reason = failure or Failure("RuntimeError", "overwritten by a subsequent run")
        result = ProbeResult(
            spec, outcome, context.now(), context.now(),
            environment(candidate) if outcome.about_the_model else None, (), None if good else reason,
        )  # fmt: skip
        with writing(context.engine) as connection:
            probe_id = probe_store.add_probe(connection, campaign_id, result)
            if good:
                passed = probe_store.tables.probe.update().where(probe_store.tables.probe.c.id == probe_id)
                connection.execute(passed.values(passed=5))
    return probing.finish_campaign(context, campaign_id)


def messages(rows: Rows) -> list[str]:
    found = rows("SELECT message FROM outbox WHERE fingerprint LIKE 'candidate_tried%' ORDER BY id")
    return [json.loads(row["message"])["title"] for row in found]


def it_orders_news_once_and_tells_what_came_of_it_once(make_context: MakeContext, clock: Clock, rows: Rows) -> None:
    context = make_context()
    release(context, clock, "2.13.0")
    assert trials.order(context) == ()
    release(context, clock, "2.13.0", "2.15.0")
    (order,) = trials.order(context)
    assert (order.candidate, order.targets, order.attempt) == (NAME, ("kronos",), 1)
    assert {"eager", STOCK, MENDED} <= set(order.variants)
    assert "compiled_no_cudagraphs" not in order.variants
    assert trials.order(context) == (), "asking again right away gives none"
    done = dict.fromkeys(order.variants, Outcome.GRAPH_REUSE) | {
        "eager": Outcome.PASSED,
        MENDED: Outcome.PASSED,
    }
    summary = campaign(context, NAME, done)
    eager = next(record.probe_id for record in summary.probes if record.variant == "eager")
    assert {comparison.baseline_probe for comparison in summary.comparisons} == {eager}, "eager of the same candidate"
    (trial,) = summary.trials
    assert trial.verdict == f"fixed with opt-in {MENDED}"
    clock.move(days=2)
    assert trials.order(context) == (), "it has its answer"
    campaign(context, NAME, done)
    assert messages(rows) == [f"Compiled kronos with torch 2.15.0: fixed with opt-in {MENDED}"]


@on_sqlite
@pytest.mark.parametrize(
    ("stock", "mended", "verdict"),
    [
        (Outcome.PASSED, Outcome.PASSED, "fixed by default"),
        (Outcome.GRAPH_REUSE, Outcome.GRAPH_REUSE, "still broken"),
    ],
)
def it_tells_each_verdict(make_context: MakeContext, rows: Rows, stock: Outcome, mended: Outcome, verdict: str) -> None:
    campaign(make_context(), NAME, {"eager": Outcome.PASSED, STOCK: stock, MENDED: mended})
    assert messages(rows) == [f"Compiled kronos with torch 2.15.0: {verdict}"]


def it_meets_the_first_criterion_by_a_pass_in_the_candidate_alone(make_context: MakeContext, clock: Clock) -> None:
    context = make_context()
    release(context, clock, "2.13.0", "2.15.0")

    def state() -> CriterionState:
        (decision,) = revisit(context)
        assert decision.mode is Mode.EAGER, "what passes elsewhere is not proposed for production"
        return next(one.state for one in decision.criteria if one.name is CriterionName.TORCH_RELEASE)

    campaign(context, "production", {"eager": Outcome.PASSED, STOCK: Outcome.GRAPH_REUSE})
    assert state() is CriterionState.UNKNOWN
    campaign(context, NAME, {"eager": Outcome.PASSED, STOCK: Outcome.GRAPH_REUSE})
    assert state() is CriterionState.NOT_MET
    campaign(context, NAME, {"eager": Outcome.PASSED, MENDED: Outcome.PASSED})
    assert state() is CriterionState.MET
    clock.move(days=30)
    assert state() is CriterionState.MET, "a release does not change"


@on_sqlite
def it_tries_again_a_day_later_while_probing_itself_fails_and_then_gives_up(
    make_context: MakeContext, clock: Clock, rows: Rows
) -> None:
    context = make_context(candidates={"attempts": 2})
    release(context, clock, "2.13.0")
    release(context, clock, "2.15.0")
    for attempt in (1, 2):
        (order,) = trials.order(context)
        assert order.attempt == attempt
        failure = Failure("KeepingProblem", "the environment torch=2.15.0 cannot be made: no index answered")
        campaign(context, NAME, dict.fromkeys(order.variants, Outcome.WORKER_ERROR), failure)
        clock.move(days=1)
    assert trials.order(context) == ()
    assert messages(rows) == ["Compiled kronos with torch 2.15.0: not tried on CUDA"]


@on_sqlite
def it_orders_nothing_where_that_is_turned_off(make_context: MakeContext, clock: Clock) -> None:
    context = make_context(candidates={"automatic": False})
    release(context, clock, "2.13.0")
    release(context, clock, "2.15.0")
    assert trials.order(context) == ()


TINY = {
    "probe": {
        "device": "cpu", "iterations": 1, "rehearsal_iterations": 1, "predictions": 2,
        "evaluation": {"lookback": 32, "max_context": 32, "sample_count": 1},
    },
    "targets": {"kronos": {"size": "tiny"}},
}  # fmt: skip


@on_sqlite
@pytest.mark.slow
def it_probes_in_production_and_in_another_interpreter(make_context: MakeContext, rows: Rows) -> None:
    context, name = make_context(**TINY), f"python={sys.executable}"
    request = ProbeRequest(variants=("eager", "compiled"), candidates=("production", name), rehearse=True)
    plan = probing.plan_probes(context, request)
    assert [(spec.candidate, spec.variant, spec.kind.value) for spec in plan] == [
        (place, variant, kind)
        for place in ("production", name)
        for variant, kind in (("eager", "measured"), ("compiled", "measured"), ("compiled", "rehearsed"))
    ]
    wanted = ("eager", "rehearsed")
    summary = run_planned(context, [spec for spec in plan if spec.variant in wanted or spec.kind.value in wanted])
    assert [(record.candidate, record.outcome.value) for record in summary.probes if record.outcome] == [
        ("production", "passed"),
        ("production", "graph_reuse"),
        (name, "passed"),
        (name, "graph_reuse"),
    ]
    (trial,) = summary.trials
    assert trial.verdict == "not tried on CUDA"
    assert messages(rows) == [], "people see their own trials"


@on_sqlite
def it_makes_an_environment_that_fails_once_for_all_variants(
    make_context: MakeContext, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    context = make_context(**TINY)
    said: list[str] = []
    request = ProbeRequest(variants=("eager", "compiled"), candidates=("torch=2.99.0",), rehearse=False)
    summary = probing.probe(context, request, lambda progress: said.append(progress.line))
    assert [record.outcome for record in summary.probes] == [Outcome.WORKER_ERROR] * 2
    for record in summary.probes:
        assert record.failure is not None
        assert "the environment torch=2.99.0 cannot be made: pip install" in record.failure.message
        assert "pip's log: " in record.failure.message
    made = [line for line in said if line.endswith("making the environment")]
    assert made == ["kronos eager with torch=2.99.0: preparing its environment, making the environment"]
    assert list((tmp_path / "var" / "environments").glob("*/")) == []
    alerts = rows("SELECT key, state FROM alert WHERE kind = 'checker_unhealthy'")
    assert alerts == [{"key": "probe/kronos/torch=2.99.0", "state": "firing"}]
