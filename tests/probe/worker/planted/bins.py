"""A toy that forecasts returns by probabilities, with logits to show, and the faults that hide in it."""

from __future__ import annotations

import itertools
import random
import time

import torch

LEAK_MB = 50
_SIDES = itertools.cycle((1, -1))


class Returns(torch.nn.Module):
    """Log-probabilities of the next return over a grid around ``centre``; a random walk has its centre at nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("grid", torch.linspace(-0.1, 0.1, 101))
        self.centre = torch.nn.Parameter(torch.zeros(1))
        self.width = torch.nn.Parameter(torch.full((1,), 0.02))

    def scores(self, history):
        """Logits ``(batch, classes)`` for closes ``(batch, length)``, which only their last change moves."""
        last = history[:, -1:] / history[:, -2:-1] - 1
        return -(((self.grid - self.centre - 0.01 * last) / self.width) ** 2) / 2


class Bins:
    """Forecasts the mean return."""

    shape = "bins-101"

    def __init__(self, device: str, fault: str = "") -> None:
        self.model = Returns().to(device).eval()
        self.fault = fault
        self.held: list[torch.Tensor] = []

    def compiled_parts(self):
        return [(self.model, "scores")]

    @torch.no_grad()
    def predict(self, window, seed):
        if self.fault == "leak":
            self.held.append(torch.ones(LEAK_MB * 1024 * 256))
        history = self._history([window] * window.sample_count)
        forecast = window.closes[-1] * (1 + (self.model.scores(history).softmax(-1) @ self.model.grid).mean())
        return [float(forecast)]

    def logits(self, windows):
        if self.fault == "no logits":
            raise NotImplementedError("planted in logits")
        found = self.model.scores(self._history(windows, upto=-1))
        return {"returns": torch.full_like(found, torch.nan) if self.fault == "nan logits" else found}

    def _history(self, windows, upto=None):
        closes = [window.closes[:upto][-2:] for window in windows]
        return torch.tensor(closes, dtype=self.model.grid.dtype, device=self.model.grid.device)


def make(device: str, **options: str) -> Bins:
    return Bins(device, **options)


def make_another(device: str) -> Bins:
    """Not the same model whenever it is made."""
    target = Bins(device)
    target.model.centre.data += random.SystemRandom().uniform(0.005, 0.01) * next(_SIDES)
    return target


def faithful(target) -> None:
    """Compiles what is forecast with, and changes nothing."""
    target.model.scores = torch.compile(target.model.scores, backend="eager")


def slightly_worse(target) -> None:
    """Errors 2 % larger on the synthetic series, which is within the margin of forecasts."""
    target.model.centre.data -= 0.0027
    faithful(target)


def perturbed_kronos(target) -> None:
    """Weights off by a thousandth: forecasts look the same."""
    torch.manual_seed(1)
    for parameter in target.model.parameters():
        parameter.data *= 1 + 1e-3 * torch.randn_like(parameter)
    for half in ("decode_s1", "decode_s2"):
        setattr(target.model, half, torch.compile(getattr(target.model, half), backend="eager"))


def beside_the_point(target) -> None:
    """Compiles something that forecasts do not go through."""
    target.model.elsewhere = torch.compile(target.model.scores, backend="eager")


def wrong_only_on_other_windows(target) -> None:
    """Good forecasts; but on a window that no forecast asked for, the compiled code gives NaN."""
    scores = target.model.scores

    def spoiled(history):
        return torch.where(history[:, -1:] == history[:1, -1:], scores(history), torch.nan)

    target.model.scores = torch.compile(spoiled, backend="eager")


def fails_at_logits(target) -> None:
    """Predictions repeat one window in a batch; what is given several breaks."""
    compiled = torch.compile(target.model.scores, backend="eager")

    def scores(history):
        if not torch.equal(history, history[:1].expand_as(history)):
            raise RuntimeError("planted: windows differ")
        return compiled(history)

    target.model.scores = scores


def falls_back(target) -> None:
    """A graph for every length of a growing list: the recompile limit is hit, and the rest runs eager."""
    scores, calls = target.model.scores, []

    def counted(history, count):
        return scores(history) + 0.0 * count

    compiled = torch.compile(counted, backend="eager", dynamic=False)

    def growing(history):
        calls.append(1)
        for _ in range(10):
            calls.append(1)
            compiled(history, len(calls))
        return scores(history)

    target.model.scores = growing


def hangs_in_the_compiler(target) -> None:
    """Never comes back from compiling."""

    def backend(module, inputs):
        time.sleep(600)

    target.model.scores = torch.compile(target.model.scores, backend=backend)
