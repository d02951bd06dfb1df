"""Whoever holds a tensor is found by its storage, and named as code would name it."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch

from kronos_health.probe.worker.graph_pool import storage_key
from kronos_health.probe.worker.keepers import attributes_of, path_to, variable_of


class Holder:
    def __init__(self, **held: object) -> None:
        self.__dict__.update(held)


class Slotted:
    __slots__ = ("state",)


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)])
        self.register_buffer("table", torch.zeros(2))


def where(target: Any, tensor: torch.Tensor) -> str | None:
    key = storage_key(tensor)
    assert key is not None
    return attributes_of(target, {key}).get(key)


def in_a_module(tensor: torch.Tensor) -> Any:
    model = Model()
    model.layers[1].cached = tensor
    return Holder(wrapped=Holder(model=model), model=model)


def in_a_buffer(tensor: torch.Tensor) -> Any:
    model = Model()
    model.table = tensor
    return Holder(model=model)


def in_a_slot(tensor: torch.Tensor) -> Any:
    slotted = Slotted()
    slotted.state = tensor
    return Holder(cache=slotted)


def in_a_closure(tensor: torch.Tensor) -> Any:
    state = tensor
    return Holder(step=lambda: state)


@pytest.mark.parametrize(
    ("holding", "path"),
    [
        (in_a_module, "model.layers[1].cached"),
        (in_a_buffer, "model.table"),
        (lambda tensor: Holder(last=tensor), "target.last"),
        (lambda tensor: Holder(states={"k": [None, tensor]}), "target.states['k'][1]"),
        (in_a_slot, "target.cache.state"),
        (in_a_closure, "target.step.<state>"),
        (lambda tensor: Holder(kept=tensor[1:]), "target.kept"),
        (lambda tensor: Holder(other=torch.ones(2)), None),
    ],
)
def it_names_the_path(holding: Callable[[torch.Tensor], Any], path: str | None) -> None:
    tensor = torch.ones(3)
    assert where(holding(tensor), tensor) == path


def it_looks_into_the_module_that_the_target_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("planted_module")
    module.__file__ = "/somewhere/planted_module.py"
    exec("class Target: pass\nCACHE = {}", vars(module))
    monkeypatch.setitem(sys.modules, "planted_module", module)
    tensor = torch.ones(3)
    vars(module)["CACHE"]["x"] = tensor
    assert where(vars(module)["Target"](), tensor) == "[planted_module] CACHE['x']"


def it_ends_on_what_refers_to_itself() -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    assert where(Holder(loop=loop), torch.ones(1)) is None


def it_names_the_parameter() -> None:
    tensor = torch.ones(3)
    key = storage_key(tensor)
    assert key is not None
    assert path_to(key, {"x": torch.ones(3), "states": [None, tensor]}) == "states[1]"
    assert path_to(key, {"x": torch.ones(3)}) is None


def it_names_the_variable_of_the_function_that_runs() -> None:
    kept = [torch.ones(3)]
    key = storage_key(kept[0])
    assert key is not None
    name = variable_of(key, sys._getframe())
    assert name is not None
    assert name.startswith("kept[0] in it_names_the_variable")
