"""The console: the way out that needs no set-up, and the second route when another is refused."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

from kronos_health.alerts.channels import Channel, ChannelCheck, Outcome, Parcel, Verdict
from kronos_health.alerts.plain import plain_text
from kronos_health.domain.alerts import Message, TransitionKind
from kronos_health.domain.logs import Severity

_STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}


class ConsoleChannel(Channel):
    """Writes messages to a stream, in colour on a terminal. Written counts as sent.

    What was written cannot be read back: a run that is killed between writing and noting so writes it again.
    """

    name = "console"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, parcel: Parcel) -> Outcome:
        """Write the message; a stream that is closed or broken leaves it queued."""
        stream = self._stream or sys.stdout
        try:
            console = Console(file=stream, highlight=False, emoji=False, markup=False)
            console.print(_styled(parcel.message, stream.encoding or "utf-8"), soft_wrap=True)
            console.print()
            stream.flush()
        except (OSError, ValueError) as error:
            return Outcome(Verdict.NOT_DELIVERED, error=f"the console cannot be written to: {error}")
        return Outcome(Verdict.DELIVERED)

    def check(self) -> ChannelCheck:
        """It works as long as its stream is open."""
        closed = (self._stream or sys.stdout).closed
        return ChannelCheck(not closed, "the stream is closed" if closed else "writes to the console")


def _styled(message: Message, encoding: str) -> Text:
    """The plain text with its first line coloured; log text is never read as markup.

    What the stream's encoding lacks becomes a question mark: a poor terminal must not hold a message up.
    """
    first, _, rest = plain_text(message).encode(encoding, "replace").decode(encoding).partition("\n")
    resolved = message.transition is TransitionKind.RESOLVED
    text = Text(first, style="bold green" if resolved else _STYLES[message.severity])
    return text.append("\n" + rest, style="not bold default") if rest else text
