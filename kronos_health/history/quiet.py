"""Which silences lie over open alerts. Matchers are decided in Python, on both databases alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from kronos_health.domain.matching import Subject
from kronos_health.domain.silences import longest
from kronos_health.history.facts import AlertFacts
from kronos_health.store import silences


def with_silences(connection: Connection, alerts: Iterable[AlertFacts], now: datetime) -> tuple[AlertFacts, ...]:
    """``alerts``, each with the end and the author of the silence over it that lasts longest."""
    active = silences.active(connection, now)
    covering = [(alert, longest(active, Subject(alert.kind, alert.key, alert.severity))) for alert in alerts]
    return tuple(
        replace(alert, silenced_until=over.ends_at, silenced_by=over.author) if over else alert
        for alert, over in covering
    )
