"""Explaining where messages go, without sending any."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from kronos_health.alerts.routing import explained, held_until, routed
from kronos_health.alerts.text import moment
from kronos_health.domain.alerts import TransitionKind
from kronos_health.domain.matching import Subject
from kronos_health.settings.models import Settings

__all__ = ["explained", "where_it_goes"]


def where_it_goes(settings: Settings, kind: str, key: str, severity: str, now: datetime) -> Iterator[str]:
    """The channels of a message about such an alert, whether it would wait, and why, line by line."""
    fired = TransitionKind.FIRED
    found = routed(Subject(kind, key, severity), fired, settings)
    yield f"{kind}:{key} ({severity}) → {' and '.join(found.channels) or 'nowhere, only recorded'}"
    yield from (f"  {reason}" for reason in found.reasons)
    if not found.channels:
        return
    until = held_until(severity, fired, settings, now)
    if until is not None:
        yield f"  quiet hours: it would be held until {moment(until)}"
    elif settings.alerts.quiet_hours:
        yield "  quiet hours: it would be sent at once"
