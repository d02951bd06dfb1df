"""Whether somebody listens to Slack, judged by their signs of life. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kronos_health.domain.conversation import Listener

ALIVE_WITHIN = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether somebody listens, and a sentence about it."""

    ok: bool
    sentence: str


def health_of(found: Listener | None, now: datetime) -> Health:
    """How the listener ``found`` is at ``now``; ``None``: nobody ever listened."""
    if found is None:
        return Health(False, "nobody listens to Slack yet: kronos-health slack-listen")
    who = f"the listener on {found.host} (process {found.pid})"
    if found.ended_at:
        return Health(False, f"{who} ended at {found.ended_at:%Y-%m-%d %H:%M:%S} UTC.")
    if now - found.alive_at > ALIVE_WITHIN:
        return Health(False, f"{who} has shown no sign of life since {found.alive_at:%Y-%m-%d %H:%M:%S} UTC.")
    if not found.connected:
        return Health(False, f"{who} is not connected: {found.problem or 'it is connecting'}.")
    return Health(True, f"{who} listens since {found.started_at:%Y-%m-%d %H:%M:%S} UTC.")


def best(known: tuple[Listener, ...], now: datetime) -> Health:
    """The health of the one that is well, where one is, else of the one that was alive last."""
    healths = [health_of(one, now) for one in known]
    return next((health for health in healths if health.ok), healths[0] if healths else health_of(None, now))
