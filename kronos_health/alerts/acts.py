"""What a person's act makes of an alert: pure, like the policy, and with its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from kronos_health.domain.alerts import Alert, AlertDecision, Transition, TransitionKind


def acknowledge(alert: Alert, who: str, now: datetime) -> AlertDecision:
    """``who`` takes an open alert on: no reminder and no escalation until the episode is over or gets worse.

    Acknowledging what is acknowledged changes nothing, whoever does it.
    """
    if alert.acknowledged_at is not None:
        return AlertDecision(alert, (), f"{alert.acknowledged_by} had acknowledged it")
    taken = replace(alert, acknowledged_at=now, acknowledged_by=who)
    return _decided(taken, TransitionKind.ACKNOWLEDGED, now, f"{who} acknowledged it")


def unacknowledge(alert: Alert, who: str, now: datetime) -> AlertDecision:
    """``who`` gives it back: reminders go on when they are due."""
    if alert.acknowledged_at is None:
        return AlertDecision(alert, (), "nobody had acknowledged it")
    reason = f"{who} took back what {alert.acknowledged_by} had acknowledged"
    # Whoever could take it on instead has as long as after the first message before it is escalated.
    given_back = replace(alert, acknowledged_at=None, acknowledged_by=None, told_at=now, due_at=now)
    return _decided(given_back, TransitionKind.UNACKNOWLEDGED, now, reason)


def _decided(alert: Alert, kind: TransitionKind, now: datetime, reason: str) -> AlertDecision:
    step = Transition(kind, alert.episode, alert.sequence, now, reason, announce=False)
    return AlertDecision(alert, (step,), reason)
