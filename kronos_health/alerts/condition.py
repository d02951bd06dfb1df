"""Whether channels work: closed with a reason when they refuse for good, opened again when they do not."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from kronos_health.alerts.channels import Channel, ChannelCheck, Outcome
from kronos_health.alerts.recording import record
from kronos_health.alerts.routing import second_route
from kronos_health.domain.alerts import AlertKind, Observation, ObservationState
from kronos_health.domain.logs import Severity
from kronos_health.settings.models import Settings
from kronos_health.store import alerts as store
from kronos_health.store.alerts import ChannelStatus
from kronos_health.store.database import reading, writing

_CHECK_EVERY = timedelta(hours=1)


def close_channel(connection: Connection, name: str, outcome: Outcome, settings: Settings, now: datetime) -> None:
    """Send nothing more to ``name``, and raise "checker unhealthy", which goes out by the second route."""
    reason = f"{outcome.error}. {outcome.advice}".strip()
    store.disable_channel(connection, name, reason, now, check_again_at=now + _CHECK_EVERY)
    record(connection, [of_channel(name, ObservationState.BAD, reason)], settings, now)


def channel_enable(engine: Engine, name: str, settings: Settings, now: datetime) -> bool:
    """Let messages flow to ``name`` again, those that were kept first; whether it had been disabled."""
    with writing(engine) as connection:
        was_disabled = store.enable_channel(connection, name)
        if was_disabled:
            record(
                connection, [of_channel(name, ObservationState.GOOD, f"{name} takes messages again.")], settings, now
            )
        return was_disabled


def recheck(engine: Engine, channel: Channel, settings: Settings, now: datetime) -> ChannelCheck:
    """Ask whether the channel works, without sending, and enable it when it says so."""
    found = channel.check()
    if found.ok:
        channel_enable(engine, channel.name, settings, now)
    return found


def reopen_if_it_works(engine: Engine, channel: Channel, settings: Settings, now: datetime) -> None:
    """Recheck a disabled channel, at most once an hour."""
    status = channel_status(engine, channel.name)
    if status is None or status.disabled_at is None or (status.not_before and status.not_before > now):
        return
    if not recheck(engine, channel, settings, now).ok:
        with writing(engine) as connection:
            store.hold_channel(connection, channel.name, now + _CHECK_EVERY)


def channel_status(engine: Engine, name: str) -> ChannelStatus | None:
    """What is known of a channel, or ``None`` when it was never used."""
    with reading(engine) as connection:
        return next((status for status in store.channels(connection) if status.name == name), None)


def usable_route(name: str, settings: Settings, present: Collection[str], refused: Collection[str]) -> str | None:
    """The channel that takes over from ``name``: the configured fallback, else the console, else none."""
    candidates = (second_route(name, settings), "console")
    return next((route for route in candidates if route != name and route in present and route not in refused), None)


def of_channel(name: str, state: ObservationState, summary: str) -> Observation:
    """Whether a channel takes messages; said by the second route while it does not."""
    return Observation(
        kind=AlertKind.CHECKER_UNHEALTHY,
        key=f"channel/{name}",
        state=state,
        severity=Severity.WARNING,
        title=f"Messages to {name} are refused",
        summary=summary,
        next_step=f"kronos-health channel enable {name}  # after mending the reason; its messages are kept till then",
        evidence=(f"channel:{name}",),
    )
