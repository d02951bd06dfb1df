"""What production was expected to do (2025-10-30) beside what its logs say it does."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from kronos_health.history import words
from kronos_health.settings.models import Bounds
from kronos_health.store.history import run_query

WINDOW: Final = timedelta(days=7)
_THE_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
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


@dataclass(frozen=True, slots=True)
class Production:
    """What production's logs say, and of which period: words such as "in the last 7 days"."""

    period: str
    figures: tuple[Expectation, ...]


def production_figures(
    connection: Connection, now: datetime, bounds: Bounds, sources: Collection[str] | None = None
) -> Production:
    """Every bounded metric, seen or not, then every other number the logs carried lately.

    Lately is the last seven days; where they hold no number, since the last deployment; else all there is. ``sources``
    are the logs that count; ``None`` stands for every log ever scanned.
    """
    period, rows = _measured(connection, now, sources)
    several = len({row["source"] for row in rows}) > 1
    seen: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        seen.setdefault(row["metric"], []).append(row)
    figures = []
    for metric, limits in bounds.ranges.items():
        found = [_figure(metric, limits, row, several) for row in seen.pop(metric, [])]
        figures += found or [_figure(metric, limits, None, several)]
    for metric, others in seen.items():
        figures += [_figure(metric, bounds.of(metric, row["subject"]), row, several) for row in others]
    return Production(period, tuple(figures))


def _measured(
    connection: Connection, now: datetime, sources: Collection[str] | None
) -> tuple[str, list[dict[str, Any]]]:
    """The first period that holds anything, with its percentiles."""
    days = f"in the last {WINDOW.days} days"
    for period, since in _periods(connection, now):
        rows = run_query(connection, "prediction_latency_percentiles", {"since": since}, now=now).dicts()
        rows = [row for row in rows if sources is None or row["source"] in sources]
        if rows:
            return (days if period is None else f"{period}; none {days}"), rows
    return days, []


def _periods(connection: Connection, now: datetime) -> Iterator[tuple[str | None, datetime]]:
    yield None, now - WINDOW
    deployed = run_query(connection, "deployments", {"since": _THE_BEGINNING}, now=now).dicts()
    if deployed:
        newest = deployed[0]["deployed_at"]
        yield f"since the deployment of {words.stamp(newest)}", newest
    yield "since the first scan", _THE_BEGINNING


def _figure(metric: str, limits: tuple[float, float] | None, row: dict[str, Any] | None, several: bool) -> Expectation:
    name, unit = _LABELS.get(metric, (metric, ""))
    subject = row["subject"] if row else None
    label = f"{name} of {subject}" if subject else name
    if row is not None and several:
        label += f" in {row['source']}"
    expected = words.NOTHING if limits is None else _span(limits, unit)
    stated = _STATED.get((metric, subject), _STATED.get((metric, None), words.NOTHING))
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
