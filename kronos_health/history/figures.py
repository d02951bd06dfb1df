"""Figures over time in words: how many are watched, and which of them somebody should see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from kronos_health.history import words
from kronos_health.history.facts import FigureFacts

_NAMES = {
    "steady_latency": "steady latency",
    "peak_memory": "peak memory",
    "cold_compile": "compile time, cold cache",
    "warm_compile": "compile time, warm cache",
}
_LABELS = {"insufficient_data": "with too little data", "disturbed": "disturbed"}
_NEWS = frozenset({"suspicious", "regression", "improvement"})


def name(facts: FigureFacts) -> str:
    """Which figure of which arm, e.g. ``steady latency of eager on CUDA``; production's full window goes without."""
    regime = "" if facts.regime == "saturated" else f", {facts.regime} window"
    arm = words.arm(facts.variant, facts.candidate)
    return f"{_NAMES.get(facts.figure, facts.figure)} of {arm} on {facts.device.upper()}{regime}"


def state(facts: FigureFacts) -> str:
    """What the newest probe says of it; a regression stands until the level is back, whatever the last value says."""
    value = words.figure(facts.value, facts.unit)
    if facts.reference is not None:
        usual = words.figure(facts.reference, facts.unit)
        return f"regression, {value} where {usual} were usual ({facts.regressed_by:+.0%})"
    change = f" ({facts.change:+.1%})" if facts.change is not None else ""
    return f"{_LABELS.get(facts.label, facts.label)}, {value}{change}"


def summary(figures: Iterable[FigureFacts]) -> str:
    """One line: ``8 watched: 1 regression, 5 steady, 2 with too little data``; empty where none is."""
    counts = Counter("regression" if facts.reference is not None else facts.label for facts in figures)
    if not counts:
        return ""
    order = ("regression", "suspicious", "improvement", "steady", "insufficient_data", "disturbed")
    told = [f"{counts[label]} {_LABELS.get(label, label)}" for label in order if counts[label]]
    return f"{counts.total()} watched: {', '.join(told)}"


def noteworthy(figures: Iterable[FigureFacts]) -> list[FigureFacts]:
    """Those that stepped, or may have; standing regressions first."""
    found = [facts for facts in figures if facts.reference is not None or facts.label in _NEWS]
    return sorted(found, key=lambda facts: facts.reference is None)
