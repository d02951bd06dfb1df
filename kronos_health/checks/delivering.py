"""Deliver: send what the outbox holds through the channels that are set up."""

from __future__ import annotations

from typing import TextIO

from kronos_health.alerts.outbox import DeliverySummary
from kronos_health.alerts.outbox import deliver as send
from kronos_health.alerts.registry import open_channels
from kronos_health.checks.context import Context
from kronos_health.checks.pulse import pulse

__all__ = ["DeliverySummary", "deliver"]


def deliver(context: Context, stream: TextIO | None = None, patience_seconds: float = 0.0) -> DeliverySummary:
    """Send what is due. ``stream`` is where the console channel writes; with patience, waits for rate limits."""
    with pulse(context, "deliver") as state:
        channels = open_channels(context.settings, stream)
        summary = send(context.engine, channels, context.settings, context.clock, patience_seconds=patience_seconds)
        if summary.disabled_channels or summary.dead:
            state.attention("; ".join(summary.problems) or f"refused: {', '.join(summary.disabled_channels)}")
        return summary
