"""Every variant on the real Kronos code, rehearsed: which of the two causes stops it, or that none does any more.

The causes: rotary tables that are parked inside the compiled region, and the handoff from decode_s1 to decode_s2.
"""

from __future__ import annotations

import pytest

from kronos_health.domain.probes import is_layer
from kronos_health.probe.variants import BUILT_IN
from tests.probe.worker.runs import Run, run_all, spec, variant

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PARKED_TABLES = ("_update_cos_sin_cache", "self.cos_cached = ")
HANDOFF = ("forward", "return output * self.weight")
BREAKING = {
    "compiled": HANDOFF,
    "compiled_static_rope": HANDOFF,
    "compiled_clone": PARKED_TABLES,
    "compiled_mark_step": PARKED_TABLES,
    "compiled_clone_mark_step": PARKED_TABLES,
    "compiled_mark_every_call": HANDOFF,
    "compiled_reduce_overhead": HANDOFF,
    "compiled_dynamic": HANDOFF,
    "layer_cudagraphs": HANDOFF,
    "layer_inductor_cudagraphs": HANDOFF,
    "marks on every call, tables ahead": HANDOFF,
}
NAMES = [one.name for one in BUILT_IN if one.compiled]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    orders = {name: spec(kind="rehearsed", predictions=3, variant=variant(name)) for name in NAMES}
    orders["eager"] = spec()
    orders["marks on every call, tables ahead"] = spec(
        kind="rehearsed", variant=variant("compiled_static_rope", mark_every_call=True)
    )
    return run_all(orders, tmp_path_factory.mktemp("table"))


@pytest.mark.parametrize("name", BREAKING)
def it_breaks_and_names_the_cause_that_is_left(name: str, runs: dict[str, Run]) -> None:
    failure = runs[name].failure
    assert failure is not None
    assert failure["kind"] == "graph_reuse"
    function, code = BREAKING[name]
    assert failure["frame"]["function"] == function
    assert failure["frame"]["code"].startswith(code)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in BREAKING])
def it_passes_and_forecasts_as_eager_does(name: str, runs: dict[str, Run]) -> None:
    told = runs[name]
    assert told.finished, told.stderr
    assert told.failure is None
    assert told.values == runs["eager"].values
    assert told.one("check")["ok"] is True


@pytest.mark.parametrize("one", [one for one in BUILT_IN if one.compiled and one.name not in BREAKING])
def it_replays_graphs_where_they_are_claimed_and_only_there(one, runs: dict[str, Run]) -> None:
    assert (runs[one.name].one("counters")["cudagraph_replays"] > 0) is one.claims_graphs


def it_knows_what_becomes_of_every_way_to_run_production() -> None:
    passing = {name for name in NAMES if name not in BREAKING and not is_layer(name)}
    assert passing == {
        *("compiled_static_rope_clone", "compiled_static_rope_mark_step", "compiled_static_rope_clone_mark_step"),
        *("compiled_whole_step", "compiled_generation_cloning", "compiled_no_cudagraphs", "compiled_default"),
    }
