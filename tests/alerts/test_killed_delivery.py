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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from kronos_health.alerts.condition import channel_enable
from kronos_health.alerts.recording import record
from kronos_health.domain.alerts import AlertKind, DeliveryState, Observation, ObservationState, TransitionKind
from kronos_health.settings.models import Settings
from kronos_health.store import outbox
from kronos_health.store.database import open_engine, reading, writing
from kronos_health.store.outbox import OutboxRow
from tests.alerts.conftest import settings_for
from tests.alerts.samples import OBSERVATIONS
from tests.conftest import postgresql_slow
from tests.support.slack_server import (
    Misbehaviour,
    SlackServer,
    broken_json,
    rate_limited,
    reset,
    says,
    server_error,
    slack_server,
    slow,
)

ROOT = Path(__file__).parents[2]
BAD = replace(OBSERVATIONS[AlertKind.GRAPH_REUSE], excerpt=None)  # long messages are tried in test_hostile_text.py
GOOD = replace(BAD, state=ObservationState.GOOD, positives=20)

_BACKLOG = 200  # messages that may be on their way while more alerts pour in


@dataclass
class Deliverer:
    """A process that delivers when asked, and can be killed while it does."""

    process: subprocess.Popen[str]
    kills: int = 0

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
        with suppress(ProcessLookupError):  # it had nothing left to do
            os.kill(child, signal.SIGKILL)
            self.kills += 1
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


BadLuck = Callable[[random.Random, int], dict[str, list[Misbehaviour]]]
FINE = Misbehaviour(accept=True, delay=0.005)  # most of the time, a message is out and its answer is not in
LOST = [maker(accepted=accepted) for maker in (server_error, reset, broken_json) for accepted in (True, False)]


def _lost_answers(chance: random.Random, calls: int) -> dict[str, list[Misbehaviour]]:
    methods = ("chat.postMessage", "chat.update")
    return {
        name: [chance.choice(LOST) if chance.random() < 0.02 else FINE for _call in range(calls)] for name in methods
    }


def _everything(chance: random.Random, calls: int) -> dict[str, list[Misbehaviour]]:
    """Every class of ``ok: false`` besides; what nobody gets over twice in a row, or costs seconds, is rarer."""
    unsure = [Misbehaviour(body=f'{{"ok": false, "error": "{word}"}}', accept=True) for word in UNSURE]
    often = [*LOST, *unsure, *(says(word) for word in (*UNSURE, "service_unavailable", "a_word_nobody_knows"))]
    rarely = [
        (1_500, rate_limited(1.0)),
        (2_000, slow(1.8)),
        (2_500, says("invalid_blocks")),
        (2_900, says("msg_too_long")),
        (3_100, Misbehaviour(error="ratelimited", headers={"Retry-After": "1"})),
    ]
    answers = {}
    for method in ("chat.postMessage", "chat.update"):
        answers[method] = [chance.choice(often) if chance.random() < 0.015 else FINE for _call in range(calls)]
        for every, answer in rarely:
            for index in range(every // 3, calls, every):
                answers[method][index] = answer
    for share, word in ((60, "not_in_channel"), (6, "is_archived"), (4, "invalid_auth")):
        answers["chat.postMessage"][calls // share] = says(word)
    return answers


UNSURE = ("internal_error", "fatal_error", "request_timeout")


def _survives(
    url: str,
    slack: SlackServer,
    alerts: int,
    kills: int,
    longest: float,
    whole: int = 1,
    bad_luck: BadLuck = _lost_answers,
    lease: float = 2.0,
    timeout: float = 1.0,
) -> None:
    chance = random.Random(20251030)
    settings = settings_for(
        slack,
        alerts={"lease_seconds": lease, "batch": 100_000, "overdue_minutes": 100_000},
        slack={"timeout_seconds": timeout},
    )
    for method, answers in bad_luck(chance, alerts * 6).items():
        slack.misbehave(method, *answers)
    engine, started = open_engine(url), time.monotonic()
    begin = datetime.now(UTC) - timedelta(hours=3)
    stories = [_story(alert, begin, whole) for alert in range(alerts)]
    with deliverer(url, settings) as runs:
        _pour_in(engine, settings, stories, runs, [chance.uniform(0.0, longest) for _kill in range(kills)])
        while _waiting(engine):
            _let_in_again(engine, settings)
            runs.begin()
            runs.wait()
    _check(engine, slack)
    engine.dispose()
    print(
        f"{alerts:,} alerts, {len(slack.messages):,} messages, {len(slack.calls):,} calls, {runs.kills} kills, "
        f"{time.monotonic() - started:.0f} s: 0 lost, 0 doubled, order kept"
    )


def _pour_in(
    engine: Engine,
    settings: Settings,
    stories: list[list[tuple[datetime, Observation]]],
    runs: Deliverer,
    kills: list[float],
) -> None:
    """Tell every story a step at a time, so that episodes are half told when the deliverer dies.

    ``kills`` says after how many seconds it does, each time.
    """
    alerts, behind = len(stories), min(len(stories) // 2, 400)  # so many episodes are half told at any time
    for kill, seconds in enumerate(kills):
        numbers = range(kill * alerts // len(kills), (kill + 1) * alerts // len(kills))
        _record(engine, settings, [look for number in numbers for look in _first(stories[number])])
        late = [number - behind for number in numbers if number >= behind]
        _record(engine, settings, [look for number in late for look in _rest(stories[number])])
        runs.kill_after(seconds)
        again = seconds
        while _waiting(engine) > _BACKLOG:  # a slow machine is killed more often, and later, not left behind
            again = max(again, 0.05) * 1.1
            _let_in_again(engine, settings)
            runs.kill_after(again)
    left = range(alerts - behind, alerts)
    _record(engine, settings, [look for number in left for look in _rest(stories[number])])


def _let_in_again(engine: Engine, settings: Settings) -> None:
    """Where Slack refused the whole channel: a person mends that, and says so."""
    channel_enable(engine, "slack", settings, datetime.now(UTC))


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
def it_loses_and_doubles_none_of_ten_thousand_alerts(database_url: str) -> None:
    """Twenty thousand messages and more; Slack's pace is not kept here (it is in test_delivery.py)."""
    with slack_server(history_lag=0.2) as slack:
        _survives(
            database_url,
            slack,
            alerts=10_000,
            kills=200,
            longest=4.0,
            whole=4,
            bad_luck=_everything,
            lease=3.0,
            timeout=1.5,
        )
        assert slack.problems == []
