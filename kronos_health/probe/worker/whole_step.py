"""A decode step as one compiled region: both halves and the sampling between them, so that nothing is handed over.

Works on any ``KronosPredictor`` whose code keeps upstream's names: ``model.decode_s1``, ``model.decode_s2``,
``tokenizer.encode``/``decode`` and, beside the predictor's class, ``sample_from_logits`` and
``auto_regressive_inference``, which this module takes the place of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from .errors import Unsupported
from .targets.contract import Part
from .targets.teacher_forcing import tokens_of
from .windows import Window

DRAWN = -1  # in place of a token that is forced: the step draws one itself


class WholeStep:
    """The step of one model: from the tokens and stamps in the window to the next pair of tokens and their logits."""

    def __init__(self, model: Any, sample: Callable[..., torch.Tensor]) -> None:
        self._model = model
        self._sample = sample
        self._drawing: tuple[Any, ...] = ()

    def step(
        self,
        s1: torch.Tensor,
        s2: torch.Tensor,
        stamp: torch.Tensor,
        forced: torch.Tensor,
        temperature: float,
        top_k: int,
        top_p: float,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Tokens ``(batch, length)`` and stamps ``(batch, length, 5)`` to the next tokens, each ``(batch, 1)``.

        ``forced`` ``(batch, 1)`` holds the first token where it is known, else :data:`DRAWN`. The logits of both heads
        ``(batch, classes)`` come out too: inside one region nothing else shows how accurate it is.
        """
        drawing = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "sample_logits": True}
        logits, context = self._model.decode_s1(s1, s2, stamp)
        first_logits = logits[:, -1, :]
        first = torch.where(forced == DRAWN, self._sample(first_logits, **drawing), forced)
        second_logits = self._model.decode_s2(context, first)[:, -1, :]
        return first, self._sample(second_logits, **drawing), first_logits, second_logits

    def draw(
        self, s1: torch.Tensor, s2: torch.Tensor, stamp: torch.Tensor, *drawing: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One step of a forecast: the next pair of tokens."""
        self._drawing = drawing
        first, second, *_ = self.step(s1, s2, stamp, torch.full_like(s1[:, :1], DRAWN), *drawing)
        return first, second

    def logits(self, predictor: Any, windows: Sequence[Window]) -> dict[str, torch.Tensor]:
        """Teacher-forced logits by the step itself, at the shapes and settings of the last forecast."""
        batch = tokens_of(predictor, windows)
        found = self.step(batch.s1.contiguous(), batch.s2.contiguous(), batch.stamp, batch.truth, *self._drawing)
        return {"s1": found[2], "s2": found[3]}


def install(target: Any) -> Part:
    """Make ``target``'s predictor decode by whole steps; returns the step to compile. Raises :class:`Unsupported`."""
    predictor = getattr(target, "predictor", None)
    source = sys.modules.get(type(predictor).__module__)
    sample = getattr(source, "sample_from_logits", None)
    if predictor is None or source is None or sample is None or not hasattr(source, "auto_regressive_inference"):
        raise Unsupported(f"compiled_whole_step needs a KronosPredictor, which {type(target).__name__} does not show")
    whole = WholeStep(predictor.model, sample)

    def decode(
        tokenizer: Any, model: Any, x: Any, x_stamp: Any, y_stamp: Any, max_context: int, pred_len: int, *settings: Any
    ) -> Any:
        return _decode(whole, tokenizer, x, torch.cat([x_stamp, y_stamp], dim=1), max_context, pred_len, settings)

    target.logits = lambda windows: whole.logits(predictor, windows)
    setattr(source, "auto_regressive_inference", decode)  # noqa: B010 - a module has no such attribute to a checker
    return Part(whole, "step", begins_step=True)


@torch.no_grad()
def _decode(
    whole: WholeStep, tokenizer: Any, x: Any, stamps: Any, max_context: int, pred_len: int, settings: tuple[Any, ...]
) -> Any:
    """Mean path ``(series, rows, features)`` of the samples, as ``auto_regressive_inference`` returns it."""
    clip, temperature, top_k, top_p, samples = settings[:5]
    paths = torch.clip(x, -clip, clip).repeat_interleave(samples, dim=0)
    stamps = stamps.repeat_interleave(samples, dim=0)
    s1, s2 = tokenizer.encode(paths, half=True)
    for _ in range(pred_len):
        end = s1.size(1)
        window = slice(max(0, end - max_context), end)
        stamp = stamps[:, window].contiguous()
        first, second = whole.draw(s1[:, window], s2[:, window], stamp, temperature, top_k, top_p)
        s1, s2 = torch.cat([s1, first], dim=1), torch.cat([s2, second], dim=1)
    values = tokenizer.decode([s1[:, -max_context:].contiguous(), s2[:, -max_context:].contiguous()], half=True)
    return values.reshape(-1, samples, values.size(1), values.size(2)).mean(dim=1).cpu().numpy()
