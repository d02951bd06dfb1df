"""How people start this program where it runs: commands in messages are there to be pasted."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from kronos_health.settings.models import Settings

PROGRAM = "kronos-health"
_MENTION = re.compile(rf"(?<![\w./-]){PROGRAM}(?= [a-z-])")


def spelled(step: str, settings: Settings) -> str:
    """``step`` with every command of this program as people start it here (``command`` in the settings)."""
    command = settings.command or own_command()
    return step if command == PROGRAM else _MENTION.sub(lambda _found: command, step)


def own_command(started: str | None = None, find: Callable[[str], str | None] = shutil.which) -> str:
    """How this very process was started (``started``: its ``sys.argv[0]``).

    The bare name where PATH leads to the same script, or where something else (Airflow) started this process; else the
    path as it was typed, such as ``.venv/bin/kronos-health`` in a checkout.
    """
    typed = started if started is not None else sys.argv[0] if sys.argv else ""
    if Path(typed).name != PROGRAM or typed == PROGRAM:
        return PROGRAM
    on_path = find(PROGRAM)
    return PROGRAM if on_path and Path(on_path).resolve() == Path(typed).resolve() else typed
