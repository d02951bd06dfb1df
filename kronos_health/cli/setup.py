"""Commands for setting up: the database and the settings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kronos_health.cli.common import load, out, prepared_context

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from kronos_health.settings.models import Settings

db = typer.Typer(help="The history database: upgrade, current, check, import.", no_args_is_help=True)
config = typer.Typer(help="The settings in force.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(db, name="db")
    app.add_typer(config, name="config")


@db.command("upgrade")
def upgrade_command() -> None:
    """Make or upgrade the schema, reinstall the views, and import the baseline of 2025-10-30. May be run again."""
    from kronos_health.checks.baseline import import_shipped

    opened = prepared_context()
    imported = import_shipped(opened)
    from kronos_health.store.migrations import revisions

    out.print(f"{opened.engine.url.render_as_string(hide_password=True)}: schema {revisions(opened.engine).current}")
    out.print(imported, markup=False)


@db.command("current")
def current_command() -> None:
    """Print the schema the database has, and the one this program needs."""
    from kronos_health.store.migrations import revisions

    found = revisions(_engine())
    out.print(f"schema {found.current or 'none'}, this program's {found.head}")


@db.command("check")
def check_command() -> None:
    """Exit status 0 when the database is reachable and its schema is this program's; else 2 and why."""
    from kronos_health.store.migrations import check

    engine = _engine()
    check(engine)
    out.print(f"{engine.url.render_as_string(hide_password=True)}: reachable, schema as needed")


@db.command("import")
def import_command(
    path: Path = typer.Argument(help="a kronos_benchmark_results.json"),
    target: str = typer.Option("kronos", "--target", "-t", help="the model it is about"),
    recorded: datetime | None = typer.Option(
        None, "--recorded", help="when it was measured, UTC; default: recorded_at in the file, else its own time"
    ),
) -> None:
    """Import the results file of the original benchmark script, and decide anew. Importing it again adds nothing."""
    from kronos_health.checks.baseline import import_file

    at = recorded.replace(tzinfo=recorded.tzinfo or UTC) if recorded else None
    for line in import_file(prepared_context(), path, target, at):
        out.print(line, markup=False, highlight=False)


@config.command("check")
def config_check_command() -> None:
    """Print every setting in force and where it came from, secrets masked. Exit status 1: something is unusable."""
    from kronos_health.checks.explaining import explained
    from kronos_health.checks.usable import check_usable
    from kronos_health.settings.explain import render_problems, render_settings
    from kronos_health.settings.reachable import check_reachable

    loaded = load()
    problems = check_reachable(loaded.settings, loaded.origins)
    problems += check_usable(loaded.settings, loaded.origins, {problem.key for problem in problems})
    out.print(render_settings(loaded))
    out.print(render_problems(problems), soft_wrap=True)
    for line in explained(loaded.settings):
        out.print(line, markup=False, highlight=False)
    out.print(_connections(loaded.settings), style="dim", markup=False)
    raise typer.Exit(1 if any(problem.severity == "error" for problem in problems) else 0)


def _engine() -> Engine:
    from kronos_health.store.database import open_engine

    settings = load().settings
    return open_engine(settings.database_url, settings.database.busy_timeout_seconds)


def _connections(settings: Settings) -> str:
    parts = (settings.database, settings.slack, settings.apprise)
    names = [part.airflow_connection for part in parts if part.airflow_connection]
    if not names:
        return ""
    return (
        f"Airflow's tasks also read the connections {', '.join(names)} wherever Airflow keeps them; a command sees "
        "those that are in its environment (AIRFLOW_CONN_…)."
    )
