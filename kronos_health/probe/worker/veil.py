"""Reads of an overwritten output by code that is not compiled.

torch lets go of the memory of an output that it takes away (``_set_storage_access_error_msg`` and
``_set_storage_data_ptr_access_error_msg``, in ``cudagraph_trees.py``), so that every later access raises: also one by
eager code, and also one through a view. Builds for the CPU have neither function (looked for in 2.6, 2.13 and 2.15).
Here the tensor objects change their class instead, to one that raises torch's own error when anything but its shape and
kind is asked for. The memory stays, as NumPy arrays may look at it: on CUDA those would be copies.

Compiled code guards on the class of what it reads: while it runs, the veil is lifted and the pool itself refuses.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.utils import _pytree

from .graph_pool import PoolOutput, storage_key

_LOOKED_AT = frozenset(
    {
        *("size", "dim", "ndimension", "stride", "numel", "nelement", "element_size", "storage_offset", "__len__"),
        *("is_contiguous", "is_floating_point", "is_complex", "is_inference", "get_device", "is_set_to"),
    }
)
_READING_PROPERTIES = frozenset({"data", "T", "H", "mT", "mH", "real", "imag"})


class Veil:
    """Covers the tensors of outputs that were taken away; ``refuse`` is told which one is read, and raises."""

    def __init__(self, refuse: Callable[[Sequence[Any]], None]) -> None:
        self._class = _veiled_class(refuse)
        self._covered: list[weakref.ref[torch.Tensor]] = []
        self._known: set[int] = set()
        self._lifted = 0

    def cover(self, taken: Iterable[PoolOutput]) -> None:
        """Cover every tensor object, views too, that shows one of the outputs ``taken``."""
        fresh = {output.key for output in taken} - self._known
        if fresh:
            self._known |= fresh
            self._covered += [weakref.ref(tensor) for tensor in _tensors() if storage_key(tensor) in fresh]
        if not self._lifted:
            self._paint(torch.Tensor, self._class)

    def lift(self) -> None:
        """Uncover all of them, until :meth:`lower` was called as often."""
        if not self._lifted:
            self._paint(self._class, torch.Tensor)
        self._lifted += 1

    def lower(self) -> None:
        """Compiled code has returned."""
        self._lifted -= 1

    def _paint(self, old: type[Any], new: type[Any]) -> None:
        self._covered = [ref for ref in self._covered if ref() is not None]
        for ref in self._covered:
            tensor = ref()
            if type(tensor) is old:
                tensor.__class__ = new


def _veiled_class(refuse: Callable[[Sequence[Any]], None]) -> type[torch.Tensor]:
    class Overwritten(torch.Tensor):
        """An output that a later run has written over."""

        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if not _only_looks(func):
                refuse([value for value in _pytree.tree_leaves((args, kwargs)) if isinstance(value, cls)])
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))

    return Overwritten


def _only_looks(func: Any) -> bool:
    """True for what needs no data: shape, type, device and the like."""
    name = getattr(func, "__name__", "")
    if name in ("__get__", "__set__"):
        return getattr(func.__self__, "__name__", "") not in _READING_PROPERTIES
    return name in _LOOKED_AT


def _tensors() -> list[torch.Tensor]:
    return [found for found in gc.get_objects() if type(found) is torch.Tensor]
