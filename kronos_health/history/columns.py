"""Lines that stay whole on a narrow terminal: rows of probes whose name may go above its figures, and cut text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

LONGEST = 180
_INDENT = 2
_GAP = 2


def widths_of(rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column."""
    return [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]


@dataclass(frozen=True, slots=True)
class Row:
    """Name and outcome to the left, figures to the right. ``widths`` are those of all rows, ``style`` the outcome's."""

    cells: Sequence[str]
    widths: Sequence[int]
    style: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One line, or two where the name is too long for the width there is."""
        name, outcome, *figures = self.cells
        widest, first, *others = self.widths
        columns = "".join(f"{' ' * _GAP}{cell:>{width}}" for cell, width in zip(figures, others, strict=True))
        room = options.max_width - _INDENT - _GAP - first - sum(_GAP + width for width in others)
        width = min(widest, max(room, 0))
        if len(name) > width:
            yield one_line(f"{' ' * _INDENT}{name}")
            name = ""
        yield one_line(f"{' ' * _INDENT}{name:<{width}}{' ' * _GAP}", (f"{outcome:<{first}}", self.style), columns)


def one_line(*parts: str | tuple[str, str]) -> Text:
    """Parts with their styles as one line, which ends in an ellipsis where the terminal does."""
    line = Text.assemble(*parts)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def cut(line: Text, longest: int = LONGEST) -> Text:
    """What comes from outside may be long; it may not push the rest off the screen. The report has all of it."""
    line.truncate(longest, overflow="ellipsis")
    return line
