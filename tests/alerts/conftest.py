"""A desk to deliver from: settings, a clock that is set by hand, and Slack on loopback."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from kronos_health.alerts.channels import Channel
from kronos_health.alerts.outbox import DeliverySummary, deliver
from kronos_health.alerts.recording import RecordedAlerts, record
from kronos_health.alerts.registry import open_channels
from kronos_health.alerts.settling import Pace
from kronos_health.domain.alerts import Observation
from kronos_health.settings.models import Settings
from kronos_health.store import outbox
from kronos_health.store.database import reading, writing
from kronos_health.store.outbox import OutboxRow
from tests.support.slack_server import CHANNEL, TOKEN, SlackServer, slack_server

BRISK = Pace(between=0.0, before_reading_back=5.0, backoff=10.0, longest=100.0, jitter=lambda: 0.0)


@dataclass
class Clock:
    """Wall time that only moves when told to, or when somebody sleeps."""

    now: datetime
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.forward(seconds)

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Desk:
    """What a check has at hand: record what was seen, deliver, and look at the queue."""

    engine: Engine
    settings: Settings
    clock: Clock
    console: io.StringIO
    channels: dict[str, Channel]
    slack: SlackServer
    pace: Pace = BRISK

    def record(self, *observations: Observation) -> RecordedAlerts:
        with writing(self.engine) as connection:
            return record(connection, observations, self.settings, self.clock.now)

    def deliver(self, **options: Any) -> DeliverySummary:
        options = {"pace": self.pace, "sleep": self.clock.sleep} | options
        return deliver(self.engine, self.channels, self.settings, self.clock, **options)

    def rows(self, channel: str = "slack") -> list[OutboxRow]:
        """The queue of a channel, oldest first."""
        with reading(self.engine) as connection:
            found = [row for row in outbox.recent(connection, 10_000) if row.channel == channel]
        return sorted(found, key=lambda row: (row.created_at, row.fingerprint, row.episode, row.sequence))

    def states(self, channel: str = "slack") -> list[str]:
        return [row.state.value for row in self.rows(channel)]


def settings_for(server: SlackServer, channels: tuple[str, ...] = ("slack",), **values: Any) -> Settings:
    return Settings.model_validate(
        {
            "alerts": {"channels": channels, **values.pop("alerts", {})},
            "slack": {"token": TOKEN, "channel": CHANNEL, "base_url": server.base_url, "timeout_seconds": 1.0}
            | values.pop("slack", {}),
            **values,
        }
    )


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """Slack on loopback. Whatever a test does, no message may break Slack's rules or ours."""
    with slack_server() as server:
        yield server
    assert server.problems == []


def desk_for(engine: Engine, server: SlackServer, **values: Any) -> Desk:
    """A desk at the time of the loopback server."""
    settings, console = settings_for(server, **values), io.StringIO()
    return Desk(engine, settings, Clock(datetime.now(UTC)), console, open_channels(settings, console), server)


@pytest.fixture
def desk(sqlite_engine: Engine, slack: SlackServer) -> Desk:
    """Delivery to Slack from SQLite."""
    return desk_for(sqlite_engine, slack)
