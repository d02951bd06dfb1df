"""How far a model's logits are from those of the same model in float64 (accuracy layer A1)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeadAccuracy:
    """One head's logits against those of the same model in float64; figures are ``None`` where not all are finite."""

    name: str
    rmse: float | None
    total_variation: float | None  # mean over windows, of the probabilities that the logits mean
    finite: bool


@dataclass(frozen=True, slots=True)
class LogitAccuracy:
    """Teacher-forced logits on frozen windows (layer A1), or in ``note`` why there are none.

    ``digest`` names the windows: figures over different ones are not comparable.
    """

    windows: int
    digest: str | None
    heads: tuple[HeadAccuracy, ...] = ()
    note: str | None = None
