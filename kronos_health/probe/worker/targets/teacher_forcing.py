"""Kronos' logits for windows whose next row is known: both heads, at the shapes of a prediction, nothing drawn.

Rows are normalised, clipped and turned into tokens as ``KronosPredictor.predict`` does (upstream ``model/kronos.py``),
and laid into a buffer as ``auto_regressive_inference`` does, so that compiled code finds the strides it knows.
"""

# ruff: noqa: TID252 - the folder travels without its package: every import inside is relative

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..evaluation import Row
from ..windows import Window

TINY = 1e-5  # KronosPredictor adds it to the deviation


@dataclass(frozen=True)
class Batch:
    """Tokens ``(batch, length)``, stamps ``(batch, length, 5)``, and the next row's first token ``(batch, 1)``."""

    s1: torch.Tensor
    s2: torch.Tensor
    stamp: torch.Tensor
    truth: torch.Tensor


def logits(predictor: Any, windows: Sequence[Window]) -> dict[str, torch.Tensor]:
    """The last position's logits of both heads, ``(batch, classes)``; the second is told the true first token."""
    batch = tokens_of(predictor, windows)
    scores, context = predictor.model.decode_s1(batch.s1, batch.s2, batch.stamp)
    first = scores[:, -1, :].clone()
    return {"s1": first, "s2": predictor.model.decode_s2(context, batch.truth)[:, -1, :]}


def tokens_of(predictor: Any, windows: Sequence[Window]) -> Batch:
    """``windows`` end with the row that is to be predicted; the tokenizer is causal, so its token tells no other."""
    rows = torch.stack([_normalised(window.rows, float(predictor.clip)) for window in windows]).to(predictor.device)
    s1, s2 = predictor.tokenizer.encode(rows, half=True)
    context = windows[0].max_context
    stamps = [[_stamp(row) for row in window.rows[:-1][-context:]] for window in windows]
    stamp = torch.tensor(stamps, dtype=torch.float32, device=predictor.device)
    return Batch(_buffered(s1, context), _buffered(s2, context), stamp, s1[:, -1:].contiguous())


def _normalised(rows: Sequence[Row], clip: float) -> torch.Tensor:
    """By mean and population deviation of the history alone, which the last row is no part of."""
    table = torch.tensor(
        [[row.open, row.high, row.low, row.close, row.volume, row.amount] for row in rows], dtype=torch.float32
    )
    history = table[:-1]
    spread = history.std(dim=0, unbiased=False)
    return ((table - history.mean(dim=0)) / (spread + TINY)).clip(-clip, clip)


def _stamp(row: Row) -> tuple[int, int, int, int, int]:
    return (row.at.minute, row.at.hour, row.at.weekday(), row.at.day, row.at.month)


def _buffered(tokens: torch.Tensor, context: int) -> torch.Tensor:
    """The newest ``context`` tokens of the history, as a view into a buffer of that length."""
    history = tokens[:, :-1][:, -context:]
    buffer = tokens.new_zeros(tokens.size(0), context)
    buffer[:, : history.size(1)] = history
    return buffer[:, : history.size(1)]
