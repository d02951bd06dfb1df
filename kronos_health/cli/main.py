"""The command tree, and the one place where errors become lines for people."""

from __future__ import annotations

import gc
import signal
import sys
from types import FrameType
from typing import NoReturn

import typer

from kronos_health import __version__
from kronos_health.checks.errors import CheckError
from kronos_health.cli import (
    alerts,
    candidates,
    conversation,
    doctor,
    health,
    logs,
    probing,
    records,
    rehearsing,
    setup,
    signatures,
    switching,
    targets,
)
from kronos_health.cli.common import STATE, errors
from kronos_health.settings.errors import SettingsError
from kronos_health.store.errors import StoreError

COULD_NOT = 2
# Objects made before Python looks for cycles among them: importing makes hundreds of thousands that stay, and looking
# through them after every 700, as it does by itself, is a sixth of a scan's processor time.
_COLLECT_AFTER = 50_000

app = typer.Typer(
    name="kronos-health",
    help="May Kronos and Toto run compiled? The verdict, the evidence, and the minute production breaks it.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    health,
    doctor,
    probing,
    rehearsing,
    candidates,
    targets,
    logs,
    signatures,
    alerts,
    switching,
    records,
    setup,
    conversation,
)
for module in _COMMANDS:
    module.register(app)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    config: str = typer.Option("", "--config", "-c", help="settings file; default: ./kronos_health.toml"),
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="print the version"),
) -> None:
    """Remember which settings file to read; nothing is read before a command needs it."""
    STATE.config = config or None


class Stopped(BaseException):
    """Ctrl-C or SIGTERM; no KeyboardInterrupt, which the command-line library would turn into a silent exit."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


def _listen() -> None:
    """End in good order at both signals; one that whoever started us had ignored stays ignored."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is usual:
            signal.signal(number, _stop)


def main() -> None:
    """Entry point of the console script."""
    gc.set_threshold(_COLLECT_AFTER)
    _listen()
    try:
        app()
    except (SettingsError, StoreError, CheckError) as error:
        errors.print(str(error), style="bold red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(COULD_NOT)
    except Stopped as stop:
        errors.print(
            "interrupted; what was finished is stored. A campaign goes on with: kronos-health probe --resume",
            style="yellow",
        )
        sys.exit(128 + stop.number)
    except BrokenPipeError:
        # The reader (head, less) went away: that is its right.
        sys.stderr.close()
        sys.exit(0)
