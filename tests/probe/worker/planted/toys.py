"""A toy model behind a factory, and the faults that can be planted in it. Imported by the worker, not by the tests."""

from __future__ import annotations

import math
import os
import signal
import time

import torch


class Layers(torch.nn.Module):
    """A weighted mean of the last four closes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.rand(4) / 2)

    def scale(self, history):
        return (history * self.weight).sum(-1)

    def forward(self, history):
        return self.scale(history)


class Plain:
    """Has what a factory's target must have, and its module in ``model``."""

    shape = "toy-4"
    revision = "r1"
    weights_revision = "none"

    def __init__(self, device: str, fault: str = "") -> None:
        self.model = Layers().to(device).eval()
        self.fault = fault
        self.made = 0
        self.kept = None

    @torch.no_grad()
    def predict(self, window, seed):
        self.made += 1
        if self.fault in FAULTS:
            return FAULTS[self.fault]()
        forecast = self.model(torch.tensor([window.closes[-4:]]))
        if self.fault == "keeps an output" and self.made >= 3:  # by then its graph is recorded: nothing is refused
            self.kept = forecast
        return forecast if self.fault == "gives its output away" else forecast.tolist()


class Toy(Plain):
    """Exposes what is compiled: outputs of ``scale`` have a line of this file for their stack."""

    def compiled_parts(self):
        return [(self.model, "scale")]


def _segmentation_fault():
    os.kill(os.getpid(), signal.SIGSEGV)


def _out_of_memory():
    raise MemoryError("planted")


def _torch_out_of_memory():
    torch.empty(1 << 50)


def _hang():
    time.sleep(600)


def _exit():
    raise SystemExit("planted")


FAULTS = {
    "segfault": _segmentation_fault,
    "memory": _out_of_memory,
    "torch memory": _torch_out_of_memory,
    "nan": lambda: [math.nan],
    "two values": lambda: [1.0, 2.0],
    "hang": _hang,
    "exit": _exit,
}


class SettlesLate(Plain):
    """Works only after three warm-up calls: fails when the window moves on before the fifth call."""

    def predict(self, window, seed):
        forecast = super().predict(window, seed)
        if self.made <= 4 and self.kept not in (None, window.closes):
            raise RuntimeError(
                "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run. "
                f"Planted: the window moved on at call {self.made}"
            )
        self.kept = window.closes
        return forecast


class HoldsOn(torch.nn.Module):
    """Reads what its last call returned when the window moves on: an output that CUDA graphs may have taken away.

    Once its graph is replayed nothing is taken away, and what is written over it is the same again: it then works.
    """

    shape = "holds-on"

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.rand(4) / 2)
        self.closes, self.table, self.fresh = None, None, torch.ones(4)

    def scale(self, history, table):
        return (history * self.weight * table).sum(-1), self.weight.softmax(-1)

    def compiled_parts(self):
        return [(self, "scale")]

    @torch.no_grad()
    def predict(self, window, seed):
        if self.closes in (None, window.closes):
            self.table = None
        table = self.fresh if self.table is None else self.table
        forecast, self.table = self.scale(torch.tensor([window.closes[-4:]]), table)
        self.closes = window.closes
        return forecast.tolist()


def make(device: str, **options: str) -> Toy:
    return Toy(device, **options)


def make_plain(device: str, **options: str) -> Plain:
    return Plain(device, **options)


def make_settling_late(device: str) -> SettlesLate:
    return SettlesLate(device)


def make_holding_on(device: str) -> HoldsOn:
    return HoldsOn().eval()


def make_useless(device: str):
    return object()


def own_recipe(target, mode: str = "reduce-overhead"):
    """A user's recipe."""
    target.model.scale = torch.compile(target.model.scale, mode=mode)


def broken_recipe(target):
    """A recipe whose compiler fails."""

    def backend(module, inputs):
        raise ValueError("planted in the compiler")

    target.model.scale = torch.compile(target.model.scale, backend=backend)


class TwoHalves(torch.nn.Module):
    """A model in two compiled halves, the second of which reads what the first returns."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.rand(4) / 2)

    def encode(self, history):
        return history * self.weight

    def decode(self, state):
        return state.sum(-1)


class HandsOff(Plain):
    """Breaks the rule by a handoff: mended by a clone, or by one mark per step."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.model = TwoHalves().to(device).eval()

    def compiled_parts(self):
        return [(self.model, "encode"), (self.model, "decode")]

    @torch.no_grad()
    def predict(self, window, seed):
        state = self.model.encode(torch.tensor([window.closes[-4:]]))
        return self.model.decode(state).tolist()


class Table(torch.nn.Module):
    """Makes its table on the first call and parks it on itself, as Kronos does with its rotary tables."""

    def __init__(self) -> None:
        super().__init__()
        self.table = None

    def forward(self, history):
        if self.table is None:
            self.table = torch.arange(history.shape[-1]) / 10
        return history * self.table


class Parks(Plain):
    """Breaks the rule by an attribute: no clone and no mark mends that."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.model = torch.nn.Sequential(Table(), torch.nn.Linear(4, 1)).to(device).eval()

    @torch.no_grad()
    def predict(self, window, seed):
        return self.model(torch.tensor([window.closes[-4:]]))[0].tolist()


class Collects(Plain):
    """Breaks the rule by a list: it draws three samples, keeps them all and then, eager, takes their mean."""

    @torch.no_grad()
    def predict(self, window, seed):
        history = torch.tensor([window.closes[-4:]])
        samples = [self.model(history) for _ in range(3)]
        return torch.cat(samples).mean(0, keepdim=True).tolist()


class Remembers(Plain):
    """Breaks the rule in eager code by an attribute: its own last forecast is blended into the next."""

    last: torch.Tensor | None = None

    @torch.no_grad()
    def predict(self, window, seed):
        forecast = self.model(torch.tensor([window.closes[-4:]]))
        blended = forecast if self.last is None else self.last[:] * 0.1 + forecast
        self.last = forecast[:]
        return blended.tolist()
