"""What can be done about the two causes for which compiled Kronos breaks the CUDA graph lifetime rule.

1. The rotary tables are made, and parked on the module, inside the compiled region: make them ahead, as buffers.
2. ``decode_s2`` reads an output of ``decode_s1``'s own graph: clone outputs, or mark one step around both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .errors import Unsupported

ROTARY_METHOD = "_update_cos_sin_cache"


def use_static_rotary_tables(model: Any, length: int) -> int:
    """Give every rotary embedding of ``model`` its tables for ``length`` positions; returns how many there were.

    A rotary embedding is a module with ``inv_freq`` and ``_update_cos_sin_cache(x, seq_len)``, as upstream Kronos has
    it. Raises :class:`Unsupported` when the model has none.
    """
    found = [
        module
        for module in (model.modules() if isinstance(model, torch.nn.Module) else ())
        if hasattr(module, "inv_freq") and hasattr(module, ROTARY_METHOD)
    ]
    if not found:
        raise Unsupported(f"this variant makes rotary tables ahead, but {type(model).__name__} has no rotary embedding")
    for module in found:
        _make_static(module, length)
    return len(found)


def _make_static(module: Any, length: int) -> None:
    with torch.no_grad():
        cos, sin = getattr(module, ROTARY_METHOD)(module.inv_freq, length)
    module.cos_cached, module.sin_cached, module.seq_len_cached = None, None, None
    module.register_buffer("cos_table", cos.clone(), persistent=False)
    module.register_buffer("sin_table", sin.clone(), persistent=False)
    module.__class__ = _static_class(type(module))


def _static_class(kind: type[Any]) -> type[Any]:
    """A subclass of ``kind``, one per class, that reads its tables instead of making them."""
    if kind not in _STATIC_CLASSES:

        def read_tables(self: Any, _: Any, seq_len: int) -> tuple[torch.Tensor, torch.Tensor]:
            return self.cos_table[:, :, :seq_len], self.sin_table[:, :, :seq_len]

        _STATIC_CLASSES[kind] = type(f"Static{kind.__name__}", (kind,), {ROTARY_METHOD: read_tables})
    return _STATIC_CLASSES[kind]


_STATIC_CLASSES: dict[type[Any], type[Any]] = {}


def cloning_outputs(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with every tensor it returns cloned, outside the compiled region."""
    from torch.utils import _pytree

    def call(*arguments: Any, **keywords: Any) -> Any:
        return _pytree.tree_map_only(torch.Tensor, torch.clone, function(*arguments, **keywords))

    return call


def marking_step(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with the begin of a step marked before it is called."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return function(*arguments, **keywords)

    return call
