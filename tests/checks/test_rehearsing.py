"""Rehearsals from a name to a sentence: real workers on toy models, stored or not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kronos_health.checks.errors import CheckError
from kronos_health.checks.rehearsing import (
    COULD_NOT,
    FAILS,
    PASSES,
    Factory,
    Rehearsal,
    of_factory,
    rehearse,
    rehearse_only,
)
from kronos_health.domain.probes import Keeper, Outcome
from kronos_health.settings.models import Settings
from tests.checks.conftest import MakeContext, on_sqlite
from tests.probe.worker.runs import PLANTED

Rows = Callable[[str], list[dict[str, Any]]]
pytestmark = pytest.mark.timeout(900)
TINY = {"lookback": 32, "max_context": 32, "sample_count": 1}


def toy(name: str, *variants: str, **options: str) -> Rehearsal:
    made = Factory(f"toys:{name}", (PLANTED,), tuple(options.items()))
    (rehearsal,) = rehearse_only(of_factory(made), variants=variants)
    return rehearsal


def it_passes_a_clean_model_of_another_project_and_stores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rehearsal = toy("make")
    assert rehearsal.status == PASSES
    assert [trial.variant.name for trial in rehearsal.trials] == ["compiled"]
    assert rehearsal.mending is None
    assert list(tmp_path.iterdir()) == []


def it_says_that_a_factory_cannot_be_used_and_tries_nothing_else() -> None:
    rehearsal = toy("not_there")
    assert rehearsal.status == COULD_NOT
    (trial,) = rehearsal.trials
    assert trial.result.outcome is Outcome.WORKER_ERROR
    assert "no callable not_there" in trial.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "keeper"), [("HandsOff", Keeper.HANDOFF), ("Parks", Keeper.PARKED), ("Collects", Keeper.VARIABLE)]
)
def it_names_cause_and_cure_of_a_broken_model(name: str, keeper: Keeper) -> None:
    rehearsal = toy(name)
    stock, *tries = rehearsal.trials
    assert rehearsal.status == FAILS, "what mends it is not what was asked for"
    assert (stock.result.outcome, stock.result.leaks[0].keeper) == (Outcome.GRAPH_REUSE, keeper)
    assert rehearsal.mending is not None
    assert rehearsal.mending.cheapest == tries[-1].variant
    assert tries[-1].result.outcome is Outcome.PASSED
    assert all(trial.result.outcome is not Outcome.PASSED for trial in tries[:-1])


@on_sqlite
def it_stores_the_rehearsals_of_a_target_with_what_leaks(make_context: MakeContext, rows: Rows) -> None:
    target = {"loader": "toys:HandsOff", "python_path": [PLANTED]}
    context = make_context(probe={"targets": ["toy"], "evaluation": TINY}, targets={"toy": target})
    (rehearsal,) = rehearse(context, variants=["compiled"])
    assert rehearsal.status == FAILS
    stored = rows("SELECT kind, outcome, requested FROM probe")
    assert stored == [{"kind": "rehearsed", "outcome": "graph_reuse", "requested": 1}]
    assert rows("SELECT producer, keeper, kept_by, reader FROM leak") == [
        {"producer": "TwoHalves.encode", "keeper": "handoff", "kept_by": "state", "reader": "TwoHalves.decode"}
    ]
    assert rows("SELECT count(*) AS n FROM campaign WHERE finished_at IS NOT NULL") == [{"n": 1}]


@on_sqlite
def it_rehearses_in_a_candidate_and_only_there(make_context: MakeContext, rows: Rows) -> None:
    target = {"loader": "toys:make", "python_path": [PLANTED]}
    context = make_context(probe={"targets": ["toy"], "evaluation": TINY}, targets={"toy": target})
    name = f"python={sys.executable}"
    (rehearsal,) = rehearse(context, variants=["compiled"], named=[name])
    assert (rehearsal.candidate, rehearsal.status) == (name, PASSES)
    assert rows("SELECT kind, candidate, outcome FROM probe") == [
        {"kind": "rehearsed", "candidate": name, "outcome": "passed"}
    ]
    with pytest.raises(CheckError, match="torsh"):
        rehearse(context, named=["torsh=2.15.0"])


@pytest.mark.slow
def it_finds_both_causes_of_kronos_and_the_cheapest_variant_that_mends_them() -> None:
    settings = Settings.model_validate({"targets": {"kronos": {"size": "tiny"}}, "probe": {"evaluation": TINY}})
    (rehearsal,) = rehearse_only(settings)
    stock = rehearsal.trials[0].result
    assert stock.failure is not None
    assert stock.failure.frame is not None
    assert stock.failure.frame.code == "return output * self.weight"
    named = {leak.kept_by for trial in rehearsal.trials for leak in trial.result.leaks}
    assert {"context", "model.transformer[0].self_attn.rotary.cos_cached"} <= named
    assert rehearsal.mending is not None
    assert rehearsal.mending.cheapest is not None
    assert rehearsal.mending.cheapest.name == "compiled_static_rope_mark_step"


@pytest.mark.parametrize(
    ("variants", "said"), [(["compild"], "Did you mean compiled"), (["eager"], "there is no graph to rehearse")]
)
def it_refuses_what_cannot_be_rehearsed(variants: list[str], said: str) -> None:
    with pytest.raises(CheckError, match=said):
        rehearse_only(Settings(), variants=variants)


@pytest.mark.parametrize("reference", ["toys", "toys:", ":make", "a:b:c"])
def it_refuses_a_factory_that_names_no_callable(reference: str) -> None:
    with pytest.raises(CheckError, match="module:function"):
        of_factory(Factory(reference))
