"""Who is told, how, and how often."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from kronos_health.settings.models.hours import QuietHours
from kronos_health.settings.models.routing import Channel, Kind, Route, Severity
from kronos_health.settings.models.section import Count, Positive, Section

_N_OF_M = re.compile(r"(\d{1,2}) of (\d{1,2})")


class AlertKindPolicy(Section):
    """How alerts of one kind behave; what is not set stays as this kind has it."""

    for_minutes: Annotated[float, Field(ge=0)] | None = Field(None, description="fires when bad for so long")
    bad_looks: str | None = Field(None, description='fires when so many of the last looks were bad, e.g. "2 of 3"')
    keep_firing_minutes: Annotated[float, Field(ge=0)] | None = Field(None, description="is over when good for so long")
    remind_hours: Positive | None = None

    @field_validator("bad_looks")
    @classmethod
    def _is_n_of_m(cls, value: str | None) -> str | None:
        match = _N_OF_M.fullmatch(value) if value is not None else None
        if value is not None and (match is None or not 1 <= int(match[1]) <= int(match[2]) <= 64):
            raise ValueError('must read like "2 of 3", at most 64 looks')
        return value

    @property
    def n_of_m(self) -> tuple[int, int] | None:
        """``bad_looks`` as numbers."""
        match = _N_OF_M.fullmatch(self.bad_looks or "")
        return (int(match[1]), int(match[2])) if match else None


class Alerts(Section):
    """Who is told, and how often."""

    channels: tuple[Channel, ...] = ("console",)
    fallback: Channel = Field("console", description="second route when a channel is refused")
    routes: tuple[Route, ...] = Field(
        (), description="[[alerts.routes]]: what does not go to channels, and where it goes"
    )
    quiet_hours: tuple[QuietHours, ...] = Field(
        (), description="[[alerts.quiet_hours]]: windows in which only what is critical is sent; the rest comes after"
    )
    group_seconds: Annotated[float, Field(ge=0)] = Field(
        300.0, description="alerts that fire so close together with one cause are one message; 0: never"
    )
    remind_hours: Positive = 24.0
    silent_hours: Positive = Field(
        96.0,
        description="without a cadence: how long neither Kronos nor Toto may complete a prediction; "
        "four days outlast a weekend with a holiday",
    )
    update_minutes: Positive = 60.0
    escalate_channel: Literal[""] | Channel = Field(
        "", description="second channel for what nobody acknowledges; empty: never"
    )
    escalate_minutes: Positive = Field(30.0, description="how long somebody may take to acknowledge it")
    escalate_severity: Severity = Field("critical", description="from this severity on")
    flap_count: Annotated[int, Field(ge=0)] = Field(4, description="firing so often within flap_hours; 0: never")
    flap_hours: Positive = 6.0
    flap_stable_hours: Positive = Field(2.0, description="flapping is over after so long without a change")
    kinds: dict[Kind, AlertKindPolicy] = Field(
        default_factory=dict, description="[alerts.kinds.KIND]: patience with one kind of alert"
    )
    overdue_minutes: Positive = Field(
        60.0, description="a message that is on its way for so long takes the second route as well"
    )
    graph_reuse_recover_predictions: Count = Field(20, description="completed predictions after the last hit")
    lease_seconds: Positive = 60.0
    batch: Count = 50


class Slack(Section):
    """Slack. Without token and webhook, the console and the database hold every message."""

    token: SecretStr = SecretStr("")
    channel: str = ""
    webhook_url: SecretStr = SecretStr("")
    base_url: str = Field("", description="API address; empty: Slack's own")
    airflow_connection: str = Field(
        "kronos_health_slack", description="Airflow connection that overrides token and base_url"
    )
    timeout_seconds: Positive = 10.0
    app_token: SecretStr = Field(
        SecretStr(""), description="app-level token (xapp-…) for buttons and /kronos; empty: messages without buttons"
    )
    may_act: tuple[str, ...] = Field(
        (), description="Slack user ids (U…) that may press buttons; empty: everybody in the channel"
    )


class Apprise(Section):
    """E-mail and other services by Apprise; each address is the channel ``apprise:NAME``."""

    urls: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,24}$")], SecretStr] = Field(
        default_factory=dict, description="NAME = address as Apprise writes it, e.g. mailto://…; one recipient each"
    )
    airflow_connection: str = Field(
        "kronos_health_apprise", description="Airflow connection whose extra holds NAME: address; overrides urls"
    )
    timeout_seconds: Positive = 10.0


_CHECKS = frozenset({
    "check", "deliver", "digest", "doctor", "housekeeping", "probe", "revisit", "scan", "switch", "watch",
})  # fmt: skip


class Heartbeat(Section):
    """An optional healthchecks-compatible ping."""

    url: SecretStr = Field(SecretStr(""), description="address to ping; with slugs, the address of the ping key")
    slugs: dict[str, Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]] = Field(
        default_factory=dict,
        description="check = slug: each of these pings url/slug; without any, check and doctor ping url itself",
    )
    timeout_seconds: Positive = Field(5.0, description="a ping is given up after so long, whatever it waits for")

    @field_validator("slugs")
    @classmethod
    def _are_of_checks(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value) - _CHECKS)
        if unknown:
            raise ValueError(f"there is no check named {unknown[0]}; there are {', '.join(sorted(_CHECKS))}")
        return value
