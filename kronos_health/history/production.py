"""What production was expected to do (2025-10-30) beside what its logs say it does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from kronos_health.history import words
from kronos_health.settings.models import Bounds
from kronos_health.store.history import run_query

_LABELS: Final = {
    "kronos_inference_ms": ("Kronos inference time", "ms"),
    "toto_inference_ms": ("Toto inference time", "ms"),
    "kronos_memory_mb": ("Kronos memory", "MB"),
    "toto_memory_mb": ("Toto memory", "MB"),
    "maxdiff_return": ("MaxDiff return", ""),
}
# What the team's document of 2025-10-30 states (both models eager), by metric and subject.
_STATED: Final = {
    ("kronos_inference_ms", None): "about 3 s",
    ("toto_inference_ms", None): "about 500 ms",
    ("kronos_memory_mb", None): "336 MB",
    ("toto_memory_mb", None): "650 MB",
    ("maxdiff_return", "ETHUSD"): "0.1043",
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """One metric: what was stated on 2025-10-30, the bounds, median and p95 of what was measured, and the verdict."""

    metric: str
    label: str
    stated: str
    expected: str
    measured: str
    samples: int
    verdict: str  # "as expected", "out of bounds", "unknown" (no values), or "–" (nothing was expected)


def production_figures(
    connection: Connection, now: datetime, since: datetime, bounds: Bounds
) -> tuple[Expectation, ...]:
    """Every bounded metric, seen or not, then every other number the logs carried since ``since``."""
    rows = run_query(connection, "prediction_latency_percentiles", {"since": since}, now=now).dicts()
    seen: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        seen.setdefault(row["metric"], []).append(row)
    expected = {name: getattr(bounds, name) for name in type(bounds).model_fields}
    figures = []
    for metric, limits in expected.items():
        figures += [_figure(metric, limits, row) for row in seen.pop(metric, [])] or [_figure(metric, limits, None)]
    for metric, others in seen.items():
        figures += [_figure(metric, None, row) for row in others]
    return tuple(figures)


def _figure(metric: str, limits: tuple[float, float] | None, row: dict[str, Any] | None) -> Expectation:
    name, unit = _LABELS.get(metric, (metric, ""))
    subject = row["subject"] if row else None
    label = f"{name} of {subject}" if subject else name
    expected = words.NOTHING if limits is None else _span(limits, unit)
    stated = _STATED.get((metric, subject if limits is None else None), words.NOTHING)
    if row is None:
        return Expectation(metric, label, stated, expected, "no log line carried it", 0, "unknown")
    measured = f"{words.figure(row['p50'], unit)} ({words.figure(row['p95'], unit)})"
    if limits is None:
        verdict = words.NOTHING
    else:
        verdict = "as expected" if limits[0] <= row["p50"] <= limits[1] else "out of bounds"
    return Expectation(metric, label, stated, expected, measured, row["samples"], verdict)


def _span(limits: tuple[float, float], unit: str) -> str:
    low, high = limits
    return f"up to {words.figure(high, unit)}" if low == 0 else f"{words.figure(low)} to {words.figure(high, unit)}"
