"""An output that was taken away may be looked at, and not read: by no code, and through no view."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator

import pytest
import torch
from torch._dynamo.mutation_guard import GenerationTracker

from kronos_health.probe.worker.graph_pool import GraphPool
from kronos_health.probe.worker.veil import Veil

REUSED = "accessing tensor output of CUDAGraphs that has been overwritten .*Stack trace: line of 1"


class Kept:
    """An output of graph 1 and a view of it, both kept until graph 2 ran."""

    def __init__(self) -> None:
        self.pool = GraphPool()
        self.veil = Veil(self.pool.refuse_taken)
        (self.output,) = self.pool.run(1, lambda x: (x * 2,), [torch.ones(3)], [False], ["line of 1"])
        self.view = self.output[1:]
        self.array = self.output.numpy()
        GenerationTracker.generation += 1
        self.pool.run(2, lambda x: (x + 1,), [torch.ones(3)], [False], ["line of 2"])
        self.veil.cover(self.pool.taken())


@pytest.fixture(autouse=True, scope="module")
def only_new_objects() -> Iterator[None]:
    """As in a worker: what is there before is not looked through for tensors, and a process full of tests has a lot."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr(GenerationTracker, "generation", GenerationTracker.generation)
    return Kept()


@pytest.mark.parametrize(
    "read",
    [
        lambda value: value + 1,
        lambda value: torch.ones(len(value)) * value,
        lambda value: torch.cat([value, value]),
        lambda value: value.tolist(),
        lambda value: value.numpy(),
        lambda value: value.clone(),
        lambda value: value[0],
        lambda value: value.view(-1),
        lambda value: value.detach(),
        lambda value: value.data,
        lambda value: torch.zeros(len(value)).copy_(value),
        lambda value: value.zero_(),
        lambda value: bool(torch.equal(value, value)),
        lambda value: float(value.sum()),
        copy.deepcopy,
        repr,
    ],
)
@pytest.mark.parametrize("which", ["output", "view"])
def it_refuses_every_read_in_torchs_words(kept: Kept, which: str, read: Callable[[torch.Tensor], object]) -> None:
    with pytest.raises(RuntimeError, match=REUSED):
        read(getattr(kept, which))


def it_lets_shape_and_kind_be_looked_at(kept: Kept) -> None:
    output = kept.output
    assert (output.shape, len(output), output.dim(), output.numel()) == ((3,), 3, 1, 3)
    assert (output.dtype, output.device.type, output.requires_grad) == (torch.float32, "cpu", False)
    assert isinstance(output, torch.Tensor)


def it_leaves_an_array_alone_that_on_cuda_would_be_a_copy(kept: Kept) -> None:
    assert kept.array.tolist() == [2, 2, 2]


def it_leaves_other_tensors_alone(kept: Kept) -> None:
    assert type(torch.ones(3)) is torch.Tensor
    assert type(kept.output) is not torch.Tensor


def it_lifts_while_compiled_code_runs_and_comes_down_again(kept: Kept) -> None:
    kept.veil.lift()
    kept.veil.lift()
    assert type(kept.output) is torch.Tensor, "compiled code guards on the class"
    kept.veil.lower()
    kept.veil.cover(kept.pool.taken())
    assert type(kept.output) is torch.Tensor, "the outer call still runs"
    kept.veil.lower()
    kept.veil.cover(kept.pool.taken())
    with pytest.raises(RuntimeError, match=REUSED):
        kept.view.sum()
