"""What the doctor says: one line per thing looked at, and what they come to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from kronos_health.history.words import counted


class Standing(StrEnum):
    """How one thing stands. ``NOT_ASKED``: there is nothing here to ask, which is no fault."""

    OK = "ok"
    NOT_ASKED = "not asked"
    ATTENTION = "attention"
    UNKNOWN = "unknown"
    FAILED = "failed"


_BY_URGENCY = (Standing.NOT_ASKED, Standing.OK, Standing.UNKNOWN, Standing.ATTENTION, Standing.FAILED)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line. ``next_step`` is a command, set wherever something is to be done.

    ``told_elsewhere``: the check that trips over it raises an alert of its own, so the doctor raises none.
    """

    subject: str  # database, schema, disk, logs, runs, probes, channels, clock, dags, settings, heartbeat
    standing: Standing
    what: str
    next_step: str = ""
    told_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Checkup:
    """All the lines of one look."""

    lines: tuple[Diagnosis, ...]

    @property
    def exit_status(self) -> int:
        """As of ``check``: 2 when the checker cannot work or something could not be looked at, 1 for attention, 0."""
        seen = {line.standing for line in self.lines}
        if seen & {Standing.FAILED, Standing.UNKNOWN}:
            return 2
        return 1 if Standing.ATTENTION in seen else 0

    @property
    def sentence(self) -> str:
        """What it comes to."""
        if self.exit_status == 0:
            return "The checker is well."
        named = {
            Standing.FAILED: "{} failed",
            Standing.UNKNOWN: "{} could not be looked at",
            Standing.ATTENTION: "{} {}",
        }
        parts = []
        for standing, words in named.items():
            count = sum(line.standing is standing for line in self.lines)
            if count:
                parts.append(
                    words.format(counted(count, "thing"), "wants attention" if count == 1 else "want attention")
                )
        return f"{', '.join(parts)}."

    @property
    def first_concern(self) -> str:
        """The most urgent line, or the sentence when there is none."""
        worst = max(self.lines, key=lambda line: _BY_URGENCY.index(line.standing), default=None)
        if worst is None or self.exit_status == 0:
            return self.sentence
        return f"{worst.subject}: {worst.what}"

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        lines = [asdict(line) | {"standing": line.standing.value} for line in self.lines]
        return {"exit_status": self.exit_status, "sentence": self.sentence, "lines": lines}


def worst(lines: tuple[Diagnosis, ...]) -> Diagnosis:
    """The line that matters most."""
    return max(lines, key=lambda line: _BY_URGENCY.index(line.standing))
