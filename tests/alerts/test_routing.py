"""Where messages go, said in words: routes, quiet hours, what is not set up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from kronos_health.alerts.routing import explained, held_until, routed
from kronos_health.checks.explaining import where_it_goes
from kronos_health.domain.alerts import AlertKind, TransitionKind
from kronos_health.domain.logs import Severity
from kronos_health.domain.matching import Subject
from kronos_health.settings.models import Settings, routing

MONDAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FIRED = TransitionKind.FIRED
NIGHT = "mon tue wed thu fri sat sun 22:00-07:00 Europe/Berlin"
SLACK = {"token": "xoxb-1", "channel": "C0123456", "webhook_url": "https://hooks.slack.com/services/x"}


def _settings(**alerts: Any) -> Settings:
    return Settings.model_validate({"alerts": alerts, "slack": SLACK})


def it_knows_every_kind_and_severity_of_alerts() -> None:
    assert set(get_args(routing.Kind)) == {kind.value for kind in AlertKind}
    assert set(get_args(routing.Severity)) == {severity.value for severity in Severity}


def it_says_what_goes_where_and_which_route_never_holds() -> None:
    settings = _settings(
        channels=["slack"],
        routes=[{"kind": "log_*", "channels": []}, {"channels": ["console"]}, {"source": "a", "channels": ["slack"]}],
        quiet_hours=[{"timezone": "Europe/Berlin"}],
        escalate_channel="slack_webhook",
    )
    assert list(explained(settings)) == [
        "route 1: kind=log_* → nowhere, only recorded",
        "route 2: everything → console",
        "route 3: source=a → slack  (never: route 2 matches everything before it)",
        f"quiet hours {NIGHT}: what is not critical is held, and comes as one message after them",
        "unacknowledged for 30 min, critical or worse → slack_webhook",
    ]


def it_says_where_one_message_would_go_and_why() -> None:
    settings = _settings(
        channels=["slack"], routes=[{"severity": "warning", "channels": ["console"], "go_on": True}], quiet_hours=[{}]
    )
    assert list(where_it_goes(settings, "log_errors", "a/oom", "warning", MONDAY + timedelta(hours=11))) == [
        "log_errors:a/oom (warning) → console and slack",
        "  route 1: severity=warning → console, and routes below",
        "  no other route matches: alerts.channels, slack",
        "  quiet hours: it would be held until 2026-11-24 07:00 UTC",
    ]
    assert "sent at once" in list(where_it_goes(settings, "log_errors", "a/oom", "critical", MONDAY))[-1]


def it_leaves_to_the_console_what_no_channel_takes() -> None:
    found = routed(
        Subject("log_errors", "a", "info"), FIRED, Settings.model_validate({"alerts": {"channels": ["slack"]}})
    )
    assert found.channels == ("console",)
    assert found.reasons[-1] == "slack is not set up: the console holds its messages"


@pytest.mark.parametrize(
    ("severity", "transition", "held"),
    [("info", FIRED, True), ("warning", TransitionKind.RESOLVED, True), ("critical", FIRED, False),
     ("warning", TransitionKind.ESCALATED, False)],
)  # fmt: skip
def it_holds_what_can_wait(severity: str, transition: TransitionKind, held: bool) -> None:
    until = held_until(severity, transition, _settings(quiet_hours=[{}]), MONDAY + timedelta(hours=11))
    assert until == (MONDAY + timedelta(hours=19) if held else None)


def it_holds_nothing_where_quiet_hours_never_end() -> None:
    always = _settings(quiet_hours=[{"start": "00:00", "end": "00:00"}])
    assert held_until("info", FIRED, always, MONDAY) is None


@pytest.mark.parametrize(
    "route", [{"kind": "graph_resue"}, {"severity": "fatal"}, {"channels": ["pigeon"]}, {"colour": "red"}]
)
def it_refuses_a_route_that_means_nothing(route: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _settings(routes=[route])
