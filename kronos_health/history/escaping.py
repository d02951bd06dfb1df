"""Text from logs and databases made safe to show: control characters gone, Markdown kept from meaning anything."""

from __future__ import annotations

import re
import unicodedata

_TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,500}(?:\x07|\x1b\\)?|\x1b.?")
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#!])")
_KEPT = {"\n", "\t"}


def printable(text: str) -> str:
    """``text`` without terminal sequences, control characters, and marks that hide or reorder text."""
    text = _TERMINAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(sign for sign in text if sign in _KEPT or unicodedata.category(sign) not in {"Cc", "Cf", "Cs"})


def markdown(text: str) -> str:
    """``text`` on one line as Markdown that shows exactly it: no markup, no HTML, no end of a table cell."""
    line = " ".join(printable(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", line)


def code(text: str) -> str:
    """``text`` as an inline code span that may stand in a table cell."""
    line = " ".join(printable(text).split()).replace("|", "\\|")
    fence = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}" if line else ""


def block(text: str) -> str:
    """``text`` as a fenced block that nothing inside it can end."""
    body = printable(text).rstrip()
    fence = "`" * max(_longest_run(body) + 1, 3)
    return f"{fence}text\n{body}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
