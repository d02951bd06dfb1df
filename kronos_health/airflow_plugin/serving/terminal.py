"""What ``up`` says in the terminal: one line for each thing done, and one that tells what it waits for now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape

_SAY_AGAIN_SECONDS = 30.0


class Waiting(Protocol):
    """Takes what is waited for at the moment."""

    def __call__(self, detail: str) -> None:
        """Show ``detail`` behind the clock."""


class Terminal:
    """A terminal, or a pipe: there nothing is redrawn, and a long wait is mentioned now and then."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)

    def say(self, text: str = "", style: str = "") -> None:
        """A line of its own. ``text`` may come from a log or an error: it is never markup."""
        self.console.print(escape(text), style=style or None, highlight=False, soft_wrap=True)

    @contextmanager
    def waiting(self, what: str) -> Iterator[Waiting]:
        """Show ``what`` with a running clock; on a good end a line with the time it took stays."""
        began = time.monotonic()
        with _Line(self, what, began) as line:
            yield line.update
        self.say(f"  ✓ {what} · {_seconds(began)}", "green")


class _Line:
    def __init__(self, terminal: Terminal, what: str, began: float) -> None:
        self.terminal, self.what, self.began = terminal, what, began
        self.said = began
        interactive = terminal.console.is_terminal
        self.status = terminal.console.status(f"{escape(what)} …") if interactive else None

    def __enter__(self) -> _Line:
        if self.status:
            self.status.start()
        return self

    def update(self, detail: str) -> None:
        text = f"{self.what} · {_seconds(self.began)}" + (f" · {detail}" if detail else "")
        if self.status:
            self.status.update(escape(text))
        elif time.monotonic() - self.said >= _SAY_AGAIN_SECONDS:
            self.said = time.monotonic()
            self.terminal.say(f"  … {text}")

    def __exit__(self, *_exception: object) -> None:
        if self.status:
            self.status.stop()


def _seconds(began: float) -> str:
    seconds = int(time.monotonic() - began)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s"
