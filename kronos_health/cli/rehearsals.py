"""How a rehearsal looks, on the screen and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kronos_health.checks.rehearsing import PASSES, Rehearsal, Trial
from kronos_health.domain import leaks
from kronos_health.domain.probes import Outcome
from kronos_health.history import words

_STATUS = {0: "passes", 1: "fails", 2: "could not"}


def printed(done: tuple[Rehearsal, ...]) -> RenderableType:
    """One table for each."""
    return Group(*map(rehearsal_table, done))


def written(done: tuple[Rehearsal, ...]) -> dict[str, Any]:
    """``status`` of all, and ``rehearsals``."""
    return {"status": _STATUS[max(each.status for each in done)], "rehearsals": [as_json(each) for each in done]}


def rehearsal_table(rehearsal: Rehearsal) -> RenderableType:
    """The trials, what leaks in the first that failed, and what mends it."""
    table = Table(pad_edge=False, box=None, header_style="bold")
    for name in ("Variant", "Outcome", "Passed", "Seconds", "What outlives its graph"):
        table.add_column(name, overflow="fold")
    for trial in rehearsal.trials:
        result = trial.result
        neutral = not result.outcome.about_the_model
        style = "green" if result.outcome is Outcome.PASSED else "yellow" if neutral else "red"
        table.add_row(
            Text(f"{rehearsal.target}: {words.arm(trial.variant.name, rehearsal.candidate)}"),
            Text(result.outcome.value if trial.asked or not neutral else "does not apply", style=style),
            f"{result.passed}/{result.spec.iterations}",
            f"{_seconds(trial):.1f}",
            Text(leaks.brief(result.leaks) or trial.reason),
        )
    return Group(table, *(Text(line, style=style) for line, style in _lines(rehearsal)))


def _lines(rehearsal: Rehearsal) -> Iterator[tuple[str, str]]:
    broken = _broken(rehearsal)
    if broken is not None:
        for sentence in leaks.story(broken.result.leaks):
            yield sentence, ""
        for sentence in leaks.advice(broken.result.leaks):
            yield sentence, "cyan"
    if rehearsal.mending is not None:
        yield rehearsal.mending.sentence, "bold green" if rehearsal.mending.mended else "bold red"
    elif rehearsal.status == PASSES:
        yield f"{rehearsal.target} keeps the rule of CUDA graphs in this rehearsal, which is never evidence.", "green"


def _broken(rehearsal: Rehearsal) -> Trial | None:
    """The first trial that says what leaks."""
    return next((trial for trial in rehearsal.trials if trial.asked and trial.result.leaks), None)


def as_json(rehearsal: Rehearsal) -> dict[str, Any]:
    """The rehearsal as JSON: ``target, candidate, status, trials, advice, mended_by, also_mended_by, sentence`` …"""
    broken, mending = _broken(rehearsal), rehearsal.mending
    cheapest = mending.cheapest if mending else None
    return {
        "target": rehearsal.target,
        "candidate": rehearsal.candidate,
        "status": _STATUS[rehearsal.status],
        "trials": [_trial(trial) for trial in rehearsal.trials],
        "diagnosis": " ".join(leaks.story(broken.result.leaks)) if broken else None,
        "advice": list(leaks.advice(broken.result.leaks)) if broken else [],
        "mended_by": cheapest.name if cheapest else None,
        "production_change": cheapest.production_change if cheapest else None,
        "also_mended_by": [variant.name for variant in mending.mended[1:]] if mending else [],
        "sentence": mending.sentence if mending else None,
    }


def _trial(trial: Trial) -> dict[str, Any]:
    result = trial.result
    frame = result.failure.frame if result.failure else None
    return {
        "variant": trial.variant.name,
        "asked": trial.asked,
        "outcome": result.outcome.value,
        "passed": result.passed,
        "iterations": result.spec.iterations,
        "seconds": round(_seconds(trial), 1),
        "torch": result.environment.torch if result.environment else None,
        "reason": trial.reason or None,
        "frame": asdict(frame) if frame else None,
        "leaks": [asdict(leak) for leak in result.leaks],
    }


def _seconds(trial: Trial) -> float:
    return (trial.result.finished_at - trial.result.started_at).total_seconds()
