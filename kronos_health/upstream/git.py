"""Asking git about one folder: without a terminal, optional locks, hooks or a pager, and bounded in time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kronos_health.upstream.commands import Answer, ask, clean_environment


@dataclass(frozen=True, slots=True)
class Git:
    """git in ``path``; ``timeout_seconds`` bounds each command."""

    path: Path
    timeout_seconds: float

    def __call__(self, *arguments: str) -> Answer:
        """Run git here. A person named the path in the settings, so another owner is no objection.

        Raises ``NoAnswer`` when git cannot be started or does not end in time.
        """
        environment = clean_environment(
            "GIT_SSH", "GIT_CONFIG_", GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0", GIT_PAGER="cat"
        )  # fmt: skip
        options = ["-C", str(self.path), "-c", f"safe.directory={self.path}", "-c", "i18n.logOutputEncoding=UTF-8"]
        return ask(["git", *options, *arguments], self.timeout_seconds, environment)
