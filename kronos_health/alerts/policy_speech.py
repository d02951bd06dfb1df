"""When an open alert has something to say, and why it does not: what lies over the states of the policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from kronos_health.alerts.policy_step import OPEN, Step, announce, rank, still, unowned
from kronos_health.alerts.text import duration, moment, more_times
from kronos_health.domain.alerts import Alert, AlertDecision, AlertState, TransitionKind

_LOOK_AGAIN = timedelta(minutes=15)  # whether the alert that says it too is still open
_SOON = timedelta(minutes=1)  # no alert is due more often


def hushed(step: Step, alert: Alert, reason: str) -> tuple[Alert, str]:
    """The alert that must not speak now, and why not."""
    silence = step.overlays.silence
    if step.overlays.inhibited_by or silence is None:
        return alert, f"{reason}; not sent: {step.overlays.inhibited_by} is open and says it"
    until = f"{silence.author} silenced it until {moment(silence.ends_at)}"
    return replace(alert, silenced_by=silence.id), f"{reason}; not sent: {until}"


def speak_if_due(step: Step, alert: Alert, reason: str) -> AlertDecision:
    """An open alert says one thing: the first in this order that there is to say."""
    if alert.state not in OPEN:
        return still(alert, reason)
    if step.is_hushed:
        return still(*hushed(step, alert, reason))
    if not alert.sequence:
        return _speak_late(step, alert, reason)
    for rule in (_worse, _unsilenced, _steady, _escalate, _update, _remind):
        said = rule(step, alert, reason)
        if said is not None:
            return said
    return still(alert, reason)


def _speak_late(step: Step, alert: Alert, reason: str) -> AlertDecision:
    """It fired unsaid, and what kept it quiet is over: worth a message only if it is bad at this very look."""
    if not step.is_bad:
        return still(alert, f"{reason}; nobody was told that it fired")
    why = "the silence over it has ended" if alert.silenced_by else "no other alert says it any more"
    kind = TransitionKind.FLAPPING if alert.flapping_since else TransitionKind.FIRED
    return announce(step, alert, kind, f"{reason}; {why}")


def _worse(step: Step, alert: Alert, reason: str) -> AlertDecision | None:
    """More severe than what people were told; what somebody acknowledged was something else."""
    severity, told = step.observation.severity, alert.told_severity
    if not step.is_bad or told is None or rank(severity) <= rank(told):
        return None
    worse = replace(unowned(alert), escalated_at=None)
    return announce(step, worse, TransitionKind.WORSENED, f"{reason}; {severity.value}, and {told.value} was said")


def _unsilenced(step: Step, alert: Alert, reason: str) -> AlertDecision | None:
    if not alert.silenced_by or not step.is_bad or alert.acknowledged_at:
        return None
    return announce(step, alert, TransitionKind.REMINDED, f"{reason}; the silence over it has ended")


def _steady(step: Step, alert: Alert, reason: str) -> AlertDecision | None:
    if alert.flapping_since is None or alert.state is not AlertState.FIRING or not step.is_bad:
        return None
    lasting = step.policy.flap_stable_seconds
    if not step.passed(alert.changed_at, lasting):
        return None
    steady = replace(alert, flapping_since=None)
    return announce(step, steady, TransitionKind.STEADIED, f"{reason}; unchanged for {duration(lasting)}")


def _escalate(step: Step, alert: Alert, reason: str) -> AlertDecision | None:
    due = _escalation_due(step, alert)
    if due is None or due > step.now:
        return None
    patience = duration(step.policy.escalate_seconds or 0.0)
    escalated = replace(alert, escalated_at=step.now)
    why = f"{reason}; nobody has acknowledged it for {patience}"
    return announce(step, escalated, TransitionKind.ESCALATED, why)


def _escalation_due(step: Step, alert: Alert) -> datetime | None:
    patience, told_at = step.policy.escalate_seconds, alert.told_at or alert.fired_at
    spoken_for = alert.acknowledged_at or alert.escalated_at or alert.state is not AlertState.FIRING
    if patience is None or told_at is None or spoken_for:
        return None
    if rank(alert.told_severity) < rank(step.policy.escalate_severity):
        return None
    return told_at + timedelta(seconds=patience)


def _update(step: Step, alert: Alert, reason: str) -> AlertDecision | None:
    new, update = alert.occurrences - alert.announced_occurrences, step.policy.update_seconds
    if alert.flapping_since or new <= 0 or update is None or not step.passed(alert.last_message_at, update):
        return None
    return announce(step, alert, TransitionKind.UPDATED, f"{reason}; seen {more_times(new)}")


def _remind(step: Step, alert: Alert, reason: str) -> AlertDecision | None:
    remind = step.policy.remind_seconds
    if remind is None or not step.passed(alert.last_message_at, remind):
        return None
    if alert.acknowledged_at:
        return still(alert, f"{reason}; no reminder: {alert.acknowledged_by} has acknowledged it")
    return announce(step, alert, TransitionKind.REMINDED, f"{reason}; a reminder is due")


def scheduled(step: Step, decision: AlertDecision) -> AlertDecision:
    """The decision with the time at which there may be something to say though nobody looks."""
    due = _due(step, decision.next)
    return replace(decision, next=replace(decision.next, due_at=due)) if due != decision.next.due_at else decision


def _due(step: Step, alert: Alert) -> datetime | None:
    silence, held = step.overlays.silence, step.policy.one_off and alert.episode and not alert.sequence
    if alert.state not in OPEN and not held:
        return None
    if step.overlays.inhibited_by and not held:
        return step.now + _LOOK_AGAIN
    if silence is not None:
        return silence.ends_at
    if held or not alert.sequence:
        return None  # it takes a look to tell whether it is still bad
    first = min(_moments(step, alert), default=None)
    return None if first is None else max(first, step.now + _SOON)


def _moments(step: Step, alert: Alert) -> Iterator[datetime]:
    policy, said = step.policy, alert.last_message_at or step.now
    if policy.remind_seconds is not None and not alert.acknowledged_at:
        yield said + timedelta(seconds=policy.remind_seconds)
    if policy.update_seconds is not None and alert.occurrences > alert.announced_occurrences:
        yield said + timedelta(seconds=policy.update_seconds)
    if (escalation := _escalation_due(step, alert)) is not None:
        yield escalation
    if alert.flapping_since and alert.changed_at:
        yield alert.changed_at + timedelta(seconds=policy.flap_stable_seconds)
