"""Deliver: send what the outbox holds through the channels that are set up."""

from __future__ import annotations

from typing import TextIO

from kronos_health.alerts import recording
from kronos_health.alerts.outbox import DeliverySummary
from kronos_health.alerts.outbox import deliver as send
from kronos_health.alerts.registry import open_channels
from kronos_health.checks.context import Context
from kronos_health.checks.pulse import pulse
from kronos_health.store.database import writing

__all__ = ["DeliverySummary", "deliver", "remind"]

_AT_ONCE = 200  # alerts per transaction: a short lock each


def remind(context: Context) -> int:
    """Queue what is due though no check has looked: reminders, escalations, what silences kept quiet; how many."""
    queued = 0
    while True:
        with writing(context.engine) as connection:
            recorded = recording.record_due(connection, context.settings, context.now(), _AT_ONCE)
        queued += recorded.queued
        if len(recorded.decisions) < _AT_ONCE:
            return queued


def deliver(context: Context, stream: TextIO | None = None, patience_seconds: float = 0.0) -> DeliverySummary:
    """Send what is due. ``stream`` is where the console channel writes; with patience, waits for rate limits."""
    with pulse(context, "deliver") as state:
        channels = open_channels(context.settings, stream)
        remind(context)
        summary = send(context.engine, channels, context.settings, context.clock, patience_seconds=patience_seconds)
        if summary.disabled_channels or summary.dead:
            state.attention("; ".join(summary.problems) or f"refused: {', '.join(summary.disabled_channels)}")
        return summary
