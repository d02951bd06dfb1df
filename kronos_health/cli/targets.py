"""Commands about the targets: what is under watch, and making ahead the environments that some of them need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from kronos_health.cli.common import context, errors, load, out

if TYPE_CHECKING:
    from kronos_health.settings.models import Target

targets = typer.Typer(help="The models under watch: list, prepare.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(targets, name="targets")


@targets.callback()
def list_command(call: typer.Context) -> None:
    """List the configured targets: how they are loaded, where they run, and what only they are asked for."""
    if call.invoked_subcommand is not None:
        return
    from rich.table import Table
    from rich.text import Text

    settings = load().settings
    table = Table("Target", "Probed", "Loader", "Runs in", "Its own criteria", header_style="bold", box=None)
    for name, target in settings.targets.items():
        probed = "by itself" if name in settings.probe.targets else "when asked"
        table.add_row(*(Text(cell) for cell in (name, probed, target.loader, _place(target), _criteria(target))))
    out.print(table)


@targets.command("prepare")
def prepare_command(name: list[str] = typer.Argument(help="targets, e.g. toto")) -> None:
    """Make the environments of targets that run in one of their own. A probe makes what is missing, too.

    Exit status 1: one could not be made.
    """
    from kronos_health.checks.candidates import prepare
    from kronos_health.checks.context import require_known
    from kronos_health.domain.candidates import PRODUCTION
    from kronos_health.probe.candidates import has_own_environment

    opened = context()
    for one in name:
        require_known("target", one, opened.settings.targets)
        if not has_own_environment(opened.settings.targets[one]):
            out.print(f"{one} runs in {_place(opened.settings.targets[one])}: nothing to make.", markup=False)
    wanted = [one for one in name if has_own_environment(opened.settings.targets[one])]
    problems = prepare(opened, [(one, PRODUCTION) for one in wanted], lambda text: out.print(text, markup=False))
    for problem in problems:
        errors.print(problem, style="red", markup=False)
    if wanted and not problems:
        out.print(f"{', '.join(wanted)}: ready.", markup=False)
    raise typer.Exit(1 if problems else 0)


def _place(target: Target) -> str:
    from kronos_health.probe.candidates import has_own_environment

    if has_own_environment(target):
        return "an environment made for it"
    return str(target.interpreter) if target.interpreter else "this program's environment"


def _criteria(target: Target) -> str:
    asked = target.criteria_in_force
    parts = (
        f"fewer than {asked.recompiles_below} recompilations" if asked.recompiles_below is not None else "",
        f"{asked.minimum_speed_up:g} times as fast" if asked.minimum_speed_up is not None else "",
        f"at most {asked.maximum_cudagraph_skips} skipped graphs" if asked.maximum_cudagraph_skips is not None else "",
    )
    return ", ".join(part for part in parts if part) or "none"
