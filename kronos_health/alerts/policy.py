"""What one observation makes of an alert: a pure decision that returns its reason.

OK → PENDING → FIRING (episode k) → RECOVERING → OK. Unknown freezes: it never resolves, and time nobody could see
counts for no recovery. The clock is passed in and may jump; no step depends on it running forward.

Overlays lie over the states and change none. While another alert says it too (inhibition) or a person asked for quiet
(silence), steps are recorded with that reason and not sent. What is still bad when that is over is said then; what
nobody was told of ends without a word, and whoever was told that it fired is told that it is over. An acknowledged
alert is not reminded of until its episode is over or it gets worse. One that keeps coming and going is said to flap,
once; its episode goes on until it has been stable. When an open alert speaks is decided in :mod:`.policy_speech`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from kronos_health.alerts.policy_speech import hushed, scheduled, speak_if_due
from kronos_health.alerts.policy_step import (
    OPEN,
    Step,
    announce,
    quiet,
    still,
    thawed,
    then,
    unowned,
    without_future,
)
from kronos_health.alerts.text import duration, times
from kronos_health.domain.alerts import (
    Alert,
    AlertDecision,
    AlertPolicy,
    AlertState,
    Observation,
    ObservationState,
    Overlays,
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
    alert = without_future(
        previous or Alert(observation.fingerprint, observation.kind, observation.key, AlertState.OK), now
    )
    identity = _identity(observation)
    fresh = identity is None or identity != alert.last_observation
    step = Step(alert, observation, policy, now, fresh, overlays)
    if policy.one_off:
        return scheduled(step, _notice(step))
    step = replace(step, alert=replace(alert, seen=observation.state))
    if observation.state is ObservationState.UNKNOWN:
        return scheduled(step, _freeze(step))
    step = replace(step, alert=_looked(step, replace(thawed(step.alert, now), last_observation=identity)))
    return scheduled(step, _STEPS[alert.state, observation.state](step))


def decide_due(
    alert: Alert,
    last: Observation,
    policy: AlertPolicy,
    now: datetime,
    overlays: Overlays = Overlays(),  # noqa: B008 - frozen
) -> AlertDecision:
    """What there is to say though nothing new was seen: time has passed, or what kept the alert quiet is over.

    ``last`` is what the last look saw. No state changes.
    """
    step = Step(without_future(alert, now), last, policy, now, False, overlays)
    if policy.one_off:
        held = bool(alert.episode and not alert.sequence)
        return scheduled(step, _notice(step) if held else still(step.alert, "nothing to say"))
    return scheduled(step, speak_if_due(step, step.alert, "nothing new was seen"))


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


def _looked(step: Step, alert: Alert) -> Alert:
    """The alert with one more look counted in, where N of M are counted, from the first bad one on."""
    if step.policy.n_of_m is None or not step.fresh or alert.state in OPEN:
        return alert
    looks = alert.looks + step.observation.state.value[0]
    return replace(alert, looks=looks[-step.policy.n_of_m[1] :].lstrip("g"))


def _notice(step: Step) -> AlertDecision:
    if not step.is_bad:
        return still(step.alert, "nothing to say")
    if step.alert.sequence:
        return still(step.alert, "said before: a notice is sent once")
    alert = step.alert
    if not alert.episode:
        alert = replace(
            alert, episode=1, occurrences=step.occurrences, fired_at=step.now, pending_since=step.since,
            last_bad_at=step.at,
        )  # fmt: skip
    if step.overlays.silence is None:
        return announce(step, alert, TransitionKind.NOTICE, "news: said once")
    held, reason = hushed(replace(step, overlays=replace(step.overlays, inhibited_by=None)), alert, "news")
    return still(held, reason) if step.alert.episode else quiet(step, held, TransitionKind.NOTICE, reason)


def _freeze(step: Step) -> AlertDecision:
    alert = replace(step.alert, unknown_since=step.alert.unknown_since or step.now)
    return speak_if_due(step, alert, f"cannot be seen: stays {alert.state.value}")


def _start(step: Step) -> AlertDecision:
    """BAD while OK: a new episode begins, at once, after ``for_seconds``, or when enough looks were bad."""
    alert = replace(
        step.alert,
        occurrences=max(step.occurrences, 1),
        positives=step.positives,
        pending_since=step.since,
        last_bad_at=step.at,
        recovering_since=None,
    )
    if _is_enough(step, step.at):
        return _fire(step, alert)
    pending = replace(alert, state=AlertState.PENDING)
    reason = f"bad: fires {_what_is_missing(step)}"
    return quiet(step, pending, TransitionKind.STARTED_PENDING, reason, episode=alert.episode + 1)


def _is_enough(step: Step, bad_since: datetime | None) -> bool:
    if step.policy.n_of_m is not None:
        return step.alert.looks.count("b") >= step.policy.n_of_m[0]
    return step.passed(bad_since, step.policy.for_seconds)


def _what_is_missing(step: Step) -> str:
    if step.policy.n_of_m is None:
        return f"if it stays so for {step.policy.for_seconds:g} s"
    needed, window = step.policy.n_of_m
    return f"once {needed} of the last {window} looks were bad, so far {step.alert.looks.count('b')}"


def _fire(step: Step, alert: Alert) -> AlertDecision:
    firing = replace(
        unowned(alert), state=AlertState.FIRING, episode=alert.episode + 1, sequence=0, fired_at=step.now,
        resolved_at=None, silenced_by=None, told_at=None, told_severity=None, escalated_at=None, changed_at=step.now,
        flapping_since=None, looks="",
    )  # fmt: skip
    kind, reason = TransitionKind.FIRED, f"{_why_now(step, alert)} (seen {times(firing.occurrences)})"
    often = step.overlays.fired_recently + 1
    if 0 < step.policy.flap_count <= often:
        firing, kind = replace(firing, flapping_since=step.now), TransitionKind.FLAPPING
        reason = f"{reason}; fired {times(often)} within {duration(step.policy.flap_window_seconds)}: it flaps"
    if step.is_hushed:
        firing, reason = hushed(step, firing, reason)
        return quiet(step, firing, TransitionKind.FIRED, reason)
    return announce(step, firing, kind, reason)


def _why_now(step: Step, alert: Alert) -> str:
    if step.policy.n_of_m is not None:
        return f"{step.alert.looks.count('b')} of the last {len(step.alert.looks)} looks were bad"
    lasted = (step.now - (alert.pending_since or step.now)).total_seconds()
    return f"bad for {lasted:.0f} s" if step.policy.for_seconds else "bad: fires at once"


def _hit(step: Step) -> Alert:
    """The alert with one more bad look counted in."""
    if not step.fresh:
        return step.alert
    return replace(
        step.alert,
        occurrences=step.alert.occurrences + step.occurrences,
        positives=step.positives,
        last_bad_at=max(step.at, step.alert.last_bad_at or step.at),
    )


def _bad_while_pending(step: Step) -> AlertDecision:
    alert = _hit(step)
    if _is_enough(step, alert.pending_since):
        return _fire(step, alert)
    return still(alert, f"bad, and not yet enough: fires {_what_is_missing(step)}")


def _clear(step: Step) -> AlertDecision:
    if step.alert.looks:
        return still(step.alert, f"good now, and bad a while ago: fires {_what_is_missing(step)}")
    alert = replace(step.alert, state=AlertState.OK, pending_since=None)
    reason = f"good again before {step.policy.for_seconds:g} s had passed"
    if step.policy.n_of_m is not None:
        reason = f"good in each of the last {step.policy.n_of_m[1]} looks"
    return quiet(step, alert, TransitionKind.CLEARED_PENDING, reason, episode=alert.episode + 1)


def _bad_while_firing(step: Step) -> AlertDecision:
    return speak_if_due(step, _hit(step), "still bad")


def _relapse(step: Step) -> AlertDecision:
    alert = replace(_hit(step), state=AlertState.FIRING, recovering_since=None, changed_at=step.now)
    relapsed = quiet(step, alert, TransitionKind.RELAPSED, "bad again while recovering: the same episode goes on")
    return then(relapsed, lambda next_: speak_if_due(step, next_, "counted"))


def _recover(step: Step) -> AlertDecision:
    """GOOD while FIRING: silence is no recovery where positive evidence is asked for."""
    needed = step.policy.positives_to_recover
    alert = replace(step.alert, positives=step.alert.positives + step.positives)
    if needed and not alert.positives:
        return speak_if_due(step, alert, f"no sign of it, but {needed} signs of health are asked for and none was seen")
    alert = replace(alert, state=AlertState.RECOVERING, recovering_since=step.now, changed_at=step.now)
    if _recovered(step, alert):
        return _resolve(step, alert)
    started = quiet(step, alert, TransitionKind.STARTED_RECOVERING, _missing(step, alert))
    return then(started, lambda next_: speak_if_due(step, next_, "recovering"))


def _keep_recovering(step: Step) -> AlertDecision:
    alert = replace(step.alert, positives=step.alert.positives + step.positives)
    return _resolve(step, alert) if _recovered(step, alert) else speak_if_due(step, alert, _missing(step, alert))


def _good_for(step: Step, alert: Alert) -> float:
    """How long it must be good: what flaps must be stable besides."""
    flapping = step.policy.flap_stable_seconds if alert.flapping_since else 0.0
    return max(step.policy.keep_firing_seconds, flapping)


def _recovered(step: Step, alert: Alert) -> bool:
    enough = alert.positives >= step.policy.positives_to_recover
    return enough and step.passed(alert.recovering_since, _good_for(step, alert))


def _missing(step: Step, alert: Alert) -> str:
    needed = step.policy.positives_to_recover
    if alert.positives < needed:
        return f"good: {alert.positives} of {needed} signs of health since the last hit"
    return f"good: resolves if it stays so for {_good_for(step, alert):g} s"


def _resolve(step: Step, alert: Alert) -> AlertDecision:
    resolved = replace(
        unowned(alert), state=AlertState.OK, resolved_at=step.now, recovering_since=None, silenced_by=None,
        flapping_since=None,
    )  # fmt: skip
    evidence = f", {alert.positives} signs of health since the last hit" if step.policy.positives_to_recover else ""
    reason = f"good{evidence}: resolved"
    if not alert.sequence:
        return quiet(step, resolved, TransitionKind.RESOLVED, f"{reason}; not sent: nobody was told that it fired")
    return announce(step, resolved, TransitionKind.RESOLVED, reason)


def _fine(step: Step) -> AlertDecision:
    return still(step.alert, "good, as before")


_GOOD, _BAD = ObservationState.GOOD, ObservationState.BAD
_STEPS: dict[tuple[AlertState, ObservationState], Callable[[Step], AlertDecision]] = {
    (AlertState.OK, _BAD): _start,
    (AlertState.OK, _GOOD): _fine,
    (AlertState.PENDING, _BAD): _bad_while_pending,
    (AlertState.PENDING, _GOOD): _clear,
    (AlertState.FIRING, _BAD): _bad_while_firing,
    (AlertState.FIRING, _GOOD): _recover,
    (AlertState.RECOVERING, _BAD): _relapse,
    (AlertState.RECOVERING, _GOOD): _keep_recovering,
}
