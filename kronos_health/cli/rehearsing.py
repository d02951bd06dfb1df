"""The command that says what CUDA graphs would do, without a GPU: for configured targets, and for anybody's model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kronos_health.checks.context import CheckError
from kronos_health.checks.rehearsing import (
    PASSES,
    Factory,
    Rehearsal,
    Trial,
    of_factory,
    rehearse,
    rehearse_only,
)
from kronos_health.cli.common import errors, load, out, prepared_context
from kronos_health.cli.logs import Form
from kronos_health.cli.progress import ProbeProgress
from kronos_health.domain import leaks
from kronos_health.domain.candidates import PRODUCTION
from kronos_health.domain.probes import Outcome
from kronos_health.history import words

Names = list[str]
_STATUS = {0: "passes", 1: "fails", 2: "could not"}


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("rehearse")(rehearse_command)


def rehearse_command(
    target: Names = typer.Option([], "--target", "-t", help="configured target, may be repeated"),
    factory: str = typer.Option("", "--factory", help="module:function that makes a model; needs no settings file"),
    path: list[Path] = typer.Option([], "--path", help="with --factory: folder to import it from, may be repeated"),
    option: Names = typer.Option([], "--option", help="with --factory: name=value handed to it, may be repeated"),
    python: Path | None = typer.Option(None, "--python", help="with --factory: interpreter that has torch"),
    variant: Names = typer.Option(
        [], "--variant", "-v", help="variant, or all; may be repeated; default: stock, and what mends it"
    ),
    candidate: Names = typer.Option(
        [], "--candidate", help="torch=VERSION, kronos=REVISION or python=PATH instead of production; may be repeated"
    ),
    iterations: int = typer.Option(1, "--iterations", "-n", min=1, help="fresh processes per rehearsal"),
    store: bool = typer.Option(True, "--store/--no-store", help="a --factory is never stored"),
    ignore_blackout: bool = typer.Option(False, "--ignore-blackout", help="run now, also in a [[probe.blackout]]"),
    form: Form = typer.Option(Form.TABLE, "--format", help="table, or one JSON object"),
) -> None:
    """Say what CUDA graphs would do, without a GPU, and which variant mends it. A rehearsal is never evidence.

    Exit status 0: passes, 1: fails, 2: could not be rehearsed.
    """
    if factory and target:
        raise CheckError("--factory and --target exclude each other: a target is made by its own loader.")
    if not factory and (path or option or python):
        raise CheckError("--path, --option and --python go with --factory; a target has them in its settings.")
    if candidate and (factory or not store):
        raise CheckError("--candidate goes with stored rehearsals of configured targets only.")
    made = Factory(factory, tuple(path), tuple(map(_pair, option)), python) if factory else None
    with ProbeProgress(errors if form is Form.JSON else out) as progress:
        rest = (tuple(variant), iterations, progress.show)
        if made is not None:
            done = rehearse_only(of_factory(made), (factory,), *rest)
        elif store:
            context = prepared_context().ignoring_blackout() if ignore_blackout else prepared_context()
            done = rehearse(context, tuple(target), *rest, named=tuple(candidate) or (PRODUCTION,))
        else:
            done = rehearse_only(load().settings, tuple(target), *rest)
    _tell(done, form)


def _tell(done: tuple[Rehearsal, ...], form: Form) -> None:
    status = max(rehearsal.status for rehearsal in done)
    if form is Form.JSON:
        content = {"status": _STATUS[status], "rehearsals": [as_json(rehearsal) for rehearsal in done]}
        typer.echo(json.dumps(content, ensure_ascii=False))
    else:
        for rehearsal in done:
            out.print(rehearsal_table(rehearsal))
    raise typer.Exit(status)


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


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise CheckError(f"--option {text!r}: write name=value.")
    return name, value
