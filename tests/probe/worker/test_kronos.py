"""The default target, small: eager, really compiled on the CPU, and rehearsed under the CUDA graph lifetime rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kronos_health.domain.accuracy import LogitAccuracy
from kronos_health.domain.probes import AccuracyState
from kronos_health.probe.events import parse
from kronos_health.revisit.logits import LogitPair, judge_logits
from tests.probe.worker.runs import SMALL, Run, run, run_all, spec, variant

# The first test makes what all share: several compiling processes, which a busy machine takes minutes for.
pytestmark = pytest.mark.timeout(900)

MITIGATED = (
    "compiled_static_rope_mark_step",
    "compiled_static_rope_clone",
    "compiled_whole_step",
    "compiled_generation_cloning",
    "compiled_no_cudagraphs",
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Every worker these tests look at. The growing one is traced for real, but no code is generated."""
    growing = {"regime": "growing", "evaluation": {**SMALL, "max_context": 24, "sample_count": 1}, "predictions": 1}
    orders = {
        "really compiled": spec(variant=variant("compiled_static_rope_clone"), accuracy_windows=16),
        "growing": spec(**growing, variant=variant("compiled", backend="eager")),
        "eager": spec(accuracy_windows=16),
    }
    orders |= {name: spec(kind="rehearsed", variant=variant(name)) for name in ("compiled", *MITIGATED)}
    return run_all(orders, tmp_path_factory.mktemp("runs"))


@pytest.fixture
def eager(runs: dict[str, Run]) -> Run:
    return runs["eager"]


class DescribeEager:
    def it_finishes_with_every_prediction_scored(self, eager: Run) -> None:
        assert eager.finished, eager.stderr
        assert eager.failure is None
        told = eager.all("prediction")
        assert [(one["index"], one["seed"]) for one in told] == [(0, 1000), (1, 1001), (2, 1002)]
        assert all(one["latency_ms"] > 0 and one["absolute_error"] > 0 and one["naive_error"] > 0 for one in told)
        assert len(set(eager.values)) == 3

    def it_says_what_it_ran_on(self, eager: Run) -> None:
        import torch

        told = eager.one("environment")
        assert (told["device"], told["torch"], told["model_shape"]) == ("cpu", torch.__version__, "tiny")
        assert (told["dtype"], told["timing_method"]) == ("float32", "perf_counter")
        assert told["target_revision"].startswith("sktime-1.2")
        assert told["weights_revision"] == "model random:20251030, tokenizer random:20251030"
        assert (told["cuda"], told["gpu"], told["driver"]) == (None, None, None)

    def it_tells_import_load_and_memory_apart(self, eager: Run) -> None:
        assert eager.one("loaded")["import_ms"] > eager.one("loaded")["load_ms"] > 0
        assert 100 < eager.one("memory")["rss_peak_mb"] < 2000
        assert eager.one("memory")["device_allocated_mb"] is None

    def it_goes_through_its_phases_in_order(self, eager: Run) -> None:
        assert [one["phase"] for one in eager.all("phase")] == ["import", "load", "predict", "accuracy"]
        times = [one["t"] for one in eager.events]
        assert times == sorted(times)

    def it_compiles_nothing(self, eager: Run) -> None:
        told = eager.one("counters")
        assert (told["frames_total"], told["graphs"], told["cudagraph_replays"]) == (0, 0, None)


class DescribeCompilingOnTheCpu:
    def it_forecasts_the_same_as_eager_under_paired_seeds(self, eager: Run, runs: dict[str, Run]) -> None:
        told = runs["really compiled"]
        assert told.finished, told.stderr
        assert told.failure is None
        assert told.values == eager.values, "in float32 they are identical, to the last digit"
        counters = told.one("counters")
        assert counters["frames_total"] == counters["frames_ok"] == counters["graphs"] == 2
        assert counters["cache_misses"] == 2
        assert counters["recompiles"] == counters["recompile_limit_hits"] == 0
        assert told.one("check")["ok"] is True
        compiling = [one["detail"] for one in told.all("phase") if one["phase"] == "compile"]
        assert compiling == ["begin", "end"] * 2
        assert [one["phase"] for one in told.all("phase")][-2:] == ["check", "accuracy"]

    def it_is_as_near_to_float64_as_eager(self, eager: Run, runs: dict[str, Run]) -> None:
        arms = [parse(json.dumps(told.one("accuracy")).encode()) for told in (eager, runs["really compiled"])]
        assert all(isinstance(arm, LogitAccuracy) for arm in arms)
        judged = judge_logits(LogitPair(*arms), "float32")  # type: ignore[arg-type]
        assert judged.state is AccuracyState.PASS, judged.reason
        assert judged.rmse_ratio is not None
        assert 0.5 < judged.rmse_ratio < 1.5

    @pytest.mark.slow
    @pytest.mark.parametrize("recipe", ["compiled", "compiled_whole_step", "compiled_no_cudagraphs"])
    def it_does_so_with_every_recipe_and_again_from_a_warm_cache(self, recipe: str, eager: Run, tmp_path: Path) -> None:
        cold = run(spec(variant=variant(recipe)), tmp_path)
        warm = run(spec(variant=variant(recipe)), tmp_path)
        for told in (cold, warm):
            assert told.finished, told.stderr
            assert told.failure is None
            assert told.values == pytest.approx(eager.values, rel=1e-5)
        assert (cold.one("counters")["cache_hits"], warm.one("counters")["cache_misses"]) == (0, 0)
        assert cold.one("counters")["cache_misses"] == warm.one("counters")["cache_hits"] > 0

    def it_falls_back_to_eager_when_the_window_grows_and_says_so(self, runs: dict[str, Run]) -> None:
        told = runs["growing"]
        assert told.finished, told.stderr
        assert told.failure is None
        counters = told.one("counters")
        assert counters["frames_total"] > counters["frames_ok"]
        assert counters["recompile_limit_hits"] == 1
        assert counters["recompiles"] >= 8
        assert counters["reasons"][0].startswith("recompile limit: torch._dynamo hit config.recompile_limit (8)")
        assert any("seq_len_cached" in reason for reason in counters["reasons"])


class DescribeARehearsal:
    def it_fails_for_stock_code_at_the_first_prediction_with_the_original_stack(self, runs: dict[str, Run]) -> None:
        told = runs["compiled"]
        assert told.finished, told.stderr
        assert told.failure is not None
        assert told.failure["kind"] == "graph_reuse"
        assert told.failure["message"].startswith(
            "Error: accessing tensor output of CUDAGraphs that has been overwritten"
        )
        assert told.failure["frame"]["code"] == "return output * self.weight"
        assert told.failure["frame"]["function"] == "forward"
        assert Path(told.failure["frame"]["file"]).name == "module.py"
        (prediction,) = told.all("prediction")
        assert prediction["value"] is None
        assert "CUDAGraphs" in prediction["error"]

    @pytest.mark.parametrize("recipe", MITIGATED)
    def it_passes_for_each_mitigated_variant(self, recipe: str, runs: dict[str, Run], eager: Run) -> None:
        told = runs[recipe]
        assert told.finished, told.stderr
        assert told.failure is None
        assert told.values == eager.values
        assert told.one("check")["ok"] is True

    def it_replays_graphs_where_they_are_claimed_and_only_there(self, runs: dict[str, Run]) -> None:
        replays = {name: told.one("counters")["cudagraph_replays"] for name, told in runs.items()}
        assert replays["compiled_static_rope_mark_step"] > 0
        assert replays["compiled_whole_step"] > 0
        assert replays["compiled_no_cudagraphs"] == 0
