"""Charts of the history: steady latency, and the outcome of every day, per variant.

Drawn with matplotlib's object interface (no display needed), as PNG or SVG bytes. SVG text stays text and
takes its colour from the page around it, so that one image serves a light and a dark page.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection

from kronos_health.history.escaping import printable
from kronos_health.store.history import run_query

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Image = Literal["png", "svg"]

_INK = "#123456"  # stands for the page's own text colour until the SVG is finished
_PALETTE = ("#3b82f6", "#e4572e", "#17a398", "#b07aa1", "#f2a541", "#76b7b2", "#9c755f", "#7f8c8d")
_ORDER = {"cuda": 0, "cpu": 1, "none": 2, "rehearsal": 3}
_HASH_SALT = "kronos-health"  # the same data gives the same bytes
_DRAWING = threading.Lock()  # the style context is the process's, and a page may be asked for twice at once
_cache_of_this_process: list[tempfile.TemporaryDirectory[str]] = []

Series = dict[str, list[tuple[date, float]]]


def latency_chart(
    connection: Connection,
    now: datetime,
    target: str = "kronos",
    days: int = 30,
    image: Image = "png",
    cache: Path | None = None,
) -> bytes:
    """Steady latency in milliseconds by day, a line per variant and kind of evidence.

    ``cache`` is where matplotlib may keep its font list; without it a folder that ends with this process.
    """
    series: Series = {}
    for row in _rows(connection, now, "latency_trend", target, days):
        series.setdefault(_label(row), []).append((row["day"], row["steady_median_ms"]))
    return _draw(image, cache, "Steady latency of one prediction, ms", 3.4, lambda axes: _latency(axes, series))


def latency_in_words(connection: Connection, now: datetime, target: str = "kronos", days: int = 30) -> str:
    """What :func:`latency_chart` ends with, for whoever cannot see it; empty when nothing was measured."""
    latest: dict[str, float] = {}
    for row in sorted(_rows(connection, now, "latency_trend", target, days), key=lambda row: row["day"]):
        latest[_label(row)] = row["steady_median_ms"]
    return "; ".join(f"{label} {value:,.0f} ms" for label, value in sorted(latest.items()))


def outcome_chart(
    connection: Connection,
    now: datetime,
    target: str = "kronos",
    days: int = 30,
    image: Image = "png",
    cache: Path | None = None,
) -> bytes:
    """A row per variant and kind of evidence, a cell per day: iterations that passed, of those that say something."""
    cells = _rows(connection, now, "variant_success_by_day", target, days)
    height = 1.3 + 0.28 * len({_label(row) for row in cells})
    title = "Iterations that passed, by day"
    return _draw(image, cache, title, height, lambda axes: _outcomes(axes, cells))


def _rows(connection: Connection, now: datetime, query: str, target: str, days: int) -> list[dict[str, Any]]:
    since = (now - timedelta(days=days)).date()
    return run_query(connection, query, {"target": target, "since": since}, now=now).dicts()


def _label(row: dict[str, Any]) -> str:
    candidate = "" if row["candidate"] == "production" else f" @ {row['candidate']}"
    name = printable(f"{row['variant']}{candidate}").lstrip("_")  # an underscore in front hides a line from the legend
    words = {"cuda": "CUDA", "cpu": "CPU, not admissible", "rehearsal": "rehearsal"}
    return f"{name} ({words.get(row['evidence'], row['evidence'])})"


def _draw(image: Image, cache: Path | None, title: str, height: float, plot: Callable[[Axes], None]) -> bytes:
    _keep_to_ourselves(cache)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    ink = _INK if image == "svg" else "#222222"
    style: dict[Any, Any] = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), ink
    )
    style |= {"svg.fonttype": "none", "svg.hashsalt": _HASH_SALT, "font.size": 9, "text.parse_math": False}
    with _DRAWING, mpl.rc_context(style):
        figure = Figure(figsize=(8, height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title, loc="left", fontsize=10)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        plot(axes)
        return _svg(figure) if image == "svg" else _png(figure)


def _latency(axes: Axes, series: Series) -> None:
    if not series:
        _nothing(axes)
        return
    for index, (label, points) in enumerate(sorted(series.items())):
        style = "-" if label.endswith("(CUDA)") else ":" if label.endswith("(rehearsal)") else "--"
        days, values = [_noon(day) for day, _value in points], [value for _day, value in points]
        # Variants often stand on the same value: later ones are drawn thinner, so that none is hidden.
        width = max(3.2 - 0.6 * index, 1.2)
        colour = _PALETTE[index % len(_PALETTE)]
        axes.plot(days, values, style, color=colour, marker="o", markersize=4, linewidth=width, label=label)  # type: ignore[arg-type]
    axes.grid(True, axis="y", alpha=0.25)
    values = [value for points in series.values() for _day, value in points if value > 0]
    if values and max(values) > 20 * min(values):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    _date_axis(axes, sorted({day for points in series.values() for day, _value in points}), _noon)
    axes.figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=8)


def _outcomes(axes: Axes, cells: list[dict[str, Any]]) -> None:
    if not cells:
        _nothing(axes)
        return
    days = sorted({row["day"] for row in cells})
    ordered = sorted(cells, key=lambda row: (_ORDER.get(row["evidence"], 9), row["variant"]), reverse=True)
    labels = list(dict.fromkeys(_label(row) for row in ordered))  # drawn from below: CUDA ends up on top
    for row in cells:
        x, y = days.index(row["day"]), labels.index(_label(row))
        counts = row["evidence"] == "cuda"  # what is never evidence is drawn paler
        axes.barh(y, 0.92, left=x - 0.46, height=0.8, color=_colour(row), alpha=1.0 if counts else 0.6)
        if len(days) <= 15:
            told = f"{row['passed']}/{row['iterations']}" if row["iterations"] else "–"
            axes.text(x, y, told, ha="center", va="center", fontsize=8, color="white")
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(-0.5, len(days) - 0.5)
    _date_axis(axes, days, days.index)


def _colour(row: dict[str, Any]) -> str:
    if not row["iterations"]:
        return "#7f8c8d"  # skipped, lost or failed by itself: says nothing about the variant
    if row["passed"] == row["iterations"]:
        return "#1a7f37"
    return "#b3261e" if row["graph_reuse"] else "#b35900"


def _nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "no probe has measured this yet", ha="center", va="center", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])


def _date_axis(axes: Axes, days: list[date], place: Callable[[date], Any]) -> None:
    shown = days[:: max(len(days) // 8, 1)]
    axes.set_xticks([place(day) for day in shown], [f"{day:%b %d}" for day in shown])


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12)  # noqa: DTZ001 - a place on an axis, not a moment


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return text.replace(_INK, "currentColor").encode()


def _keep_to_ourselves(cache: Path | None) -> None:
    """Give matplotlib a folder of ours before its first import: it would write into the home folder otherwise."""
    if "MPLCONFIGDIR" in os.environ:
        return
    if cache is None:
        folder = tempfile.TemporaryDirectory(prefix="kronos-health-charts-")
        _cache_of_this_process.append(folder)  # removed when the interpreter ends
        cache = Path(folder.name)
    cache.mkdir(parents=True, exist_ok=True)
    os.environ["MPLCONFIGDIR"] = str(cache)


def embedded(svg: bytes, identifier: str) -> str:
    """SVG as part of an HTML page: ids made unique, so that two charts on one page do not share clip paths."""
    text = svg.decode()
    names: Iterable[str] = set(re.findall(r'id="([^"]+)"', text))
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(f'id="{name}"', f'id="{identifier}-{name}"')
        text = text.replace(f"url(#{name})", f"url(#{identifier}-{name})")
        text = text.replace(f'href="#{name}"', f'href="#{identifier}-{name}"')
    return text
