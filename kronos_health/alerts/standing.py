"""How an open alert stands, in words, and the queue of first messages that are to show it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import Connection

from kronos_health.alerts.messages import from_json, to_json
from kronos_health.alerts.text import clean_line, moment
from kronos_health.domain.alerts import Alert, AlertState, Standing, TransitionKind
from kronos_health.domain.matching import Subject
from kronos_health.domain.silences import Silence, longest
from kronos_health.store import alerts as store
from kronos_health.store import first_messages, outbox
from kronos_health.store import silences as silence_store
from kronos_health.store.alerts import StoredAlert
from kronos_health.store.first_messages import FirstMessage

_AT_ONCE = 200  # first messages looked after in one run; the rest follow in the next


def standing_lines(standing: Standing) -> tuple[str, ...]:
    """What is to be said of it beside its figures; plain text."""
    lines = []
    if standing.state is AlertState.RECOVERING:
        lines.append("🌤️ Getting better: it looks good again, and is watched until that is certain.")
    if standing.acknowledged_by:
        since = f", since {moment(standing.acknowledged_at)}" if standing.acknowledged_at else ""
        lines.append(f"👀 {clean_line(standing.acknowledged_by)} looks after it{since}.")
    if standing.silenced_until:
        by = f" by {clean_line(standing.silenced_by)}" if standing.silenced_by else ""
        lines.append(f"🔕 Silenced until {moment(standing.silenced_until)}{by}.")
    return tuple(lines)


def standing_of(stored: StoredAlert, silences: Iterable[Silence]) -> Standing:
    """How the alert stands while ``silences`` are in force."""
    alert = stored.alert
    silence = longest(silences, Subject(alert.kind.value, alert.key, stored.severity.value))
    return Standing(
        state=alert.state,
        occurrences=max(alert.occurrences, 1),
        acknowledged_by=alert.acknowledged_by,
        acknowledged_at=alert.acknowledged_at,
        silenced_until=silence.ends_at if silence else None,
        silenced_by=silence.author if silence else None,
    )


def queue_refreshes(connection: Connection, channels: Collection[str], now: datetime) -> int:
    """Have the first message of every open alert show how it stands, where it shows something else.

    Called by whoever delivers: however an alert changed (a scan, a person, a silence that ran out), its message
    follows, and nobody who changes an alert need know of messages. Returns how many are to be shown anew.
    """
    held = {stored.alert.fingerprint: stored for stored in store.open_alerts(connection)}
    if not channels or not held:
        return 0
    silences = silence_store.active(connection, now)
    count = 0
    for first in first_messages.first_messages(connection, channels):
        stored = held.get(first.fingerprint)
        if stored is None or stored.alert.episode != first.episode or count >= _AT_ONCE:
            continue
        count += _refresh(connection, first, stored.alert, standing_of(stored, silences), now)
    return count


def _refresh(connection: Connection, known: FirstMessage, alert: Alert, standing: Standing, now: datetime) -> bool:
    wanted = _digest(standing)
    first = outbox.by_id(connection, known.id) if known.shown != wanted else None
    if first is None:
        return False
    try:
        message = from_json(first.message)
    except ValueError:  # of a newer program: left as it is
        return False
    if first.shown is None and _digest(Standing(AlertState.FIRING, max(message.occurrences, 1))) == wanted:
        first_messages.note_shown(connection, first.id, wanted)
        return False
    told = replace(message, transition=TransitionKind.REFRESHED, standing=standing)
    first_messages.refresh(connection, first, alert.sequence, to_json(told), wanted, now)
    return True


def _digest(standing: Standing) -> str:
    return json.dumps(asdict(standing), default=str, sort_keys=True)
