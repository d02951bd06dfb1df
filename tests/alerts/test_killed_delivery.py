"""SIGKILL at random points while alerts pour in and answers get lost: nothing lost, nothing doubled, order kept."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from kronos_health.alerts.recording import record
from kronos_health.domain.alerts import AlertKind, DeliveryState, Observation, ObservationState, TransitionKind
from kronos_health.settings.models import Settings
from kronos_health.store import outbox
from kronos_health.store.database import open_engine, reading, writing
from kronos_health.store.outbox import OutboxRow
from tests.alerts.conftest import settings_for
from tests.alerts.samples import OBSERVATIONS
from tests.conftest import postgresql_slow
from tests.support.slack_server import Misbehaviour, SlackServer, broken_json, reset, server_error

ROOT = Path(__file__).parents[2]
BAD = OBSERVATIONS[AlertKind.GRAPH_REUSE]
GOOD = replace(BAD, state=ObservationState.GOOD, positives=20)

_BACKLOG = 200  # messages that may be on their way while more alerts pour in


@dataclass
class Deliverer:
    """A process that delivers when asked, and can be killed while it does."""

    process: subprocess.Popen[str]

    def begin(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def wait(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ended\n"

    def kill_after(self, seconds: float) -> None:
        child = self.begin()
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        self.wait()


@contextmanager
def deliverer(url: str, settings: Settings) -> Iterator[Deliverer]:
    plain = {
        "alerts": settings.alerts.model_dump(mode="json"),
        "slack": settings.slack.model_dump(mode="json")
        | {"token": settings.slack.token.get_secret_value(), "webhook_url": ""},
    }
    command = [sys.executable, "-m", "tests.alerts.zygote", url, json.dumps(plain)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Deliverer(process)
    finally:
        process.kill()
        process.wait()


def _story(alert: int, now: datetime, whole: int) -> list[tuple[datetime, Observation]]:
    """One alert's life: fires and is over; every ``whole``th also says how often, and fires again."""
    seen = [(0, BAD), (62, GOOD)] if alert % whole else [(0, BAD), (61, BAD), (62, GOOD), (63, BAD)]
    # Each look is dated: what was seen before would add nothing, and there would be no update to lose.
    dated = [(now + timedelta(minutes=minute), one) for minute, one in seen]
    return [(at, replace(one, key=f"source {alert}", observed_at=at)) for at, one in dated]


def _record(engine: Engine, settings: Settings, looks: list[tuple[datetime, Observation]]) -> None:
    """Each look decided by itself, a hundred in a transaction."""
    for start in range(0, len(looks), 100):
        with writing(engine) as connection:
            for at, observation in looks[start : start + 100]:
                record(connection, [observation], settings, at)


def _bad_luck(chance: random.Random, calls: int) -> list[Misbehaviour]:
    fine = Misbehaviour(accept=True, delay=0.01)  # most of the time, a message is out and its answer is not in
    trouble = [maker(accepted=accepted) for maker in (server_error, reset, broken_json) for accepted in (True, False)]
    return [chance.choice(trouble) if chance.random() < 0.02 else fine for _call in range(calls)]


def _survives(url: str, slack: SlackServer, alerts: int, kills: int, longest: float, whole: int = 1) -> None:
    chance = random.Random(20251030)
    settings = settings_for(
        slack,
        alerts={"lease_seconds": 2.0, "batch": 100_000, "overdue_minutes": 100_000},
        slack={"timeout_seconds": 1.0},
    )
    for method in ("chat.postMessage", "chat.update"):
        slack.misbehave(method, *_bad_luck(chance, alerts * 6))
    engine, begin = open_engine(url), datetime.now(UTC) - timedelta(hours=3)
    stories = [_story(alert, begin, whole) for alert in range(alerts)]
    behind = min(alerts // 2, 400)  # so many episodes are half told at any time
    with deliverer(url, settings) as runs:
        for kill in range(kills):
            # Every story is told a step at a time, so that episodes are half told when the deliverer dies.
            numbers = range(kill * alerts // kills, (kill + 1) * alerts // kills)
            _record(engine, settings, [look for number in numbers for look in _first(stories[number])])
            late = [number - behind for number in numbers if number >= behind]
            _record(engine, settings, [look for number in late for look in _rest(stories[number])])
            runs.kill_after(chance.uniform(0.0, longest))
            while _waiting(engine) > _BACKLOG:  # a slow machine is killed more often, not left behind
                runs.kill_after(chance.uniform(0.0, longest))
        left = range(alerts - behind, alerts)
        _record(engine, settings, [look for number in left for look in _rest(stories[number])])
        runs.begin()
        runs.wait()
    _check(engine, slack)
    engine.dispose()


def _waiting(engine: Engine) -> int:
    with reading(engine) as connection:
        return outbox.waiting(connection).get("slack", 0)


def _first(story: list[tuple[datetime, Observation]]) -> list[tuple[datetime, Observation]]:
    return story[: len(story) // 2]


def _rest(story: list[tuple[datetime, Observation]]) -> list[tuple[datetime, Observation]]:
    return story[len(story) // 2 :]


def _check(engine: Engine, slack: SlackServer) -> None:
    with reading(engine) as connection:
        rows = {row.id: row for row in outbox.recent(connection, 1_000_000) if row.channel == "slack"}
    assert {row.state for row in rows.values()} <= {DeliveryState.SENT, DeliveryState.MERGED}
    messages = {key: row for key, row in rows.items() if row.kind is not TransitionKind.REFRESHED}
    told = [row.id for row in messages.values() if row.state is not DeliveryState.MERGED]
    arrived = slack.ids()
    assert sorted(set(told) - set(arrived)) == []  # nothing lost
    assert len(arrived) == len(set(arrived))  # nothing doubled
    assert set(arrived) == set(told)
    order: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for message_id in arrived:
        order[rows[message_id].fingerprint].append((rows[message_id].episode, rows[message_id].sequence))
    assert all(steps == sorted(steps) for steps in order.values())
    _check_threads(messages, slack)


def _check_threads(messages: dict[str, OutboxRow], slack: SlackServer) -> None:
    """Every answer stands under its episode's first message, and that is green once the episode is over."""
    posted = {message["ts"]: message for message in slack.messages}
    over = {
        (row.fingerprint, row.episode)
        for row in messages.values()
        if row.kind is TransitionKind.RESOLVED and row.state is DeliveryState.SENT
    }
    for message in slack.messages:
        row = messages[_id(message)]
        first = posted[message.get("thread_ts", message["ts"])]
        of_first = messages[_id(first)]
        assert (of_first.fingerprint, of_first.episode) == (row.fingerprint, row.episode)
        assert first["text"].startswith("✅") is ((row.fingerprint, row.episode) in over)


def _id(message: dict[str, Any]) -> str:
    return str(message["metadata"]["event_payload"]["id"])


@postgresql_slow
def it_survives_being_killed_while_it_delivers(database_url: str, slack: SlackServer) -> None:
    _survives(database_url, slack, alerts=80, kills=26, longest=0.25)


@pytest.mark.slow
@pytest.mark.timeout(900)
def it_survives_hundreds_of_kills_over_thousands_of_alerts(database_url: str, slack: SlackServer) -> None:
    _survives(database_url, slack, alerts=1_200, kills=250, longest=1.0)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def it_loses_and_doubles_none_of_ten_thousand_alerts(database_url: str, slack: SlackServer) -> None:
    """Twenty-five thousand messages and more; Slack's pace is not kept here (it is in test_delivery.py)."""
    _survives(database_url, slack, alerts=10_000, kills=200, longest=4.0, whole=4)
