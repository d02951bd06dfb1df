"""Commands that read logs: scan, follow, verify."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kronos_health.checks.errors import CheckError
from kronos_health.cli.common import context, load, out

if TYPE_CHECKING:
    from kronos_health.checks.following import Answer


class Form(StrEnum):
    """How a scan of a single file is printed."""

    TABLE = "table"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("scan")(scan_command)
    app.command("follow")(follow_command)
    app.command("verify")(verify_command)


def scan_command(
    source: list[str] = typer.Option([], "--source", "-s", help="configured log, may be repeated; default: all"),
    file: Path | None = typer.Option(None, "--file", "-f", help="read this file whole and store nothing"),
    form: Form = typer.Option(Form.TABLE, "--format", help="how --file is printed"),
) -> None:
    """Read what is new in the logs, from where the last scan stopped. Exit status 1: something serious.

    With --file the settings in force are used for their patterns and limits; it works without any just as well.
    """
    if file is not None:
        if source:
            raise CheckError("--file and --source exclude each other: a file is read whole, a source from its cursor.")
        _scan_file(file, form)
    else:
        _scan_sources(source)


def _scan_file(path: Path, form: Form) -> None:
    from kronos_health.checks.scanning import is_serious, scan_single_file
    from kronos_health.history.tables import file_report_table

    report = scan_single_file(path, load().settings)
    if form is Form.JSON:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, allow_nan=False))
    else:
        out.print(file_report_table(report))
    raise typer.Exit(1 if is_serious(report) else 0)


def _scan_sources(names: list[str]) -> None:
    from kronos_health.checks.scanning import scan
    from kronos_health.history.tables import scan_table

    opened = context()
    names = names or sorted(opened.settings.sources)
    if not names:
        raise CheckError("no log is configured: add a [sources.NAME] table with path = … to kronos_health.toml.")
    summaries = [scan(opened, name) for name in names]
    out.print(scan_table(summaries))
    raise typer.Exit(2 if any(s.problem for s in summaries) else 1 if any(s.serious for s in summaries) else 0)


def follow_command(
    source: list[str] = typer.Option([], "--source", "-s", help="configured log, may be repeated; default: all"),
    scan_every: float = typer.Option(
        300.0, "--scan-every", min=0, help="seconds between scans of all of them as a net; 0: somebody else's business"
    ),
) -> None:
    """Follow the logs until Ctrl-C or SIGTERM: what is critical is scanned at once, and what follows is sent.

    For a host that Airflow does not reach, or without Airflow. Lines are told once, whoever else scans the same logs.
    """
    import signal
    import threading

    from kronos_health.checks.following import Loop, followed_here
    from kronos_health.cli.tables import answer_lines

    opened, stop = context(), threading.Event()
    followed = followed_here(opened.settings, source)
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def end(_number: int, _frame: object) -> None:
        stop.set()
        for each, handler in usual.items():  # whoever asks again means at once
            signal.signal(each, handler)

    for number, handler in usual.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)

    def say(line: str) -> None:
        out.print(line, markup=False, highlight=False, soft_wrap=True)

    for name, reason in followed.left_out.items():
        say(f"{name} {reason}")

    def tell(done: Answer) -> None:
        for line in answer_lines(done):
            say(line)

    say(f"Following {', '.join(followed.names)}. Ctrl-C ends it.")
    Loop(opened, followed.names, say, stop, scan_seconds=scan_every, on_answer=tell).run()
    say("Ended; the next scan goes on where this one stopped.")


def verify_command(
    since: datetime | None = typer.Option(None, "--since", help="UTC; default: the last known deployment"),
) -> None:
    """Answer the four checks for after a deployment, with counts and times.

    Exit status 1: one is bad, or an alert about a log is open; 2: the logs do not answer one.
    """
    from datetime import UTC

    from kronos_health.checks.attention import of_alerts
    from kronos_health.checks.verifying import verify
    from kronos_health.history.tables import verification_table

    opened = context()
    verification = verify(opened, since.replace(tzinfo=since.tzinfo or UTC) if since else None)
    out.print(verification_table(verification.checks))
    for line in of_alerts(verification.open_about_logs):
        out.print(f"open alert: {line}", style="yellow", markup=False, highlight=False)
    wrong = verification.bad or verification.open_about_logs
    raise typer.Exit(1 if wrong else 2 if verification.unknown else 0)
