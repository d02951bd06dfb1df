"""Who is told, how, and how often."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from kronos_health.settings.models.section import Count, Positive, Section


class Alerts(Section):
    """Who is told, and how often."""

    channels: tuple[Literal["console", "slack", "slack_webhook"], ...] = ("console",)
    fallback: Literal["console", "slack", "slack_webhook"] = Field(
        "console", description="second route when a channel is refused"
    )
    remind_hours: Positive = 24.0
    silent_hours: Positive = Field(
        96.0,
        description="without a cadence: how long neither Kronos nor Toto may complete a prediction; "
        "four days outlast a weekend with a holiday",
    )
    update_minutes: Positive = 60.0
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


class Heartbeat(Section):
    """An optional healthchecks-compatible ping."""

    url: SecretStr = SecretStr("")
    timeout_seconds: Positive = 5.0
