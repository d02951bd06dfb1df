"""``torch.compile`` as a rehearsal has it: every way to call it works, and is under the rule where CUDA's would be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch._dynamo.utils import counters

from kronos_health.probe.worker.rehearsal import Rehearsal

REUSED = "accessing tensor output of CUDAGraphs that has been overwritten"
ONES = torch.ones(2)


class Doubling(torch.nn.Module):
    gain = 2

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return value * self.gain


@pytest.fixture
def rehearsal(monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    """Installed for one test; torch's own is put back."""
    monkeypatch.setattr(torch, "compile", torch.compile)
    torch._dynamo.reset()
    counters.clear()
    installed = Rehearsal()
    installed.install()
    return installed


def by_call() -> Callable[..., torch.Tensor]:
    return torch.compile(lambda value: value * 2, mode="max-autotune")


def by_decorator() -> Callable[..., torch.Tensor]:
    @torch.compile(mode="reduce-overhead")
    def double(value: torch.Tensor) -> torch.Tensor:
        return value * 2

    return double


def by_module() -> Callable[..., torch.Tensor]:
    return torch.compile(Doubling(), mode="max-autotune")


def by_module_in_place() -> Callable[..., torch.Tensor]:
    module = Doubling()
    module.compile(mode="max-autotune")
    return module


def by_option() -> Callable[..., torch.Tensor]:
    return torch.compile(Doubling().forward, options={"triton.cudagraphs": True})


@pytest.mark.parametrize("way", [by_call, by_decorator, by_module, by_module_in_place, by_option])
def it_holds_every_way_of_compiling_to_the_rule(
    rehearsal: Rehearsal, way: Callable[[], Callable[..., torch.Tensor]]
) -> None:
    double = way()
    kept = double(ONES)
    assert kept.tolist() == [2, 2]
    assert double(ONES * 3).tolist() == [6, 6]
    with pytest.raises(RuntimeError, match=REUSED):
        kept.sum()
    (leak,) = rehearsal.leaks(target=None)
    assert (leak.keeper, leak.kept_by.partition(" ")[0], leak.output) == ("variable", "kept", 0)


def it_leaves_code_without_graphs_alone(rehearsal: Rehearsal) -> None:
    double = torch.compile(lambda value: value * 2)
    kept = double(ONES)
    double(ONES * 3)
    assert kept.tolist() == [2, 2]
    assert rehearsal.leaks(target=None) == []


def it_keeps_a_module_a_module(rehearsal: Rehearsal) -> None:
    module = torch.compile(Doubling(), mode="max-autotune")
    assert isinstance(module, torch.nn.Module)
    assert module.gain == 2
    assert module(ONES).tolist() == [2, 2]


def it_inlines_compiled_code_that_compiled_code_calls(rehearsal: Rehearsal) -> None:
    inner = torch.compile(lambda value: value * 2, mode="max-autotune")
    outer = torch.compile(lambda value: inner(value) + 1, mode="max-autotune")
    for factor in (1, 3, 5):
        assert outer(ONES * factor).tolist() == [2 * factor + 1] * 2
    assert sum(counters["graph_break"].values()) == 0
    assert rehearsal.pool.recordings == 1


def it_can_compile_again_what_is_compiled(rehearsal: Rehearsal) -> None:
    twice = torch.compile(torch.compile(lambda value: value * 2, mode="max-autotune"), mode="max-autotune")
    assert [twice(ONES).tolist() for _ in range(3)] == [[2, 2]] * 3
    assert sum(counters["graph_break"].values()) == 0


def it_goes_on_after_a_graph_break(rehearsal: Rehearsal) -> None:
    def broken(value: torch.Tensor) -> torch.Tensor:
        doubled = value * 2
        torch._dynamo.graph_break()
        return doubled + 1

    compiled = torch.compile(broken, mode="max-autotune")
    assert [compiled(ONES).tolist() for _ in range(4)] == [[3, 3]] * 4


def it_survives_a_call_with_wrong_arguments(rehearsal: Rehearsal) -> None:
    double = torch.compile(Doubling().forward, mode="max-autotune")
    with pytest.raises(TypeError):
        double(ONES, ONES, ONES)
    assert double(ONES).tolist() == [2, 2]
