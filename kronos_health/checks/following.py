"""Follow: notice within seconds that a log says something critical, scan it at once, and send what follows.

The follower stores nothing. It only calls the ordinary scan, whose cursor makes sure that no line is told twice,
however many wake-ups there are and whoever scans at the same time.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TextIO

from sqlalchemy.exc import SQLAlchemyError

from kronos_health.checks.context import Context, require_known
from kronos_health.checks.delivering import DeliverySummary, deliver
from kronos_health.checks.errors import CheckError
from kronos_health.checks.scanning import ScanSummary, catalogue_of, scan
from kronos_health.logs.follower import Follower, Say
from kronos_health.logs.places import live_files
from kronos_health.logs.waking import Waking
from kronos_health.settings.models import Settings
from kronos_health.store.errors import StoreError

# The record of a hit may still be open when it is scanned: so often it is scanned again, a moment later.
_FURTHER_SCANS = 2
_DELIVERY_PATIENCE_SECONDS = 5.0
_LONGEST_BACKOFF_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Followed:
    """Which logs are followed from here, and why the others are not."""

    names: tuple[str, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What answering a wake-up did, scan by scan and delivery by delivery."""

    scans: tuple[ScanSummary, ...]
    deliveries: tuple[DeliverySummary, ...]

    @property
    def news(self) -> bool:
        """Whether anything of severity warning or above was found."""
        return any(one.serious or one.gaps for one in self.scans)


def followed_here(settings: Settings, asked: Iterable[str] = ()) -> Followed:
    """The logs to follow on this host: those asked for, else all but those of other queues that are not seen here.

    Raises :class:`CheckError` for an unknown name, and when nothing is left to follow.
    """
    names = tuple(asked)
    for name in names:
        require_known("source", name, settings.sources)
    away = {
        name: f"is on the worker queue {source.queue} and not to be seen here ({source.path})"
        for name, source in settings.sources.items()
        if not names and source.queue and not live_files(source.path)
    }
    chosen = names or tuple(name for name in settings.sources if name not in away)
    if not chosen:
        raise CheckError("no log to follow: add a [sources.NAME] table with path = … to kronos_health.toml.")
    return Followed(chosen, away)


def open_follower(settings: Settings, names: Iterable[str], say: Say) -> Follower:
    """A follower of the logs ``names``. Raises :class:`CheckError` for a wrong catalogue."""
    return Follower({name: settings.sources[name] for name in names}, catalogue_of(settings), say)


def answer(
    context: Context, names: Iterable[str], stream: TextIO | None = None, sleep: Callable[[float], None] = time.sleep
) -> Answer:
    """Scan the logs ``names`` now and send what is due; then wait a moment for records that had not ended.

    Raises as :func:`scan` and :func:`deliver` do; what was scanned before is then stored, and the rest waits.
    """
    scans = [scan(context, name) for name in names]
    deliveries = [deliver(context, stream, _DELIVERY_PATIENCE_SECONDS)]
    unfinished = _unfinished(scans)
    for _ in range(_FURTHER_SCANS if unfinished else 0):
        sleep(context.settings.logs.idle_seconds)
        further = [scan(context, name) for name in unfinished]
        scans += further
        if any(one.serious for one in further):
            deliveries.append(deliver(context, stream, _DELIVERY_PATIENCE_SECONDS))
        unfinished = _unfinished(further)
        if not unfinished:
            break
    return Answer(tuple(scans), tuple(deliveries))


def _unfinished(scans: Iterable[ScanSummary]) -> list[str]:
    """The logs whose last record, perhaps that of the hit, was still open."""
    return [one.source for one in scans if one.counts.open_bytes and not one.problem]


@dataclass(slots=True)
class Loop:
    """Follows ``names`` until ``stop`` is set: hits are answered at once, and every ``scan_seconds`` all are scanned.

    ``say`` hears what a person should know; nothing short of a signal ends the loop, since a database that is away
    comes back. ``scan_seconds`` of 0 leaves the regular scan to somebody else.
    """

    context: Context
    names: tuple[str, ...]
    say: Say
    stop: threading.Event
    scan_seconds: float = 300.0
    stream: TextIO | None = None
    on_answer: Callable[[Answer], None] = lambda _answer: None
    clock: Callable[[], float] = time.monotonic
    _failures: int = field(default=0, init=False)
    _said: str = field(default="", init=False)

    def run(self) -> None:
        """Return when ``stop`` is set; what is being scanned or sent then is finished first."""
        settings = self.context.settings.follow
        follower = open_follower(self.context.settings, self.names, self.say)
        waking, tickets = Waking(settings.pause_seconds), itertools.count()
        follower.look()  # from here on: what came before is for the first scan
        scanned_at: float | None = None
        while not self.stop.is_set():
            now = self.clock()
            if scanned_at is None or (self.scan_seconds and now - scanned_at >= self.scan_seconds):
                waking.hit(self.names)
                scanned_at = now
            waking.hit(follower.look())
            if due := waking.due(now, str(next(tickets))):
                self._answer(due, waking)
            self.stop.wait(0.01 if follower.busy else settings.look_seconds)

    def _answer(self, names: tuple[str, ...], waking: Waking) -> None:
        """Answer, or have it tried again after a while that grows."""
        tickets = waking.tickets
        try:
            done = answer(self.context, names, self.stream)
        except (StoreError, SQLAlchemyError, CheckError, OSError) as error:
            self._failures += 1
            waking.hit(names)
            self._complain(str(error))
            self.stop.wait(min(2.0**self._failures, _LONGEST_BACKOFF_SECONDS))
            return
        if self._failures:
            self.say("It works again.")
        self._failures, self._said = 0, ""
        waking.answered({name: tickets[name] for name in names})
        self.on_answer(done)

    def _complain(self, text: str) -> None:
        if text != self._said:
            self.say(f"{text} It is tried again.")
            self._said = text
