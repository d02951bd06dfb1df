"""The command that says what CUDA graphs would do, without a GPU: for configured targets, and for anybody's model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kronos_health.checks.errors import CheckError
from kronos_health.cli.common import errors, load, out, prepared_context
from kronos_health.cli.logs import Form

if TYPE_CHECKING:
    from kronos_health.checks.rehearsing import Rehearsal

Names = list[str]


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
    from kronos_health.checks.rehearsing import Factory, of_factory, rehearse, rehearse_only
    from kronos_health.cli.progress import ProbeProgress
    from kronos_health.domain.candidates import PRODUCTION

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
    from kronos_health.cli.rehearsals import printed, written

    if form is Form.JSON:
        typer.echo(json.dumps(written(done), ensure_ascii=False))
    else:
        out.print(printed(done))
    raise typer.Exit(max(rehearsal.status for rehearsal in done))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise CheckError(f"--option {text!r}: write name=value.")
    return name, value
