"""The checker's own pulse: every run of every check leaves a row, whether it ends well, badly, or is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kronos_health.checks.context import Context
from kronos_health.store import alerts as store
from kronos_health.store.database import writing


@dataclass
class Pulse:
    """What the running check says of itself; ``ok`` unless it says otherwise."""

    verdict: str = "ok"  # ok, attention or failed
    message: str | None = None

    def attention(self, message: str) -> None:
        """The check ran, and found something a person should see."""
        self.verdict, self.message = "attention", message


@contextmanager
def pulse(context: Context, check: str, subject: str | None = None) -> Iterator[Pulse]:
    """Record begin and end of a check; an exception is recorded as ``failed`` with its text and goes on up.

    A run that is killed leaves a row without an end: housekeeping and ``kronos-health status`` see it.
    """
    with writing(context.engine) as connection:
        heartbeat = store.begin_heartbeat(connection, check, subject, context.now())
    state = Pulse()
    try:
        yield state
    except BaseException as error:
        _end(context, heartbeat, "failed", f"{type(error).__name__}: {error}"[:2000])
        raise
    _end(context, heartbeat, state.verdict, state.message)


def _end(context: Context, heartbeat: str, verdict: str, message: str | None) -> None:
    with writing(context.engine) as connection:
        store.end_heartbeat(connection, heartbeat, verdict, message, context.now())
