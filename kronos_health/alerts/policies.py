"""The default policy of each kind of alert, with the figures the settings give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kronos_health.domain.alerts import AlertKind, AlertPolicy
from kronos_health.domain.logs import Severity
from kronos_health.settings.models import AlertKindPolicy, Alerts

_HOUR = 3600.0
_WEEK = 168 * _HOUR


def policy_for(kind: AlertKind, alerts: Alerts) -> AlertPolicy:
    """How observations of ``kind`` become messages."""
    policy = _POLICIES[kind](alerts)
    if policy.one_off:
        return policy
    policy = replace(
        policy,
        flap_count=alerts.flap_count,
        flap_window_seconds=alerts.flap_hours * _HOUR,
        flap_stable_seconds=alerts.flap_stable_hours * _HOUR,
        escalate_seconds=alerts.escalate_minutes * 60.0 if alerts.escalate_channel else None,
        escalate_severity=Severity(alerts.escalate_severity),
    )
    return _with_patience(policy, alerts.kinds.get(kind.value))


def _with_patience(policy: AlertPolicy, wanted: AlertKindPolicy | None) -> AlertPolicy:
    """The policy with what the settings say of its kind."""
    if wanted is None:
        return policy
    figures = {
        "for_seconds": None if wanted.for_minutes is None else wanted.for_minutes * 60.0,
        "n_of_m": wanted.n_of_m,
        "keep_firing_seconds": None if wanted.keep_firing_minutes is None else wanted.keep_firing_minutes * 60.0,
        "remind_seconds": None if wanted.remind_hours is None else wanted.remind_hours * _HOUR,
    }
    return replace(policy, **{name: value for name, value in figures.items() if value is not None})  # type: ignore[arg-type]


def _notice(_alerts: Alerts) -> AlertPolicy:
    return AlertPolicy(one_off=True, remind_seconds=None, update_seconds=None)


def _standing(alerts: Alerts) -> AlertPolicy:
    """A condition that holds or not: how often a check looked at it is no news, so only reminders follow."""
    return AlertPolicy(remind_seconds=alerts.remind_hours * _HOUR, update_seconds=None)


def _news(_alerts: Alerts) -> AlertPolicy:
    """Good news that may be withdrawn: said when it begins and when it no longer holds, without reminders."""
    return AlertPolicy(remind_seconds=None, update_seconds=None)


def _graph_reuse(alerts: Alerts) -> AlertPolicy:
    """Fires at once; resolved only by predictions that completed since the last hit, never by silence."""
    return AlertPolicy(
        positives_to_recover=alerts.graph_reuse_recover_predictions,
        remind_seconds=alerts.remind_hours * _HOUR,
        update_seconds=alerts.update_minutes * 60.0,
    )


def _recurring(alerts: Alerts) -> AlertPolicy:
    """Events that come in bursts: an hour seen clean ends the episode."""
    return AlertPolicy(
        keep_firing_seconds=_HOUR,
        remind_seconds=alerts.remind_hours * _HOUR,
        update_seconds=alerts.update_minutes * 60.0,
    )


def _slow(_alerts: Alerts) -> AlertPolicy:
    """A slower model hurts nobody at once. That two probes in a row saw it is decided where figures are judged."""
    return AlertPolicy(remind_seconds=_WEEK, update_seconds=None)


def _question(_alerts: Alerts) -> AlertPolicy:
    """A person is asked; asking every day would be nagging."""
    return AlertPolicy(remind_seconds=_WEEK, update_seconds=None)


def _wavering(alerts: Alerts) -> AlertPolicy:
    """A standing condition that figures move in and out of: an hour within bounds ends the episode."""
    return AlertPolicy(keep_firing_seconds=_HOUR, remind_seconds=alerts.remind_hours * _HOUR, update_seconds=None)


_POLICIES: dict[AlertKind, Callable[[Alerts], AlertPolicy]] = {
    AlertKind.GRAPH_REUSE: _graph_reuse,
    AlertKind.COMPILED_BROKEN: _standing,
    AlertKind.CRITERION_MET: _news,
    AlertKind.ALL_CRITERIA_MET: _news,
    AlertKind.TORCH_RELEASE: _notice,
    AlertKind.KRONOS_UPDATED: _notice,
    AlertKind.CANDIDATE_TRIED: _notice,
    AlertKind.SETTINGS_DRIFT: _standing,
    AlertKind.PREDICTIONS_OUT_OF_BOUNDS: _wavering,
    AlertKind.NO_PREDICTIONS: _standing,
    AlertKind.LOG_ERRORS: _recurring,
    AlertKind.NEW_ERROR: _notice,
    AlertKind.LOG_GAP: _notice,
    AlertKind.LOG_HISTORY: _notice,
    AlertKind.FIGURE_REGRESSION: _slow,
    AlertKind.FIGURE_IMPROVED: _notice,
    AlertKind.SWITCH_PROPOSED: _question,
    AlertKind.SWITCH_SETTLED: _notice,
    AlertKind.CHECKER_UNHEALTHY: _standing,
    AlertKind.DIGEST: _notice,
}
