"""A rehearsal's diagnosis, by real workers: which output leaks, who keeps it, and where it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.probe.worker.runs import PLANTED, Run, run, run_all, spec, toy, variant

pytestmark = pytest.mark.timeout(900)

TOYS = PLANTED / "toys.py"
REUSED = "accessing tensor output of CUDAGraphs that has been overwritten"


def made_by(factory: str, **options: str) -> dict[str, object]:
    return {**toy(**options), "loader": f"toys:{factory}"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Stock, rehearsed, of each toy; the kept one needs so many predictions that its graph is replayed."""
    rehearsed = {"kind": "rehearsed", "variant": variant("compiled")}
    orders = {name: spec(**rehearsed, target=made_by(name)) for name in ("HandsOff", "Parks", "Collects", "Remembers")}
    orders["clean"] = spec(**rehearsed, target=toy())
    orders["gives away"] = spec(**rehearsed, target=toy(fault="gives its output away"))
    orders["keeps"] = spec(**rehearsed, target=toy(fault="keeps an output"), predictions=4)
    return run_all(orders, tmp_path_factory.mktemp("rehearsals"))


def line_of(code: str) -> int:
    return next(number for number, line in enumerate(TOYS.read_text().splitlines(), 1) if code in line)


def it_finds_nothing_in_a_clean_model(runs: dict[str, Run]) -> None:
    told = runs["clean"]
    assert told.finished, told.stderr
    assert told.failure is None
    assert told.all("leak") == []
    assert told.one("check")["ok"] is True


def it_names_a_handoff_by_the_readers_parameter(runs: dict[str, Run]) -> None:
    told = runs["HandsOff"]
    (leak,) = told.all("leak")
    assert (leak["keeper"], leak["kept_by"], leak["reader"]) == ("handoff", "state", "TwoHalves.decode")
    assert (leak["read"], leak["producer"], leak["output"]) == (True, "TwoHalves.encode", 0)
    assert leak["shape"] == "float32[1, 4]"
    assert leak["frame"]["code"] == "return history * self.weight"
    assert leak["read_at"]["line"] == line_of("self.model.decode(state)")
    assert leak["read_at"]["code"] == "return self.model.decode(state).tolist()"
    assert told.failure is not None
    assert told.failure["kind"] == "graph_reuse"
    assert told.failure["frame"] == leak["frame"]


def it_names_what_the_compiled_code_parks_by_its_path(runs: dict[str, Run]) -> None:
    (leak,) = runs["Parks"].all("leak")
    assert (leak["keeper"], leak["kept_by"], leak["reader"]) == ("parked", "model[0].table", "Sequential.forward")
    assert leak["frame"]["code"].startswith("self.table = torch.arange")


def it_names_the_list_that_eager_code_keeps_and_reads(runs: dict[str, Run]) -> None:
    told = runs["Collects"]
    leak = told.all("leak")[0]
    assert (leak["keeper"], leak["kept_by"]) == ("variable", "samples[0] in Collects.predict")
    assert (leak["producer"], leak["reader"]) == ("Layers.forward", None)
    assert leak["read_at"]["code"].startswith("return torch.cat(samples)")
    assert told.failure is not None
    assert REUSED in told.failure["message"], "eager code meets torch's own words, as it does on CUDA"


def it_names_an_attribute_though_only_a_view_is_kept(runs: dict[str, Run]) -> None:
    (leak,) = runs["Remembers"].all("leak")
    assert (leak["keeper"], leak["kept_by"], leak["reader"]) == ("attribute", "target.last", None)
    assert "self.last[:]" in leak["read_at"]["code"]


def it_says_that_the_forecast_itself_is_the_output(runs: dict[str, Run]) -> None:
    told = runs["gives away"]
    (leak,) = told.all("leak")
    assert (leak["keeper"], leak["producer"]) == ("forecast", "Layers.scale")
    assert told.failure is not None
    assert REUSED in told.failure["message"]


def it_names_who_keeps_an_output_that_a_replay_writes_over(runs: dict[str, Run]) -> None:
    told = runs["keeps"]
    assert told.failure is not None
    assert told.failure["kind"] == "silent_overwrite"
    (leak,) = told.all("leak")
    assert (leak["keeper"], leak["kept_by"], leak["producer"]) == ("attribute", "target.kept", "Layers.scale")


@pytest.mark.parametrize(
    ("options", "keeper", "kept_by"),
    [
        ({}, "handoff", "context"),
        pytest.param(
            {"mark_step": True},
            "parked",
            "model.transformer[0].self_attn.rotary.cos_cached",
            marks=pytest.mark.slow,
        ),
        pytest.param({"static_rope": True}, "handoff", "context", marks=pytest.mark.slow),
    ],
)
def it_names_both_causes_of_kronos(options: dict[str, bool], keeper: str, kept_by: str, tmp_path: Path) -> None:
    told = run(spec(kind="rehearsed", variant=variant("compiled", **options)), tmp_path)
    read, *others = told.all("leak")
    assert (read["keeper"], read["kept_by"], read["producer"]) == (keeper, kept_by, "Kronos.decode_s1")
    assert read["reader"] == ("Kronos.decode_s2" if keeper == "handoff" else "Kronos.decode_s1")
    assert told.failure is not None
    assert told.failure["frame"] == read["frame"]
    parked = {leak["kept_by"] for leak in others if leak["keeper"] == "parked"}
    assert ("model.transformer[1].self_attn.rotary.cos_cached" in parked) is ("static_rope" not in options)
