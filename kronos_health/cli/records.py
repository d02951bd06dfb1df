"""Commands that read the history: report, query, channels."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kronos_health.checks.errors import CheckError
from kronos_health.cli.common import context, out

if TYPE_CHECKING:
    from kronos_health.alerts.channels import Channel
    from kronos_health.checks.context import Context


channel = typer.Typer(help="The ways out: check, enable.", no_args_is_help=True)


class Form(StrEnum):
    """How the rows of a query are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("report")(report_command)
    app.command("query")(query_command)
    app.add_typer(channel, name="channel")


def report_command(
    output: Path | None = typer.Option(None, "--output", "-o", help="file to write; default: standard output"),
    target: str = typer.Option("kronos", "--target", "-t", help="the model the report is about"),
) -> None:
    """Write the markdown report: summary, errors, decision, rationale, expected against measured, criteria, checks."""
    from kronos_health.history.report import write_report
    from kronos_health.store.database import reading

    opened = context()
    with reading(opened.engine) as connection:
        text = write_report(connection, opened.now(), target, opened.settings.bounds, opened.settings.sources)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CheckError(f"the report cannot be written to {output}: {error.strerror}.") from error
    out.print(f"Report written to {output}", markup=False)


def query_command(
    name: str = typer.Argument("", help="name of the query; without one, all are listed"),
    param: list[str] = typer.Option([], "--param", "-p", help="name=value, may be repeated"),
    form: Form = typer.Option(Form.TABLE, "--format", help="how rows are printed"),
) -> None:
    """Run a named query over the history, or list them with their parameters."""
    from kronos_health.cli.tables import queries_table, rows_table
    from kronos_health.store.database import reading
    from kronos_health.store.history import QueryError, list_queries, run_query

    if not name:
        out.print(queries_table(list_queries()))
        return
    opened = context()
    try:
        with reading(opened.engine) as connection:
            result = run_query(connection, name, dict(_pair(item) for item in param), now=opened.now())
    except QueryError as error:
        raise CheckError(str(error)) from error
    if form is Form.JSON:
        typer.echo(json.dumps(result.dicts(), default=str, ensure_ascii=False))
    elif form is Form.CSV:
        import csv
        import sys

        writer = csv.writer(sys.stdout)
        writer.writerow(result.columns)
        writer.writerows(result.rows)
    else:
        out.print(rows_table(name, result))


@channel.command("check")
def channel_check_command(name: str = typer.Argument(help="console, slack, slack_webhook or apprise:NAME")) -> None:
    """Ask a channel whether it works, without sending a message. Exit status 1 when it does not."""
    from kronos_health.alerts.condition import recheck

    opened, way = _channel(name)
    state = recheck(opened.engine, way, opened.settings, opened.now())
    out.print(f"{name}: {state.detail}", markup=False, highlight=False)
    raise typer.Exit(1 if state.ok is False else 0)


@channel.command("enable")
def channel_enable_command(name: str = typer.Argument(help="console, slack, slack_webhook or apprise:NAME")) -> None:
    """Take a refused channel back into use, after its cause was mended."""
    from kronos_health.alerts.condition import channel_enable

    opened, _way = _channel(name)
    enabled = channel_enable(opened.engine, name, opened.settings, opened.now())
    out.print(f"{name} is in use again." if enabled else f"{name} was not refused.", markup=False)


def _channel(name: str) -> tuple[Context, Channel]:
    from kronos_health.alerts.registry import open_channels

    opened = context()
    channels = open_channels(opened.settings)
    if name not in channels:
        there = ", ".join(channels)
        raise CheckError(
            f"the channel {name!r} is not set up. Set up: {there}. See [slack] and [apprise] in kronos_health.toml."
        )
    return opened, channels[name]


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise CheckError(f"--param {text!r} is not of the form name=value.")
    return name, value
