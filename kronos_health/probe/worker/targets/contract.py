"""What the worker asks of a model under watch. Built-in targets and ``module:factory`` ones keep the same contract."""

# ruff: noqa: TID252 - the folder travels without its package: every import inside is relative

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import BadInput
from ..windows import Window

WEIGHTS_SEED = 20251030  # torch is seeded with it before a target is built: random weights are the same every time


class Target(Protocol):
    """A model that forecasts closes. Only :meth:`predict` is needed.

    Optional, looked up by name:

    - ``compiled_parts() -> iterable of (owner, attribute)``: the callables a recipe compiles in place, in the order in
      which one step calls them; the first begins a step. Without it, ``model.forward`` is compiled.
    - ``model``: the ``torch.nn.Module``; its rotary tables, dtype and shape are found there.
    - ``shape``, ``dtype``, ``revision``, ``weights_revision``: text for the environment.
    - ``compile_as_production(mode) -> bool``: turn on the target's own compiling for the stock recipe; false to have
      its parts compiled instead.
    - ``logits(windows) -> mapping of head to tensor (len(windows), ..., classes)``: what the model says before anything
      is drawn, through the same callables as a prediction and of the model's own dtype. Each window's last row is the
      truth that may be forced, and no input. With ``model`` it is what layer A1 of the accuracy compares.
    """

    def predict(self, window: Window, seed: int) -> Sequence[float]:
        """Forecast ``window.pred_len`` closes, in the series' own unit. torch's seed is set to ``seed`` already."""
        ...


@dataclass(frozen=True)
class Part:
    """A callable of the target that a recipe compiles in place: ``getattr(owner, attribute)``."""

    owner: Any
    attribute: str
    begins_step: bool

    @property
    def name(self) -> str:
        """How to speak of it, e.g. ``Kronos.decode_s1``."""
        return f"{type(self.owner).__name__}.{self.attribute}"

    @property
    def current(self) -> Any:
        """What is called now."""
        return getattr(self.owner, self.attribute)

    def replace(self, function: Any) -> None:
        """Put ``function`` in its place."""
        setattr(self.owner, self.attribute, function)


@dataclass(frozen=True)
class Description:
    """What the environment event says about a target."""

    shape: str
    dtype: str
    revision: str | None
    weights_revision: str | None


def parts_of(target: Any) -> list[Part]:
    """What a recipe compiles; raises :class:`BadInput` when the target exposes nothing that can be compiled."""
    listed = getattr(target, "compiled_parts", None)
    if listed is None and _module(target) is not None:
        pairs: Iterable[Any] = [(target.model, "forward")]
    elif listed is not None:
        pairs = listed()
    else:
        raise BadInput(
            f"the target {type(target).__name__} has neither compiled_parts() nor a torch.nn.Module in .model: "
            "there is nothing to compile"
        )
    parts = []
    for number, (owner, attribute) in enumerate(pairs):
        if not callable(getattr(owner, attribute, None)):
            raise BadInput(f"compiled_parts() names {type(owner).__name__}.{attribute}, which is no callable")
        parts.append(Part(owner, attribute, begins_step=number == 0))
    return parts


def describe(target: Any) -> Description:
    """What the target says about itself, or what its model shows."""
    model = _module(target)
    dtype = getattr(target, "dtype", None)
    if dtype is None and model is not None:
        parameter = next(model.parameters(), None)
        dtype = None if parameter is None else parameter.dtype
    return Description(
        shape=str(getattr(target, "shape", None) or type(model if model is not None else target).__name__),
        dtype=str(dtype or "unknown").removeprefix("torch."),
        revision=_text(getattr(target, "revision", None)),
        weights_revision=_text(getattr(target, "weights_revision", None)),
    )


def _module(target: Any) -> Any:
    import torch

    model = getattr(target, "model", None)
    return model if isinstance(model, torch.nn.Module) else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
