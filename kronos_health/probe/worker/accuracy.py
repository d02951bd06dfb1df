"""A1 of the accuracy layers: what the model says before anything is drawn, against the same model in float64.

Measured after everything else: an eager call before a compiled one would fill Kronos' rotary tables and hide a fault.
The reference is therefore built anew from the same weights, never copied from what the recipe worked on, so that a
recipe that spoils weights is seen. It runs eager, in float64, also where the model's own code casts to float32
(Kronos' RMSNorm does).
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from . import failures
from .evaluation import Row
from .recipes import Applied
from .spec import WorkerSpec
from .targets.contract import Part
from .windows import Window, shape_of

Logits = Mapping[str, torch.Tensor]


class NotAvailable(Exception):
    """Logits cannot be compared; the message says why. No fault of the variant's."""


@dataclass
class Head:
    """Sums over the windows of one head's logits."""

    squares: float = 0.0
    numbers: int = 0
    variation: float = 0.0
    places: int = 0
    finite: bool = True

    def add(self, own: torch.Tensor, wanted: torch.Tensor) -> None:
        """Logits and those of the reference, float64 on the CPU, classes in the last dimension.

        A class that both rule out (minus infinity) counts as equal.
        """
        if own.shape != wanted.shape:
            raise NotAvailable(f"logits have shape {list(own.shape)}, the reference's {list(wanted.shape)}")
        ruled_out = torch.isneginf(own) & torch.isneginf(wanted)
        self.finite &= bool((torch.isfinite(own) | ruled_out).all())
        if self.finite and not bool((torch.isfinite(wanted) | ruled_out).all()):
            raise NotAvailable("the float64 copy gives logits that are not finite")
        difference = torch.where(ruled_out, torch.zeros_like(own), own - wanted)
        self.squares += float(difference.square().sum())
        self.numbers += int((~ruled_out).sum())
        self.variation += float((own.softmax(-1) - wanted.softmax(-1)).abs().sum()) / 2
        self.places += own[..., 0].numel()

    def figures(self, name: str) -> dict[str, Any]:
        """The head as the event tells it; root mean square error and mean total variation are null with NaN."""
        rmse = (self.squares / max(self.numbers, 1)) ** 0.5
        return {
            "name": name,
            "rmse": rmse if self.finite else None,
            "total_variation": self.variation / max(self.places, 1) if self.finite else None,
            "finite": self.finite,
        }


class StayingDouble(TorchFunctionMode):
    """What is float64 stays float64, whatever the model's code casts it to."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        narrows = func is torch.Tensor.float or (
            func is torch.Tensor.to and torch.float32 in (*args[1:], kwargs.get("dtype"))
        )
        if narrows and args[0].dtype is torch.float64:
            return args[0]
        return func(*args, **kwargs)


def measure(
    target: Any, applied: Applied, spec: WorkerSpec, series: Sequence[Row], build: Callable[[], Any]
) -> dict[str, Any]:
    """The fields of the accuracy event: ``windows, digest, note, heads``.

    ``build`` makes the target once more with the same weights. What cannot be measured is a note and no error. Only
    where compiled code fails at logits, which eager code of the same target can give, its exception goes on up: those
    are the calls of a prediction, and the variant's own fault.
    """
    obstacle = _obstacle(target, applied)
    if obstacle:
        return _told(note=obstacle)
    windows = frozen_windows(series, spec)
    batches = list(_batches(windows, spec.evaluation.sample_count))
    try:
        own = [_logits(target, batch) for batch in batches]  # before the reference: eager code runs last
    except Exception as error:
        if applied.compiled:
            raise
        return _told(note=failures.first_line(error))
    try:
        heads = _compare(own, _reference(target, build), batches)
    except Exception as error:
        return _told(note=failures.first_line(error))
    return _told(
        windows=len({window.rows[-1].at for window in windows}),
        digest=digest(windows),
        heads=[head.figures(name) for name, head in sorted(heads.items())],
    )


def frozen_windows(series: Sequence[Row], spec: WorkerSpec) -> list[Window]:
    """Windows of one row more than the model sees, the last being the truth; the same for every variant and iteration.

    At least ``spec.accuracy_windows``, evenly over the series from its end, filled up to whole batches of
    ``sample_count``, so that the model sees the shapes of a prediction; a short series has some more than once.
    """
    history, _ = shape_of(spec.evaluation, spec.regime)
    places = len(series) - history
    samples = spec.evaluation.sample_count
    count = -(-spec.accuracy_windows // samples) * samples
    ends = [len(series) - (k * places) // count if count <= places else len(series) - k % places for k in range(count)]
    return [Window(tuple(series[end - history - 1 : end]), (), samples, spec.evaluation.max_context) for end in ends]


def digest(windows: Sequence[Window]) -> str:
    """A short name for the rows in ``windows``: figures over other windows are not comparable."""
    total = hashlib.sha256()
    for window in windows:
        total.update(repr(window.rows).encode())
    return total.hexdigest()[:12]


def _told(windows: int = 0, digest: str | None = None, note: str | None = None, heads: Any = ()) -> dict[str, Any]:
    return {"windows": windows, "digest": digest, "note": note, "heads": list(heads)}


def _obstacle(target: Any, applied: Applied) -> str | None:
    """Logits must come out of what the recipe compiled; those of untouched code would prove nothing."""
    if not callable(getattr(target, "logits", None)):
        return f"{type(target).__name__} has no logits(windows)"
    untouched = [part.name for part in applied.parts if _is_untouched(part)]
    if applied.compiled and (untouched or not applied.parts):
        return f"the recipe does not compile what logits come from ({', '.join(untouched) or 'no parts'})"
    return None


def _is_untouched(part: Part) -> bool:
    """True for a plain method of the owner's class."""
    own = getattr(type(part.owner), part.attribute, None)
    return own is not None and getattr(part.current, "__func__", None) is own


def _batches(windows: Sequence[Window], size: int) -> Iterator[Sequence[Window]]:
    for start in range(0, len(windows), size):
        yield windows[start : start + size]


@torch.no_grad()
def _logits(target: Any, windows: Sequence[Window]) -> dict[str, torch.Tensor]:
    """Copied at once: a compiled output need not outlive the next call."""
    return {name: value.detach().to("cpu", torch.float64, copy=True) for name, value in target.logits(windows).items()}


def _reference(target: Any, build: Callable[[], Any]) -> Callable[[Sequence[Window]], Logits]:
    fresh = build()
    model = getattr(fresh, "model", None)
    if not isinstance(model, torch.nn.Module):
        raise NotAvailable(f"{type(fresh).__name__} shows no torch.nn.Module in .model to make a float64 copy of")
    if model is getattr(target, "model", None):
        raise NotAvailable("the target hands out the same model again: there is no untouched one to compare with")
    model.double()

    def logits(windows: Sequence[Window]) -> Logits:
        with _eagerly(), StayingDouble():
            return _logits(fresh, windows)

    return logits


def _eagerly() -> Any:
    """Ignore ``torch.compile``, also where the target uses it by itself; who never did need not import the compiler."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else contextlib.nullcontext()


def _compare(
    own: Sequence[Logits], reference: Callable[[Sequence[Window]], Logits], batches: Sequence[Sequence[Window]]
) -> dict[str, Head]:
    heads: dict[str, Head] = {}
    for told, windows in zip(own, batches, strict=True):
        wanted = reference(windows)
        if told.keys() != wanted.keys() or not told:
            raise NotAvailable(f"logits() gave the heads {sorted(told)}, then {sorted(wanted)}")
        for name, values in told.items():
            heads.setdefault(name, Head()).add(values, wanted[name])
    return heads
