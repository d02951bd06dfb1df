"""What one observation makes of an alert: a pure decision that returns its reason.

OK → PENDING → FIRING (episode k) → RECOVERING → OK. Unknown freezes: it never resolves, and time nobody could see
counts for no recovery. The clock is passed in and may jump; no step depends on it running forward.

Overlays lie over the states and change none. While another alert says it too (inhibition) or a person asked for quiet
(silence), steps are recorded with that reason and not sent. What is still bad when that is over is said then; what
nobody was told of ends without a word, and whoever was told that it fired is told that it is over. An acknowledged
alert is not reminded of until its episode is over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kronos_health.alerts.text import moment, more_times, times
from kronos_health.domain.alerts import (
    Alert,
    AlertDecision,
    AlertPolicy,
    AlertState,
    Observation,
    ObservationState,
    Overlays,
    Transition,
    TransitionKind,
)


def decide(
    previous: Alert | None,
    observation: Observation,
    policy: AlertPolicy,
    now: datetime,
    overlays: Overlays = Overlays(),  # noqa: B008 - frozen
) -> AlertDecision:
    """The alert's next state and the steps that led there, given what lies over it at this look.

    An observation that carries ``observed_at`` has an identity: seeing it again adds no occurrences and no positives,
    only time passes. BAD means "worth saying" also for one-off notices; they are said once per key, ever.
    """
    alert = _without_future(
        previous or Alert(observation.fingerprint, observation.kind, observation.key, AlertState.OK), now
    )
    identity = _identity(observation)
    fresh = identity is None or identity != alert.last_observation
    step = _Step(alert, observation, policy, now, fresh, overlays)
    if policy.one_off:
        return _notice(step)
    if observation.state is ObservationState.UNKNOWN:
        return _freeze(step)
    step = replace(step, alert=replace(_thawed(alert, now), last_observation=identity))
    return _STEPS[alert.state, observation.state](step)


@dataclass(frozen=True, slots=True)
class _Step:
    """Everything one decision looks at. ``fresh`` is false for a replay of the previous observation."""

    alert: Alert
    observation: Observation
    policy: AlertPolicy
    now: datetime
    fresh: bool
    overlays: Overlays

    @property
    def at(self) -> datetime:
        """When it happened; a stamp from the future is a wrong clock or zone and counts as now."""
        return min(self.observation.observed_at or self.now, self.now)

    @property
    def since(self) -> datetime:
        """When it began: at the latest when it happened."""
        return min(self.observation.since or self.at, self.at)

    @property
    def occurrences(self) -> int:
        return max(self.observation.occurrences, 0) if self.fresh else 0

    @property
    def positives(self) -> int:
        return max(self.observation.positives, 0) if self.fresh else 0

    @property
    def is_hushed(self) -> bool:
        """Whether something speaks against sending anything but the end of what was sent."""
        return bool(self.overlays.inhibited_by or self.overlays.silence)

    def passed(self, since: datetime | None, seconds: float) -> bool:
        return since is not None and (self.now - since).total_seconds() >= seconds


def _identity(observation: Observation) -> str | None:
    """What two looks at the same event have in common; undated observations have none: each look is a new one."""
    if observation.observed_at is None:
        return None
    parts = (
        observation.state.value,
        observation.observed_at.isoformat(),
        str(observation.occurrences),
        str(observation.positives),
        *observation.evidence,
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


_STAMPS = (
    "pending_since",
    "fired_at",
    "last_bad_at",
    "recovering_since",
    "resolved_at",
    "last_message_at",
    "unknown_since",
    "acknowledged_at",
)


def _without_future(alert: Alert, now: datetime) -> Alert:
    """After a clock was set back, stamps from before lie ahead; kept as they are they would silence reminders."""
    ahead: dict[str, Any] = {
        name: now for name in _STAMPS if (stamp := getattr(alert, name)) is not None and stamp > now
    }
    return replace(alert, **ahead) if ahead else alert


def _thawed(alert: Alert, now: datetime) -> Alert:
    if alert.unknown_since is None:
        return alert
    unseen: timedelta = now - alert.unknown_since
    recovering = alert.recovering_since
    return replace(alert, unknown_since=None, recovering_since=recovering + unseen if recovering else None)


def _still(alert: Alert, reason: str) -> AlertDecision:
    return AlertDecision(alert, (), reason)


def _quiet(alert: Alert, kind: TransitionKind, now: datetime, reason: str, episode: int | None = None) -> AlertDecision:
    number = alert.episode if episode is None else episode
    return AlertDecision(alert, (Transition(kind, number, alert.sequence, now, reason, announce=False),), reason)


def _announce(alert: Alert, kind: TransitionKind, now: datetime, reason: str) -> AlertDecision:
    said = replace(
        alert,
        sequence=alert.sequence + 1,
        last_message_at=now,
        announced_occurrences=alert.occurrences,
        silenced_by=None,
    )
    return AlertDecision(said, (Transition(kind, said.episode, said.sequence, now, reason, announce=True),), reason)


def _then(first: AlertDecision, after: Callable[[Alert], AlertDecision]) -> AlertDecision:
    second = after(first.next)
    return AlertDecision(second.next, first.transitions + second.transitions, f"{first.reason}; {second.reason}")


def _notice(step: _Step) -> AlertDecision:
    if step.observation.state is not ObservationState.BAD:
        return _still(step.alert, "nothing to say")
    if step.alert.sequence:
        return _still(step.alert, "said before: a notice is sent once")
    alert = step.alert
    if not alert.episode:
        alert = replace(
            alert, episode=1, occurrences=step.occurrences, fired_at=step.now, pending_since=step.since,
            last_bad_at=step.at,
        )  # fmt: skip
    if step.overlays.silence is None:
        return _announce(alert, TransitionKind.NOTICE, step.now, "news: said once")
    hushed, reason = _hushed(step, alert, "news")
    return _still(hushed, reason) if step.alert.episode else _quiet(hushed, TransitionKind.NOTICE, step.now, reason)


def _freeze(step: _Step) -> AlertDecision:
    alert = replace(step.alert, unknown_since=step.alert.unknown_since or step.now)
    return _speak_if_due(step, alert, f"cannot be seen: stays {alert.state.value}")


def _start(step: _Step) -> AlertDecision:
    """BAD while OK: a new episode begins, at once or after ``for_seconds``."""
    alert = replace(
        step.alert,
        occurrences=max(step.occurrences, 1),
        positives=step.positives,
        pending_since=step.since,
        last_bad_at=step.at,
        recovering_since=None,
    )
    if step.passed(step.at, step.policy.for_seconds):
        return _fire(step, alert)
    reason = f"bad: fires if it stays so for {step.policy.for_seconds:g} s"
    pending = replace(alert, state=AlertState.PENDING)
    return _quiet(pending, TransitionKind.STARTED_PENDING, step.now, reason, episode=alert.episode + 1)


def _fire(step: _Step, alert: Alert) -> AlertDecision:
    firing = replace(
        _unowned(alert), state=AlertState.FIRING, episode=alert.episode + 1, sequence=0, fired_at=step.now,
        resolved_at=None, silenced_by=None,
    )  # fmt: skip
    lasted = (step.now - (alert.pending_since or step.now)).total_seconds()
    reason = f"bad for {lasted:.0f} s" if step.policy.for_seconds else "bad: fires at once"
    reason = f"{reason} (seen {times(firing.occurrences)})"
    if step.is_hushed:
        firing, reason = _hushed(step, firing, reason)
        return _quiet(firing, TransitionKind.FIRED, step.now, reason)
    return _announce(firing, TransitionKind.FIRED, step.now, reason)


def _hushed(step: _Step, alert: Alert, reason: str) -> tuple[Alert, str]:
    """The alert that must not speak now, and why not."""
    silence = step.overlays.silence
    if step.overlays.inhibited_by or silence is None:
        return alert, f"{reason}; not sent: {step.overlays.inhibited_by} is open and says it"
    until = f"{silence.author} silenced it until {moment(silence.ends_at)}"
    return replace(alert, silenced_by=silence.id), f"{reason}; not sent: {until}"


def _unowned(alert: Alert) -> Alert:
    """Nobody has taken this on (any more)."""
    return replace(alert, acknowledged_at=None, acknowledged_by=None)


def _hit(step: _Step) -> Alert:
    """The alert with one more bad look counted in."""
    if not step.fresh:
        return step.alert
    return replace(
        step.alert,
        occurrences=step.alert.occurrences + step.occurrences,
        positives=step.positives,
        last_bad_at=max(step.at, step.alert.last_bad_at or step.at),
    )


def _bad_while_pending(step: _Step) -> AlertDecision:
    alert = _hit(step)
    if step.passed(alert.pending_since, step.policy.for_seconds):
        return _fire(step, alert)
    return _still(alert, f"bad, but not yet for {step.policy.for_seconds:g} s")


def _clear(step: _Step) -> AlertDecision:
    alert = replace(step.alert, state=AlertState.OK, pending_since=None)
    reason = f"good again before {step.policy.for_seconds:g} s had passed"
    return _quiet(alert, TransitionKind.CLEARED_PENDING, step.now, reason, episode=alert.episode + 1)


def _bad_while_firing(step: _Step) -> AlertDecision:
    return _speak_if_due(step, _hit(step), "still bad")


def _relapse(step: _Step) -> AlertDecision:
    alert = replace(_hit(step), state=AlertState.FIRING, recovering_since=None)
    relapsed = _quiet(alert, TransitionKind.RELAPSED, step.now, "bad again while recovering: the same episode goes on")
    return _then(relapsed, lambda next_: _speak_if_due(step, next_, "counted"))


def _recover(step: _Step) -> AlertDecision:
    """GOOD while FIRING: silence is no recovery where positive evidence is asked for."""
    needed = step.policy.positives_to_recover
    alert = replace(step.alert, positives=step.alert.positives + step.positives)
    if needed and not alert.positives:
        return _speak_if_due(
            step, alert, f"no sign of it, but {needed} signs of health are asked for and none was seen"
        )
    alert = replace(alert, state=AlertState.RECOVERING, recovering_since=step.now)
    if _recovered(step, alert):
        return _resolve(step, alert)
    started = _quiet(alert, TransitionKind.STARTED_RECOVERING, step.now, _missing(step, alert))
    return _then(started, lambda next_: _speak_if_due(step, next_, "recovering"))


def _keep_recovering(step: _Step) -> AlertDecision:
    alert = replace(step.alert, positives=step.alert.positives + step.positives)
    return _resolve(step, alert) if _recovered(step, alert) else _speak_if_due(step, alert, _missing(step, alert))


def _recovered(step: _Step, alert: Alert) -> bool:
    enough = alert.positives >= step.policy.positives_to_recover
    return enough and step.passed(alert.recovering_since, step.policy.keep_firing_seconds)


def _missing(step: _Step, alert: Alert) -> str:
    needed = step.policy.positives_to_recover
    if alert.positives < needed:
        return f"good: {alert.positives} of {needed} signs of health since the last hit"
    return f"good: resolves if it stays so for {step.policy.keep_firing_seconds:g} s"


def _resolve(step: _Step, alert: Alert) -> AlertDecision:
    resolved = replace(
        _unowned(alert), state=AlertState.OK, resolved_at=step.now, recovering_since=None, silenced_by=None
    )
    evidence = f", {alert.positives} signs of health since the last hit" if step.policy.positives_to_recover else ""
    reason = f"good{evidence}: resolved"
    if not alert.sequence:
        return _quiet(resolved, TransitionKind.RESOLVED, step.now, f"{reason}; not sent: nobody was told that it fired")
    return _announce(resolved, TransitionKind.RESOLVED, step.now, reason)


def _speak_if_due(step: _Step, alert: Alert, reason: str) -> AlertDecision:
    """A firing alert says what is new, or reminds, when the last message is old enough."""
    if alert.state not in (AlertState.FIRING, AlertState.RECOVERING):
        return _still(alert, reason)
    if step.is_hushed:
        return _still(*_hushed(step, alert, reason))
    if not alert.sequence:
        return _speak_late(step, alert, reason)
    if alert.silenced_by and step.observation.state is ObservationState.BAD and not alert.acknowledged_at:
        return _announce(alert, TransitionKind.REMINDED, step.now, f"{reason}; the silence over it has ended")
    new = alert.occurrences - alert.announced_occurrences
    update, remind = step.policy.update_seconds, step.policy.remind_seconds
    if new > 0 and update is not None and step.passed(alert.last_message_at, update):
        return _announce(alert, TransitionKind.UPDATED, step.now, f"{reason}; seen {more_times(new)}")
    if remind is not None and step.passed(alert.last_message_at, remind):
        if alert.acknowledged_at:
            return _still(alert, f"{reason}; no reminder: {alert.acknowledged_by} has acknowledged it")
        return _announce(alert, TransitionKind.REMINDED, step.now, f"{reason}; a reminder is due")
    return _still(alert, reason)


def _speak_late(step: _Step, alert: Alert, reason: str) -> AlertDecision:
    """It fired unsaid, and what kept it quiet is over: worth a message only if it is bad at this very look."""
    if step.observation.state is not ObservationState.BAD:
        return _still(alert, f"{reason}; nobody was told that it fired")
    why = "the silence over it has ended" if alert.silenced_by else "no other alert says it any more"
    return _announce(alert, TransitionKind.FIRED, step.now, f"{reason}; {why}")


def _fine(step: _Step) -> AlertDecision:
    return _still(step.alert, "good, as before")


_GOOD, _BAD = ObservationState.GOOD, ObservationState.BAD
_STEPS: dict[tuple[AlertState, ObservationState], Callable[[_Step], AlertDecision]] = {
    (AlertState.OK, _BAD): _start,
    (AlertState.OK, _GOOD): _fine,
    (AlertState.PENDING, _BAD): _bad_while_pending,
    (AlertState.PENDING, _GOOD): _clear,
    (AlertState.FIRING, _BAD): _bad_while_firing,
    (AlertState.FIRING, _GOOD): _recover,
    (AlertState.RECOVERING, _BAD): _relapse,
    (AlertState.RECOVERING, _GOOD): _keep_recovering,
}
