"""Do outputs stay what they were? A replayed CUDA graph writes over its old results without a word.

Outputs are observed over two further predictions on different input. Where the recipe promises that outputs may be
kept, they are kept here; otherwise only those that the target itself still holds after the first prediction are looked
at, since an output that nobody reads again may be written over. A change made by the target's own in-place operation
counts up the tensor's version, which a graph does not, and is no overwrite.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree

from .recipes import Applied
from .targets.contract import Part


@dataclass(frozen=True)
class Kept:
    """An output as it was at one moment; ``tensor`` gives it back while somebody holds it."""

    name: str
    tensor: Callable[[], torch.Tensor | None]
    copy: torch.Tensor
    version: int

    def overwritten(self) -> bool:
        """True when somebody still holds the output, nobody changed it on purpose, and it is another one now.

        Reading it may raise the lifetime rule's error.
        """
        tensor = self.tensor()
        if tensor is None or _version(tensor) != self.version:
            return False
        return not torch.equal(torch.nan_to_num(tensor), torch.nan_to_num(self.copy))


def keep(name: str, tensor: torch.Tensor, *, strongly: bool) -> Kept:
    """Remember ``tensor`` as it is now."""
    hold = (lambda: tensor) if strongly else weakref.ref(tensor)
    return Kept(name, hold, tensor.detach().clone(), _version(tensor))


class Observer:
    """Watches what the compiled parts of a target return."""

    def __init__(self, applied: Applied) -> None:
        self._strongly = applied.keeps_outputs
        self._parts = [(part, part.current) for part in applied.parts]
        self._latest: dict[str, list[Callable[[], torch.Tensor | None]]] = {}

    def __enter__(self) -> Observer:
        for part, function in self._parts:
            part.replace(self._watched(part, function))
        return self

    def __exit__(self, *_: object) -> None:
        for part, function in self._parts:
            part.replace(function)

    def _watched(self, part: Part, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            result = function(*arguments, **keywords)
            tensors = [leaf for leaf in _pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]
            self._latest[part.name] = [self._hold(tensor) for tensor in tensors]
            return result

        return call

    def _hold(self, tensor: torch.Tensor) -> Callable[[], torch.Tensor | None]:
        return (lambda: tensor) if self._strongly else weakref.ref(tensor)

    def held(self) -> list[Kept]:
        """The latest outputs that are still held, as they are now."""
        found = []
        for name, holds in self._latest.items():
            for number, hold in enumerate(holds):
                tensor = hold()
                if tensor is not None:
                    found.append(keep(f"output {number} of {name}", tensor, strongly=self._strongly))
        return found


def overwritten(kept: Iterable[Kept]) -> list[Kept]:
    """Those that changed; raises the lifetime rule's error when one may not be read at all."""
    return [one for one in kept if one.overwritten()]


def _version(tensor: torch.Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version
