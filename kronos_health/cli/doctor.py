"""The command that looks at the checker itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from kronos_health.cli.common import load, out

if TYPE_CHECKING:
    from kronos_health.checks.doctor import Diagnosis

_STYLES = {
    "ok": "green",
    "not asked": "dim",
    "attention": "bold yellow",
    "unknown": "bold magenta",
    "failed": "bold red",
}
_WIDTH = max(map(len, _STYLES))


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("doctor")(doctor_command)


def doctor_command(
    as_json: bool = typer.Option(False, "--json", help="for machines, on standard output"),
    tell: bool = typer.Option(False, "--tell", help="raise alerts and ping the heartbeat address, as the DAG does"),
) -> None:
    """Whether the checker itself is well: database, disk, scans, runs, channels, clock, DAGs, settings.

    Exit status 0: it is. 1: something wants attention. 2: it cannot do its work, or part of it could not be looked at.
    """
    from kronos_health.airflow_plugin.asking import ask_airflow
    from kronos_health.checks import doctor
    from kronos_health.settings.command import spelled

    loaded = load()
    settings = loaded.settings

    def ask() -> doctor.AirflowFigures:
        return ask_airflow(settings.state_dir, loaded.path, settings.doctor.airflow_timeout_seconds)

    checkup = (doctor.tell if tell else doctor.examine)(settings, ask, loaded.origins)
    if as_json:
        typer.echo(json.dumps(checkup.as_json(), ensure_ascii=False))
        raise typer.Exit(checkup.exit_status)
    for line in checkup.lines:
        out.print(_line(line, spelled(line.next_step, settings)), soft_wrap=True)
    out.print(f"{checkup.sentence} (status {checkup.exit_status})", style="bold", markup=False, highlight=False)
    raise typer.Exit(checkup.exit_status)


def _line(line: Diagnosis, step: str) -> Text:
    text = Text(f"{line.standing.value:<{_WIDTH}}  ", style=_STYLES[line.standing.value])
    text.append(f"{line.subject}: {line.what}", style="not bold default")
    if step:
        text.append(f"\n{'':<{_WIDTH}}  Next: {step}", style="not bold cyan")
    return text
