"""What can be wrong with settings, in lines for people: key, value, where it came from, and the fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``value`` is already masked where the key is a secret.

    ``severity`` is ``"warning"`` for what may mend itself, such as a log that has not been written yet.
    """

    key: str
    message: str
    fix: str = ""
    value: str | None = None
    origin: str = ""
    severity: Literal["error", "warning"] = "error"

    @property
    def line(self) -> str:
        """The problem on one line."""
        shown = self.key if self.value is None else f"{self.key} = {self.value}"
        where = f" ({self.origin})" if self.origin else ""
        text = f"{shown}{where}: {self.message}"
        return " ".join(f"{text.rstrip('.')}. {self.fix}".split())

    @property
    def is_error(self) -> bool:
        """False for a warning."""
        return self.severity == "error"

    def __str__(self) -> str:
        return self.line


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` holds everything that was found, the text has a line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.line for problem in self.problems))
