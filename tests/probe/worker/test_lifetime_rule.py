"""The emulated CUDA graph pool: what is taken away, what is written over, and what keeps outputs alive."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch._dynamo.mutation_guard import GenerationTracker

from kronos_health.probe.worker.rehearsal import GraphPool, claims_graphs

REUSED = "accessing tensor output of CUDAGraphs that has been overwritten"
Call = Callable[[int, torch.Tensor], torch.Tensor]


@pytest.fixture
def next_call(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What every call of compiled code from outside does: it begins a new generation."""

    def begin() -> None:
        monkeypatch.setattr(GenerationTracker, "generation", GenerationTracker.generation + 1)

    return begin


def calling(pool: GraphPool, next_call: Callable[[], None]) -> Call:
    """Functions by number, each doubling its input, each call its own generation."""

    def call(function: int, value: torch.Tensor) -> torch.Tensor:
        next_call()
        (output,) = pool.run(function, lambda x: (x * 2,), [value], [False], [f"line of {function}"])
        return output

    return call


@pytest.fixture
def pool() -> GraphPool:
    return GraphPool()


@pytest.fixture
def call(pool: GraphPool, next_call: Callable[[], None]) -> Call:
    return calling(pool, next_call)


def it_warms_up_then_records_then_replays(pool: GraphPool, call: Call) -> None:
    figures = []
    for number in range(4):
        call(1, torch.full((2,), float(number)))
        figures.append((pool.recordings, pool.replays))
    assert figures == [(0, 0), (1, 0), (1, 1), (1, 2)]


def it_refuses_an_output_of_another_graph_that_is_still_held(call: Call) -> None:
    context = call(1, torch.ones(2))
    with pytest.raises(RuntimeError, match=f"{REUSED} .*Stack trace: line of 1"):
        call(2, context)


def it_refuses_a_view_of_one_as_well(call: Call) -> None:
    context = call(1, torch.ones(2))
    with pytest.raises(RuntimeError, match=REUSED):
        call(2, context[1:])


def it_accepts_a_clone(call: Call) -> None:
    context = call(1, torch.ones(2)).clone()
    assert call(2, context).tolist() == [4, 4]


def it_accepts_an_output_within_one_generation(pool: GraphPool, next_call: Callable[[], None]) -> None:
    next_call()
    for _ in range(2):
        (context,) = pool.run(1, lambda x: (x * 2,), [torch.ones(2)], [False], ["one"])
        (result,) = pool.run(2, lambda x: (x * 2,), [context], [False], ["two"])
    assert result.tolist() == [4, 4]


def it_writes_over_a_kept_output_silently_once_it_replays(pool: GraphPool, call: Call) -> None:
    for _ in range(2):
        call(1, torch.ones(2))
    kept = call(1, torch.ones(2))
    again = call(1, torch.full((2,), 5.0))
    assert pool.replays == 2
    assert kept is again
    assert kept.tolist() == [10, 10]
    pool.refuse_taken([kept])  # torch does not notice either


def it_writes_over_a_kept_view_too(call: Call) -> None:
    for _ in range(2):
        call(1, torch.ones(2))
    kept = call(1, torch.ones(2))[1:]
    call(1, torch.full((2,), 5.0))
    assert kept.tolist() == [10]


def it_moves_kept_outputs_out_with_generation_cloning(next_call: Callable[[], None]) -> None:
    call = calling(GraphPool(generation_cloning=True), next_call)
    kept = [call(1, torch.full((2,), float(number))) for number in range(5)]
    assert [value.tolist() for value in kept] == [[0, 0], [2, 2], [4, 4], [6, 6], [8, 8]]
    assert call(2, kept[0]).tolist() == [0, 0]


def it_records_anew_when_a_parameter_moves(pool: GraphPool, next_call: Callable[[], None]) -> None:
    weights = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    for weight in (weights[0], weights[0], weights[0], weights[1]):
        next_call()
        with torch.no_grad():
            pool.run(1, lambda x, w: (x * w,), [torch.ones(2), weight], [False, True], ["one"])
    assert (pool.recordings, pool.replays) == (2, 1)


def it_leaves_inputs_that_are_passed_through_alone(pool: GraphPool, next_call: Callable[[], None]) -> None:
    mine = torch.ones(2)
    for _ in range(4):
        next_call()
        pool.run(1, lambda x: (x, x + 1), [mine], [False], ["one", "two"])
    pool.refuse_taken([mine])


@pytest.mark.parametrize(
    ("backend", "mode", "options", "claimed"),
    [
        ("inductor", "max-autotune", None, True),
        ("inductor", "reduce-overhead", None, True),
        ("inductor", "max-autotune-no-cudagraphs", None, False),
        ("inductor", None, None, False),
        ("inductor", None, {"triton.cudagraphs": True}, True),
        ("cudagraphs", None, None, True),
        ("aot_eager", None, None, False),
    ],
)
def it_knows_which_calls_of_torch_compile_use_graphs(backend, mode, options, claimed) -> None:
    assert claims_graphs(backend, mode, options) is claimed
