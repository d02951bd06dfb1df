"""A model that gives away the outputs of its CUDA graph, uncloned. Imported by the worker, not by the tests."""

from __future__ import annotations

import torch


class Doubling(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((1,), 2.0))

    def forward(self, closes):
        return closes * self.weight


class Giving:
    """Gives away what the graph returned; its user keeps it while the next forecast is made."""

    shape = "doubling"

    def __init__(self, device: str) -> None:
        self.device = device
        self.model = Doubling().to(device).eval()

    @torch.no_grad()
    def predict(self, window, seed):
        return self.model(torch.tensor(window.closes[-1:], device=self.device))


def make(device: str) -> Giving:
    return Giving(device)


def without_trees(target) -> None:
    """CUDA graphs without the trees that guard their outputs: replays write over them without a word."""
    torch._inductor.config.triton.cudagraph_trees = False
    target.model.forward = torch.compile(target.model.forward, mode="reduce-overhead")


def with_trees(target) -> None:
    """The same with torch's guard."""
    target.model.forward = torch.compile(target.model.forward, mode="reduce-overhead")
