"""Which rows each prediction sees and which it is scored on. Pure, but for the pandas frame that targets ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .errors import BadInput
from .evaluation import Row
from .spec import EvaluationSpec, WorkerSpec

if TYPE_CHECKING:
    import pandas

GROWING_STEPS = 8  # as many decode steps as torch's recompile limit, each with a longer window


@dataclass(frozen=True)
class Window:
    """What a target forecasts from: ``rows`` of history, oldest first, and the times of the closes that are wanted.

    ``len(future)`` is the number of forecasts asked for, ``sample_count`` the number of paths to average, and
    ``max_context`` the longest context the model may look at, in rows.
    """

    rows: tuple[Row, ...]
    future: tuple[datetime, ...]
    sample_count: int
    max_context: int

    @property
    def pred_len(self) -> int:
        """How many closes are wanted."""
        return len(self.future)

    @property
    def closes(self) -> tuple[float, ...]:
        """The history's closes, oldest first."""
        return tuple(row.close for row in self.rows)

    @cached_property
    def frame(self) -> pandas.DataFrame:
        """The history as ``timestamps, open, high, low, close, volume, amount``, one line per row."""
        import pandas

        columns: dict[str, Any] = {"timestamps": pandas.to_datetime([row.at for row in self.rows])}
        for name in ("open", "high", "low", "close", "volume", "amount"):
            columns[name] = [getattr(row, name) for row in self.rows]
        return pandas.DataFrame(columns)


@dataclass(frozen=True)
class Case:
    """A window and the closes that followed it, in the series' own unit."""

    window: Window
    actual: tuple[float, ...]

    @property
    def naive_error(self) -> float:
        """Mean absolute error of repeating the last close."""
        return self.error_of([self.window.rows[-1].close] * len(self.actual))

    def error_of(self, forecast: Sequence[float]) -> float:
        """Mean absolute error of ``forecast`` over the closes that followed."""
        return sum(abs(value - truth) for value, truth in zip(forecast, self.actual, strict=True)) / len(self.actual)


def shape_of(evaluation: EvaluationSpec, regime: str) -> tuple[int, int]:
    """History and forecast length in rows for a window regime.

    Saturated is production's case: the history fills the model's whole context, so every step sees the same shape.
    Growing starts below it, so that each of at least :data:`GROWING_STEPS` steps sees one row more than the last.
    """
    if regime == "saturated":
        return max(evaluation.lookback, evaluation.max_context), evaluation.pred_len
    steps = max(evaluation.pred_len, GROWING_STEPS)
    history = min(evaluation.lookback, evaluation.max_context - steps)
    if history < 2:
        raise BadInput(
            f"evaluation.max_context {evaluation.max_context} leaves no room to grow by {steps} rows; raise it"
        )
    return history, steps


def cut_cases(series: Sequence[Row], spec: WorkerSpec, count: int) -> list[Case]:
    """``count`` cases of this iteration, newest target first, each one row earlier than the one before.

    Iterations take up where the one before stopped and start over when the series is used up. Raises
    :class:`BadInput` when the series is shorter than one window and its target.
    """
    history, steps = shape_of(spec.evaluation, spec.regime)
    places = len(series) - history - steps + 1
    if places < 1:
        raise BadInput(
            f"{spec.evaluation.csv or 'the synthetic series'} has {len(series)} rows; a {spec.regime} window needs "
            f"{history + steps} ({history} of history and {steps} to forecast): give more rows or lower "
            "evaluation.lookback and evaluation.max_context"
        )
    first = spec.iteration * spec.predictions
    return [_case(series, len(series) - (first + k) % places, history, steps, spec) for k in range(count)]


def _case(series: Sequence[Row], end: int, history: int, steps: int, spec: WorkerSpec) -> Case:
    target = series[end - steps : end]
    window = Window(
        rows=tuple(series[end - steps - history : end - steps]),
        future=tuple(row.at for row in target),
        sample_count=spec.evaluation.sample_count,
        max_context=spec.evaluation.max_context,
    )
    return Case(window, tuple(row.close for row in target))
