"""Commands for Slack as a conversation: the service that listens, and the probes that people asked for."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from types import FrameType

import typer

from kronos_health.cli.common import STATE, context, errors, out, prepared_context

_GRACE_SECONDS = 60.0  # a probe ends its own processes in this time


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("slack-listen")(listen_command)
    app.command("probe-asked")(probe_asked_command)


def listen_command(
    check: bool = typer.Option(False, "--check", help="only say whether it runs and is connected; exit status 0 or 1"),
    run_probes: bool = typer.Option(
        False, "--run-probes", help="measure here what people ask for; leave it out where Airflow runs"
    ),
) -> None:
    """Listen to Slack's buttons and /kronos by Socket Mode until Ctrl-C or SIGTERM; docs/slack.md has the set-up."""
    from kronos_health.checks import listening

    if check:
        health = listening.check(context())
        out.print(health.sentence, markup=False, highlight=False, style="green" if health.ok else "bold red")
        raise typer.Exit(0 if health.ok else 1)
    stop = _stop_event()
    probes = _Probes()
    try:
        listening.listen(prepared_context(), stop, _say, probes.start if run_probes else None)
    finally:
        probes.end()
    _say("ended")


def probe_asked_command() -> None:
    """Measure, here and now, what people asked for by a button in Slack and nobody has taken."""
    from kronos_health.checks.asked_probes import run_waiting

    done = run_waiting(prepared_context())
    for asked in done:
        out.print(f"asked for by {asked.who}: {asked.outcome}", markup=False, highlight=False)
    if not done:
        out.print("Nobody has asked for a probe that is still to be made.")


def _say(line: str) -> None:
    errors.print(line, markup=False, highlight=False, soft_wrap=True)


def _stop_event() -> threading.Event:
    """Set by the first Ctrl-C or SIGTERM: the service ends in good order, which is no failure."""
    stop = threading.Event()

    def _stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    return stop


class _Probes:
    """The one process that measures what was asked for: listening goes on meanwhile."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, unless it runs already."""
        if self._process is not None and self._process.poll() is None:
            return
        words = ["--config", STATE.config] if STATE.config else []
        program = "from kronos_health.cli import main; main()"
        self._process = subprocess.Popen([sys.executable, "-c", program, *words, "probe-asked"])

    def end(self) -> None:
        """Ask it to end, which keeps what it has measured."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
