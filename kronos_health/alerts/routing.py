"""Which channels a message goes to, whether it waits for the end of the quiet hours, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from kronos_health.alerts.by_apprise import PREFIX
from kronos_health.domain.alerts import AlertKind, TransitionKind
from kronos_health.domain.logs import Severity
from kronos_health.domain.matching import Subject, all_hold, parse_matcher
from kronos_health.probe.blackout import closed_until
from kronos_health.settings.models import Route, Settings

_LONGEST_HOLD = timedelta(days=8)  # quiet hours that never end hold nothing back


@dataclass(frozen=True, slots=True)
class Routed:
    """The channels, each once, and why, a sentence per reason."""

    channels: tuple[str, ...]
    reasons: tuple[str, ...]


def routed(subject: Subject, transition: TransitionKind, settings: Settings) -> Routed:
    """Where a message about ``subject`` goes. A channel that is not set up leaves its messages to the console.

    That the checker is unhealthy is said by the second route at once: what is broken may be the first.
    """
    names, reasons = _chosen(subject, transition, settings)
    usable = [name if is_set_up(name, settings) else "console" for name in names]
    missing = [name for name in names if not is_set_up(name, settings)]
    reasons += [f"{name} is not set up: the console holds its messages" for name in dict.fromkeys(missing)]
    if subject.kind == AlertKind.CHECKER_UNHEALTHY.value and usable:
        second = second_route(usable[0], settings)
        usable.append(second)
        reasons.append(f"the checker itself is unhealthy: {second} as well, for what is broken may be the first")
    return Routed(tuple(dict.fromkeys(usable)), tuple(reasons))


def _chosen(subject: Subject, transition: TransitionKind, settings: Settings) -> tuple[list[str], list[str]]:
    alerts = settings.alerts
    if transition is TransitionKind.ESCALATED and alerts.escalate_channel:
        return [alerts.escalate_channel], ["nobody has acknowledged it: alerts.escalate_channel"]
    names: list[str] = []
    reasons: list[str] = []
    for number, route in enumerate(alerts.routes, 1):
        if matches(route, subject):
            names += route.channels
            reasons.append(f"route {number}: {route}")
            if not route.go_on:
                return names, reasons
    reasons.append(f"{'no other' if names else 'no'} route matches: alerts.channels, {' and '.join(alerts.channels)}")
    return [*names, *(alerts.channels or ("console",))], reasons


def matches(route: Route, subject: Subject) -> bool:
    """Whether every condition of ``route`` holds."""
    return all_hold((parse_matcher(condition) for condition in route.conditions), subject)


def held_until(severity: str, transition: TransitionKind, settings: Settings, now: datetime) -> datetime | None:
    """When the quiet hours end that a message waits for; ``None`` for what is critical, or outside of them."""
    if severity == Severity.CRITICAL.value or transition is TransitionKind.ESCALATED:
        return None
    until = closed_until(settings.alerts.quiet_hours, now)
    return until if until is not None and until - now <= _LONGEST_HOLD else None


def explained(settings: Settings) -> Iterator[str]:
    """Routes, quiet hours and escalation as sentences; a route that never holds is named."""
    alerts = settings.alerts
    hidden_by = 0
    for number, route in enumerate(alerts.routes, 1):
        never = f"  (never: route {hidden_by} matches everything before it)" if hidden_by else ""
        yield f"route {number}: {route}{never}"
        if not route.conditions and not route.go_on:
            hidden_by = hidden_by or number
    if not hidden_by:
        rest = "everything else" if alerts.routes else "every alert"
        yield f"{rest} → {' and '.join(alerts.channels) or 'console'}"
    for window in alerts.quiet_hours:
        yield f"quiet hours {window}: what is not critical is held, and comes as one message after them"
    if alerts.escalate_channel:
        yield (
            f"unacknowledged for {alerts.escalate_minutes:g} min, {alerts.escalate_severity} or worse → "
            f"{alerts.escalate_channel}"
        )


def is_set_up(name: str, settings: Settings) -> bool:
    """Whether the settings hold what the channel needs."""
    if name == "slack":
        return bool(settings.slack.token.get_secret_value() and settings.slack.channel)
    if name == "slack_webhook":
        return bool(settings.slack.webhook_url.get_secret_value())
    if name.startswith(PREFIX):
        url = settings.apprise.urls.get(name.removeprefix(PREFIX))
        return url is not None and bool(url.get_secret_value())
    return name == "console"


def second_route(name: str, settings: Settings) -> str:
    """Where messages go while ``name`` is refused; the console when the fallback is that very channel."""
    fallback = settings.alerts.fallback
    return fallback if fallback != name and is_set_up(fallback, settings) else "console"
