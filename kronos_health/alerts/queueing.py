"""From a decision to rows: every step, and a message per channel for those that are announced."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from kronos_health.alerts import routing
from kronos_health.alerts.messages import compose, particulars_from_json, to_json
from kronos_health.alerts.text import clean_line
from kronos_health.domain.alerts import Alert, AlertDecision, Message, Observation, Transition, TransitionKind
from kronos_health.domain.matching import Subject
from kronos_health.settings.command import spelled
from kronos_health.settings.models import Settings
from kronos_health.store import alerts as store
from kronos_health.store import outbox
from kronos_health.store.alerts import StoredAlert


def queue(
    connection: Connection,
    observation: Observation,
    decision: AlertDecision,
    before: Alert,
    held: StoredAlert,
    settings: Settings,
    now: datetime,
    excerpt_cut: int = 0,
) -> int:
    """Store the steps of ``decision`` and queue what is announced; how many messages that were.

    ``held`` is the alert as it is stored now; ``excerpt_cut`` were left out of an excerpt that is said again.
    """
    queued = 0
    for step in decision.transitions:
        store.add_transition(connection, observation.fingerprint, step)
        if not step.announce:
            continue
        message = _message(observation, step, before, decision.next, held, settings)
        message = replace(message, excerpt_cut=max(message.excerpt_cut, excerpt_cut))
        subject = replace(observation.subject, severity=held.severity.value)
        held_until = routing.held_until(subject.severity, step.kind, settings, now)
        for channel in _channels(connection, message, subject, settings):
            queued += outbox.enqueue(
                connection,
                channel,
                observation.fingerprint,
                step.episode,
                step.kind,
                step.sequence,
                to_json(message),
                now,
                held_until=held_until,
            )
    return queued


def _message(
    observation: Observation, step: Transition, before: Alert, after: Alert, held: StoredAlert, settings: Settings
) -> Message:
    title = held.title or clean_line(observation.title)
    last_bad = particulars_from_json(held.particulars) if held.particulars else None
    message = compose(observation, step, before, after, title, held.severity, last_bad)
    return replace(message, next_step=spelled(message.next_step, settings))


def _channels(connection: Connection, message: Message, subject: Subject, settings: Settings) -> tuple[str, ...]:
    """Where it goes; the end of an episode goes wherever the episode was told, the second channel included."""
    names = routing.routed(subject, message.transition, settings).channels
    if message.transition is TransitionKind.RESOLVED:
        names += outbox.told_in(connection, f"{subject.kind}:{subject.key}", message.episode)
    return tuple(dict.fromkeys(names))
