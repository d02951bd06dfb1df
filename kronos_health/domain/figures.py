"""Figures of passing probes over time: what is watched, and what can be said of each one when it comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Figure(StrEnum):
    """What is watched; of every one less is better."""

    STEADY_LATENCY = "steady_latency"  # ms: the probe's steady median
    PEAK_MEMORY = "peak_memory"  # MiB: the highest peak of its iterations
    COLD_COMPILE = "cold_compile"  # ms: median first call of the iterations that found the compile caches empty
    WARM_COMPILE = "warm_compile"  # ms: the same of those that found them filled

    @property
    def unit(self) -> str:
        """The unit of its values."""
        return "MiB" if self is Figure.PEAK_MEMORY else "ms"

    @property
    def is_time(self) -> bool:
        """Whether other programs disturb it; what a process allocates does not depend on them."""
        return self is not Figure.PEAK_MEMORY


class FigureLabel(StrEnum):
    """What a probe's figure says beside its baseline."""

    STEADY = "steady"
    SUSPICIOUS = "suspicious"  # out of bounds once: a second one in a row is asked for
    REGRESSION = "regression"  # the second in a row that is worse
    IMPROVEMENT = "improvement"  # the second in a row that is better
    INSUFFICIENT_DATA = "insufficient_data"  # too few before it to compare with
    DISTURBED = "disturbed"  # the probe was flagged as noisy: shown, counted nowhere


@dataclass(frozen=True, slots=True)
class FigureSeries:
    """Figures that may be compared: one arm, in one window regime, on one environment."""

    target: str
    variant: str
    candidate: str
    regime: str
    fingerprint: str
    device: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class FigurePoint:
    """One probe's figure; ``noise`` are the reasons to distrust it."""

    probe_id: str
    started_at: datetime
    value: float
    noise: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FigureVerdict:
    """What is said of one point. ``baseline``, and the bounds around it, are ``None`` without enough data.

    ``reference`` is the level before a regression that still stands, and ``None`` when none does; ``sample`` counts
    the points behind the baseline.
    """

    probe_id: str
    started_at: datetime
    value: float
    label: FigureLabel
    reason: str
    sample: int
    baseline: float | None = None
    lower: float | None = None
    upper: float | None = None
    reference: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value as a share of its baseline: 1.2 is a fifth more."""
        return self.value / self.baseline if self.baseline else None

    @property
    def regressed(self) -> bool:
        """Whether a regression stands after this point."""
        return self.reference is not None
