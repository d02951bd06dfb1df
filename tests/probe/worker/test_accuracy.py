"""Layer A1 in a real worker: logits against a float64 copy, through what the recipe compiled, and after all else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kronos_health.probe.worker.evaluation import synthetic_series
from kronos_health.probe.worker.spec import WorkerSpec, parse_spec
from tests.probe.worker.planted import bins, toys
from tests.probe.worker.runs import PLANTED, SMALL, Run, run_all, spec, variant

SERIES = synthetic_series(120, 1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Compiled code is traced for real, but none is generated: seconds instead of half a minute."""
    kronos: dict[str, Any] = {"accuracy_windows": 16, "predictions": 2}
    own = {**kronos, "target": {"name": "kronos", "loader": "kronos", "size": "tiny", "python_path": [str(PLANTED)]}}
    orders = {
        "eager": spec(**kronos),
        "half precision": spec(**kronos, target={"options": {"dtype": "bfloat16"}}),
        "parts": spec(**kronos, variant=variant("compiled_static_rope_clone", backend="eager")),
        "whole step": spec(**kronos, variant=variant("compiled_whole_step", backend="eager")),
        "perturbed": spec(**own, variant=variant("bins:perturbed_kronos")),
    }
    return run_all(orders, tmp_path_factory.mktemp("runs"))


def heads(told: Run) -> dict[str, dict[str, Any]]:
    assert told.finished, told.stderr
    assert told.failure is None, told.failure
    return {head["name"]: head for head in told.one("accuracy")["heads"]}


class DescribeKronos:
    def it_is_within_rounding_of_float64_in_both_heads(self, runs: dict[str, Run]) -> None:
        found = heads(runs["eager"])
        assert sorted(found) == ["s1", "s2"]
        assert all(0 < head["rmse"] < 1e-5 and head["total_variation"] < 1e-6 for head in found.values())
        assert runs["eager"].one("accuracy")["windows"] == 16

    def it_is_further_off_in_half_precision_and_still_near(self, runs: dict[str, Run]) -> None:
        for head in heads(runs["half precision"]).values():
            assert head["rmse"] > 1e-5
            assert 1e-4 < head["total_variation"] < 0.01

    @pytest.mark.parametrize("way", ["parts", "whole step"])
    def it_goes_through_what_was_compiled_and_compiles_nothing_more(self, way: str, runs: dict[str, Run]) -> None:
        eager, own = heads(runs["eager"]), heads(runs[way])
        assert {name: head["rmse"] for name, head in own.items()} == pytest.approx(
            {name: head["rmse"] for name, head in eager.items()}, rel=0.5
        )
        phases = [one["phase"] for one in runs[way].all("phase")]
        assert phases[-1] == "accuracy", "nothing is compiled for it: the shapes are those of a prediction"
        assert "compile" in phases

    def it_shows_weights_that_a_recipe_spoiled(self, runs: dict[str, Run]) -> None:
        eager, own = heads(runs["eager"]), heads(runs["perturbed"])
        assert all(own[name]["rmse"] > 100 * eager[name]["rmse"] for name in eager)

    def it_is_measured_on_the_same_windows_by_every_variant(self, runs: dict[str, Run]) -> None:
        kinds = ("eager", "parts", "whole step", "perturbed", "half precision")
        assert len({runs[kind].one("accuracy")["digest"] for kind in kinds}) == 1

    def it_leaves_the_variants_own_figures_alone(self, runs: dict[str, Run]) -> None:
        order = [one["event"] for one in runs["parts"].events if one["event"] != "phase"]
        assert order[-4:] == ["counters", "memory", "accuracy", "done"]


class DescribeAFactory:
    """In this process: what a worker would tell of a target, compiled by a recipe or eager."""

    def measured(self, make: Callable[[], Any], recipe: Callable[[Any], None] | None = None) -> dict[str, Any]:
        from kronos_health.probe.worker import accuracy
        from kronos_health.probe.worker.recipes import Applied
        from kronos_health.probe.worker.targets.contract import parts_of

        target = make()
        if recipe is not None:
            recipe(target)
        applied = Applied(recipe is not None, tuple(parts_of(target)))
        order = replace(parse_spec(spec()), accuracy_windows=16)
        return accuracy.measure(target, applied, order, SERIES, make)

    def it_is_within_rounding_of_float64(self) -> None:
        (head,) = self.measured(lambda: bins.make("cpu"), bins.faithful)["heads"]
        assert (head["name"], head["finite"]) == ("returns", True)
        assert 0 < head["rmse"] < 1e-5

    def it_says_that_logits_hold_nan(self) -> None:
        told = self.measured(lambda: bins.make("cpu", fault="nan logits"))
        assert told["heads"] == [{"name": "returns", "rmse": None, "total_variation": None, "finite": False}]

    def it_needs_no_logits(self) -> None:
        told = self.measured(lambda: toys.make("cpu"))
        assert (told["note"], told["heads"], told["windows"]) == ("Toy has no logits(windows)", [], 0)

    def it_needs_a_module_to_make_a_copy_of(self) -> None:
        class Hidden:
            def __init__(self) -> None:
                self.inside = bins.make("cpu")

            def compiled_parts(self) -> Any:
                return self.inside.compiled_parts()

            def logits(self, windows: Any) -> Any:
                return self.inside.logits(windows)

        told = self.measured(Hidden)
        assert told["note"] == "Hidden shows no torch.nn.Module in .model to make a float64 copy of"

    def it_is_not_compared_with_itself(self) -> None:
        only = bins.make("cpu")
        assert self.measured(lambda: only)["note"].startswith("the target hands out the same model again")

    def it_is_not_credited_with_code_that_was_not_compiled(self) -> None:
        told = self.measured(lambda: bins.make("cpu"), bins.beside_the_point)
        assert told["note"] == "the recipe does not compile what logits come from (Returns.scores)"

    def it_may_fail_to_give_any_while_eager(self) -> None:
        assert self.measured(lambda: bins.make("cpu", fault="no logits"))["note"] == "planted in logits"

    def it_fails_when_compiled_code_cannot_give_them(self) -> None:
        with pytest.raises(RuntimeError, match="planted: windows differ"):
            self.measured(lambda: bins.make("cpu"), bins.fails_at_logits)


class DescribeFrozenWindows:
    def order(self, **evaluation: int) -> WorkerSpec:
        return replace(parse_spec(spec(evaluation={**SMALL, **evaluation})), accuracy_windows=16)

    def it_ends_each_with_the_truth_and_spreads_them_over_the_series(self) -> None:
        from kronos_health.probe.worker.accuracy import frozen_windows

        found = frozen_windows(SERIES, self.order())
        assert len(found) == 16
        assert {len(window.rows) for window in found} == {17}
        assert found[0].rows[-1] == SERIES[-1]
        assert len({window.rows[-1].at for window in found}) == 16
        assert found[-1].rows[-1].at < SERIES[40].at

    def it_fills_whole_batches_so_that_shapes_are_those_of_a_prediction(self) -> None:
        from kronos_health.probe.worker.accuracy import frozen_windows

        assert len(frozen_windows(SERIES, self.order(sample_count=10))) == 20

    def it_takes_some_twice_when_the_series_is_short(self) -> None:
        from kronos_health.probe.worker.accuracy import frozen_windows

        found = frozen_windows(SERIES[-20:], self.order())
        assert (len(found), len({window.rows[-1].at for window in found})) == (16, 4)

    def it_is_another_set_when_a_row_changed(self) -> None:
        from kronos_health.probe.worker.accuracy import digest, frozen_windows

        moved = (*SERIES[:-1], replace(SERIES[-1], close=1.0))
        assert digest(frozen_windows(SERIES, self.order())) != digest(frozen_windows(moved, self.order()))


class DescribeOneHead:
    def it_counts_a_class_that_both_rule_out_as_equal(self) -> None:
        import torch

        from kronos_health.probe.worker.accuracy import Head

        head = Head()
        head.add(torch.tensor([[1.0, -torch.inf]]), torch.tensor([[2.0, -torch.inf]]))
        assert head.figures("x") == {"name": "x", "rmse": 1.0, "total_variation": 0.0, "finite": True}
        head.add(torch.tensor([[1.0, -torch.inf]]), torch.tensor([[2.0, 0.0]]))
        assert head.figures("x")["finite"] is False

    def it_keeps_float64_where_the_models_code_casts(self) -> None:
        import torch

        from kronos_health.probe.worker.accuracy import StayingDouble

        wide, narrow = torch.ones(1, dtype=torch.float64), torch.ones(1, dtype=torch.bfloat16)
        with StayingDouble():
            assert wide.float().dtype is wide.to(torch.float32).dtype is torch.float64
            assert wide.to(dtype=torch.float32).dtype is torch.float64
            assert narrow.float().dtype is torch.float32
