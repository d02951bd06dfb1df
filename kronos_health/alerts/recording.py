"""From observations to alerts, steps and queued messages, in the caller's own transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from kronos_health.alerts.messages import particulars_from_json, particulars_of, to_json
from kronos_health.alerts.policies import policy_for
from kronos_health.alerts.policy import decide, decide_due
from kronos_health.alerts.queueing import queue
from kronos_health.alerts.text import clean_line
from kronos_health.domain.alerts import (
    Alert,
    AlertDecision,
    AlertPolicy,
    AlertState,
    Observation,
    ObservationState,
    Overlays,
    Particulars,
    Transition,
    TransitionKind,
)
from kronos_health.domain.matching import Subject
from kronos_health.domain.silences import longest
from kronos_health.settings.models import Settings
from kronos_health.store import alerts as store
from kronos_health.store import silences as silence_store
from kronos_health.store.alerts import StoredAlert

_KEY_LIMIT = 190  # of the column


@dataclass(frozen=True, slots=True)
class RecordedAlerts:
    """What came of the observations: each decision in their order, and how many messages were queued."""

    decisions: tuple[AlertDecision, ...] = ()
    queued: int = 0

    @property
    def announced(self) -> tuple[Transition, ...]:
        """The steps that are worth a message."""
        return tuple(step for decision in self.decisions for step in decision.transitions if step.announce)

    def fingerprints(self, kind: TransitionKind) -> tuple[str, ...]:
        """The alerts that took a step of ``kind``."""
        return tuple(
            decision.next.fingerprint
            for decision in self.decisions
            if any(step.kind is kind for step in decision.transitions)
        )


def record(
    connection: Connection, observations: Sequence[Observation], settings: Settings, now: datetime
) -> RecordedAlerts:
    """Decide about every observation, in order, and store alerts, steps and messages.

    Nothing is begun or committed: findings, cursor and alerts stand or fall together. Raises ``StoreError`` when
    another process changed an alert first.
    """
    fitting = [_fitting(observation) for observation in observations]
    stored = _locked(connection, fitting)
    silences = silence_store.active(connection, now)
    decisions, queued = [], 0
    for observation in fitting:
        held = stored.get(observation.fingerprint)
        policy = policy_for(observation.kind, settings.alerts)
        overlays = Overlays(
            _inhibitor(observation.inhibitors, stored),
            longest(silences, _subject(observation, held)),
            _fired_recently(connection, held, policy, now),
        )
        decision = decide(held.alert if held else None, observation, policy, now, overlays)
        decisions.append(decision)
        if held is not None:
            before, held = held, _next(held, decision, observation)
            if held != before:
                stored[observation.fingerprint] = store.save_alert(connection, held)
            queued += queue(connection, observation, decision, before.alert, held, settings, now)
    return RecordedAlerts(tuple(decisions), queued)


def record_due(connection: Connection, settings: Settings, now: datetime, limit: int = 200) -> RecordedAlerts:
    """Say what is due though nothing new was seen: reminders, escalations, and what silences had kept quiet.

    At most ``limit`` alerts at once; called again it goes on. On the same terms as :func:`record`.
    """
    wanted = {held.alert.fingerprint: _last_said(held) for held in store.due_alerts(connection, now, limit)}
    if not wanted:
        return RecordedAlerts()
    stored = store.lock_alerts(connection, {*wanted, *(name for last in wanted.values() for name in last.inhibitors)})
    silences = silence_store.active(connection, now)
    decisions, queued = [], 0
    for fingerprint in wanted:
        held = stored[fingerprint]
        last = _last_said(held)  # again: what was read before it was locked may be old
        observation = _last_look(held, last)
        overlays = Overlays(_inhibitor(last.inhibitors, stored), longest(silences, observation.subject))
        decision = decide_due(held.alert, observation, policy_for(held.alert.kind, settings.alerts), now, overlays)
        decisions.append(decision)
        stored[fingerprint] = store.save_alert(connection, replace(held, alert=decision.next))
        queued += queue(connection, observation, decision, held.alert, held, settings, now, last.excerpt_cut)
    return RecordedAlerts(tuple(decisions), queued)


def _last_said(held: StoredAlert) -> Particulars:
    return particulars_from_json(held.particulars) if held.particulars else Particulars()


def _last_look(held: StoredAlert, last: Particulars) -> Observation:
    """What the last look saw, in the words of the last bad one; a good or blind look is told by its state alone."""
    seen = held.alert.seen or ObservationState.BAD
    return Observation(
        kind=held.alert.kind,
        key=held.alert.key,
        state=seen,
        severity=held.severity,
        title=held.title,
        summary=last.summary if seen is ObservationState.BAD else "",
        next_step=last.next_step,
        facts=last.facts,
        excerpt=last.excerpt,
        evidence=last.evidence,
        inhibitors=last.inhibitors,
    )


def _fired_recently(connection: Connection, held: StoredAlert | None, policy: AlertPolicy, now: datetime) -> int:
    """How often it fired within the window of flapping; asked only where it could matter."""
    closed = held is not None and held.alert.state in (AlertState.OK, AlertState.PENDING)
    if held is None or not closed or not 0 < policy.flap_count <= held.alert.episode + 1:
        return 0
    since = now - timedelta(seconds=policy.flap_window_seconds)
    return store.fired_between(connection, held.alert.fingerprint, since, now)


def _subject(observation: Observation, held: StoredAlert | None) -> Subject:
    """What silences match: as severe as the alert was when it was last bad."""
    if held is None or observation.state is ObservationState.BAD or not held.title:
        return observation.subject
    return replace(observation.subject, severity=held.severity.value)


def _inhibitor(inhibitors: Iterable[str], stored: Mapping[str, StoredAlert]) -> str | None:
    """The first alert that says it too: open, and people were told of it."""
    for fingerprint in inhibitors:
        held = stored.get(fingerprint)
        if held and held.alert.state in (AlertState.FIRING, AlertState.RECOVERING) and held.alert.sequence:
            return fingerprint
    return None


def _fitting(observation: Observation) -> Observation:
    """The observation with a key that fits its column and holds nothing a database would refuse."""
    key = clean_line(observation.key)
    if len(key) > _KEY_LIMIT:
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        key = f"{key[: _KEY_LIMIT - 17]}~{digest}"
    return observation if key == observation.key else replace(observation, key=key)


def _locked(connection: Connection, observations: Sequence[Observation]) -> dict[str, StoredAlert]:
    """The stored alerts, locked; one that was always fine needs no row."""
    for observation in sorted(observations, key=lambda one: one.fingerprint):
        if observation.state is not ObservationState.GOOD:
            blank = Alert(observation.fingerprint, observation.kind, observation.key, AlertState.OK)
            store.ensure_alert(connection, blank)
    wanted = {observation.fingerprint for observation in observations}
    return store.lock_alerts(connection, wanted.union(*(observation.inhibitors for observation in observations)))


def _next(held: StoredAlert, decision: AlertDecision, observation: Observation) -> StoredAlert:
    """Title, severity and particulars are those of the bad state; good and unknown looks leave them."""
    if observation.state is not ObservationState.BAD:
        return replace(held, alert=decision.next)
    return replace(
        held,
        alert=decision.next,
        title=clean_line(observation.title),
        severity=observation.severity,
        particulars=to_json(particulars_of(observation)),
    )
