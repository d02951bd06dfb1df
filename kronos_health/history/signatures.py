"""The signatures in force as a table for terminals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from rich.table import Table
from rich.text import Text

_STYLES = {"critical": "red", "warning": "yellow"}


class Listed(Protocol):
    """A signature, and the records it was found in where a file was read."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def severity(self) -> str:
        """How urgent it is."""
        ...

    @property
    def title(self) -> str:
        """One line for people."""
        ...

    @property
    def records(self) -> int | None:
        """In how many records of a file it was found."""
        ...


def signature_table(listed: Iterable[Listed]) -> Table:
    """Name, severity and title of each, and its records where a file was read."""
    items = tuple(listed)
    counts = any(item.records is not None for item in items)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Signature", "Severity", "Title"):
        table.add_column(name, overflow="fold")
    if counts:
        table.add_column("Records", justify="right")
    for item in items:
        row = [Text(item.name), Text(item.severity, style=_STYLES.get(item.severity, "")), Text(item.title)]
        table.add_row(*row, *([Text(f"{item.records or 0:,}")] if counts else []))
    return table
