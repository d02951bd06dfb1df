"""When a hit in a log wakes a scan: at once, at most one at a time, and again where nobody answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# A wake-up that nobody answers is repeated after so many seconds; then it is left to the regular scan.
AGAIN_SECONDS = (15.0, 60.0, 240.0)


@dataclass(slots=True)
class _Call:
    """A wake-up of one log: its number, when it was last sent, and how often it was repeated."""

    ticket: str
    sent_at: float
    repeated: int = 0


@dataclass(slots=True)
class Waking:
    """The wake-ups of several logs.

    The first hit wakes at once. What comes within ``pause`` seconds of a wake-up is one further wake-up at its end, so
    that a hit during a scan always leads to another one. Times are monotonic seconds, passed in.
    """

    pause: float
    _waiting: set[str] = field(default_factory=set)
    _calls: dict[str, _Call] = field(default_factory=dict)
    _unanswered: set[str] = field(default_factory=set)

    @property
    def unanswered(self) -> bool:
        """Whether a wake-up has not been answered, as far as is known."""
        return bool(self._unanswered)

    @property
    def tickets(self) -> dict[str, str]:
        """The newest ticket of each log that was ever woken for."""
        return {name: call.ticket for name, call in self._calls.items()}

    def hit(self, names: Iterable[str]) -> None:
        """Something was seen in these logs."""
        self._waiting.update(names)

    def due(self, now: float, ticket: str) -> tuple[str, ...]:
        """The logs to wake a scan for at ``now``; they count as woken, new ones under ``ticket``."""
        fresh = {name for name in self._waiting if self._rested(name, now)}
        again = {name for name in self._unanswered - fresh - self._waiting if self._is_overdue(name, now)}
        for name in fresh:
            self._calls[name] = _Call(ticket, now)
        for name in again:
            call = self._calls[name]
            call.sent_at, call.repeated = now, call.repeated + 1
        self._waiting -= fresh
        self._unanswered |= fresh
        return tuple(sorted(fresh | again))

    def answered(self, tickets: Mapping[str, str]) -> None:
        """A scan that began after the wake-up with this ticket has read the log, for each of ``tickets``."""
        self._unanswered -= {name for name in self._unanswered if tickets.get(name) == self._calls[name].ticket}

    def _rested(self, name: str, now: float) -> bool:
        call = self._calls.get(name)
        return call is None or now - call.sent_at >= self.pause

    def _is_overdue(self, name: str, now: float) -> bool:
        call = self._calls[name]
        if call.repeated >= len(AGAIN_SECONDS):
            self._unanswered.discard(name)
            return False
        return now - call.sent_at >= AGAIN_SECONDS[call.repeated]
