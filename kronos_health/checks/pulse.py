"""The checker's own pulse: every run of every check leaves a row, whether it ends well, badly, or is killed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kronos_health.alerts.heartbeat import OF_THE_WHOLE, Pings
from kronos_health.checks.context import Context
from kronos_health.store import alerts as store
from kronos_health.store.database import writing

log = logging.getLogger(__name__)


@dataclass
class Pulse:
    """What the running check says of itself; ``ok`` unless it says otherwise. ``id`` is that of its row."""

    id: str
    verdict: str = "ok"  # ok, attention or failed
    message: str | None = None

    def attention(self, message: str) -> None:
        """The check ran, and found something a person should see."""
        self.verdict, self.message = "attention", message


@contextmanager
def pulse(context: Context, check: str, subject: str | None = None) -> Iterator[Pulse]:
    """Record begin and end of a check; an exception is recorded as ``failed`` with its text and goes on up.

    A run that is killed leaves a row without an end: housekeeping and ``kronos-health status`` see it. Where
    ``heartbeat.slugs`` names the check, an address outside is told as well; that it cannot be is only logged.
    """
    pings = Pings(context.settings.heartbeat, check)
    outside = check not in OF_THE_WHOLE  # those ping by themselves: also where no database is there to leave a row
    with writing(context.engine) as connection:
        state = Pulse(store.begin_heartbeat(connection, check, subject, context.now()))
    if outside:
        _note(pings.start())
    try:
        yield state
    except BaseException as error:
        state.verdict, state.message = "failed", f"{type(error).__name__}: {error}"[:2000]
        if outside:
            _note(pings.end(False, state.message))
        _end(context, state)
        raise
    _end(context, state)
    if outside:
        _note(pings.end(True, state.message or state.verdict))


def _note(problem: str | None) -> None:
    if problem:
        log.warning("%s", problem)


def _end(context: Context, state: Pulse) -> None:
    with writing(context.engine) as connection:
        store.end_heartbeat(connection, state.id, state.verdict, state.message, context.now())
