"""Variants from plan to rows, with real workers: what must be warm, what this torch lacks, which layer fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kronos_health.checks import probing
from kronos_health.checks.probing import ProbeRequest
from kronos_health.domain.probes import Outcome, ProbeKind
from kronos_health.domain.warm_up import WarmUpDependence, warm_up_dependence
from tests.checks.conftest import MakeContext, on_sqlite, run_planned

Rows = Callable[[str], list[dict[str, Any]]]
PLANTED = Path(__file__).parents[1] / "probe" / "worker" / "planted"
WINDOW = {"lookback": 32, "max_context": 32, "sample_count": 1}


def toy(factory: str) -> dict[str, Any]:
    return {"kronos": {"loader": f"toys:{factory}", "python_path": [str(PLANTED)]}}


@on_sqlite
def it_finds_a_target_that_fails_unless_it_made_three_warm_up_calls(make_context: MakeContext, rows: Rows) -> None:
    """Really compiled, by the layer that costs least."""
    probe = {"device": "cpu", "predictions": 2, "warmups": [2, 3], "iterations": 2, "evaluation": WINDOW}
    context = make_context(probe=probe, targets=toy("make_settling_late"))
    request = ProbeRequest(variants=("layer_aot_autograd",), rehearse=False, with_eager=False)
    (record,) = probing.probe(context, request).probes
    assert (record.outcome, record.passed) == (Outcome.GRAPH_REUSE, 1)
    assert warm_up_dependence(record.iterations) == WarmUpDependence(passes_with=3, fails_with=2)
    made = "SELECT i.warmups, count(p.id) AS n FROM iteration i JOIN prediction p ON p.iteration_id = i.id GROUP BY 1"
    assert {row["warmups"]: row["n"] for row in rows(made)} == {2: 2, 3: 2}, "warm-up calls are no predictions"


@on_sqlite
def it_skips_what_needs_a_newer_torch_and_calls_nobody(make_context: MakeContext, rows: Rows) -> None:
    from torch._inductor import config

    if hasattr(config.triton, "cudagraph_trees_generation_cloning"):
        pytest.skip("this torch has it")
    context = make_context(probe={"device": "cpu", "evaluation": WINDOW}, targets=toy("make"))
    request = ProbeRequest(variants=("compiled_generation_cloning",), rehearse=False, with_eager=False)
    (record,) = probing.probe(context, request).probes
    assert (record.outcome, record.unsupported) == (Outcome.SKIPPED, True)
    assert record.skipped_reason is not None
    assert record.skipped_reason.startswith("generation cloning needs torch 2.14 or newer; this is ")
    assert len(record.iterations) == 1
    assert rows("SELECT verdict FROM heartbeat") == [{"verdict": "ok"}]
    assert rows("SELECT count(*) AS n FROM outbox") == [{"n": 0}]


@pytest.mark.slow
@pytest.mark.timeout(900)  # six processes one after the other, one of them compiling with Inductor
@on_sqlite
def it_climbs_the_ladder_and_names_the_layer_that_fails(make_context: MakeContext, rows: Rows) -> None:
    context = make_context(
        probe={"device": "cpu", "predictions": 2, "evaluation": WINDOW}, targets={"kronos": {"size": "tiny"}}
    )
    summary, result = probing.ladder(context, "kronos")
    assert result.sentence == (
        "First failing layer: CUDA graphs (graph_reuse, rehearsed): Dynamo, AOTAutograd and Inductor pass."
    )
    assert [(record.kind, record.outcome) for record in summary.probes] == [
        *[(ProbeKind.MEASURED, Outcome.PASSED)] * 4,
        *[(ProbeKind.REHEARSED, Outcome.GRAPH_REUSE)] * 2,
    ]
    assert rows("SELECT count(*) AS n FROM probe WHERE outcome IS NOT NULL")[0]["n"] == 6


@on_sqlite
def it_names_a_variant_that_passes_only_once_its_graph_is_replayed(make_context: MakeContext, rows: Rows) -> None:
    probe = {"device": "cpu", "predictions": 3, "warmups": [1, 2], "rehearsal_iterations": 2, "evaluation": WINDOW}
    context = make_context(probe=probe, targets=toy("make_holding_on"))
    request = ProbeRequest(variants=("compiled",), rehearse=True, with_eager=False)
    _measured, rehearsed = probing.plan_probes(context, request)
    (record,) = run_planned(context, [rehearsed]).probes
    assert (record.outcome, record.passed) == (Outcome.GRAPH_REUSE, 1)
    assert warm_up_dependence(record.iterations) == WarmUpDependence(passes_with=2, fails_with=1)
    assert rows("SELECT warmups, outcome FROM iteration ORDER BY warmups") == [
        {"warmups": 1, "outcome": "graph_reuse"},
        {"warmups": 2, "outcome": "passed"},
    ]
    assert rows("SELECT passes_with_warmups AS passes, fails_with_warmups AS fails FROM v_latest_probe") == [
        {"passes": 2, "fails": 1}
    ]
