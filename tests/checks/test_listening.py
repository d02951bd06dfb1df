"""The service that listens, over a real WebSocket: confirms in time, does each thing once, connects anew, ends well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from kronos_health.checks import conversing, listening
from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.checks.listener_health import ALIVE_WITHIN
from kronos_health.store import conversation as store
from kronos_health.store.database import reading, writing
from kronos_health.store.errors import DatabaseUnreachable
from tests.alerts.samples import HIT
from tests.checks.conftest import MakeContext
from tests.checks.conversing import Chat, slack_settings
from tests.support.slack_server import CHANNEL, TOKEN, SlackServer, slack_server
from tests.support.slack_socket import APP_TOKEN

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server
    assert server.problems == []


@pytest.fixture
def context(make_context: MakeContext, server: SlackServer, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setattr(listening, "_LOOK_EVERY", 0.1)  # how soon it ends, too
    return replace(make_context(**slack_settings(server)), clock=lambda: datetime.now(UTC))


class Service:
    """The service in a thread of this process."""

    def __init__(self, context: Context, start_probes: Any = None) -> None:
        self.stop, self.said = threading.Event(), list[str]()
        arguments = (context, self.stop, self.said.append, start_probes)
        self._thread = threading.Thread(target=listening.listen, args=arguments)

    def __enter__(self) -> Service:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


def _count(engine: Engine, table: str) -> int:
    with reading(engine) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() or 0)


def _until(told: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not told():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def it_confirms_acts_answers_and_shows_it(context: Context, server: SlackServer) -> None:
    message = Chat(context, server).alert(HIT)
    with Service(context):
        envelope = server.socket.deliver("interactive", server.socket.press("kh_acknowledge", message))
        server.socket.wait_until(lambda slack: envelope in slack.confirmed)
        server.socket.wait_until(lambda slack: len(slack.answers) == 1)
        _until(lambda: "👀 anna (U0ANNA)" in str(server.messages[0]["attachments"]))
    assert server.socket.answers[0]["response_type"] == "ephemeral"
    assert server.socket.answers[0]["text"].startswith("You look after it now")


def it_does_once_what_slack_brings_three_times(context: Context, server: SlackServer) -> None:
    press = server.socket.press("kh_silence_1h", Chat(context, server).alert(HIT))
    with Service(context):
        for number in range(3):  # the same envelope again, and the same press in another
            envelope = server.socket.deliver("interactive", press, "again" if number < 2 else None)
        server.socket.wait_until(lambda slack: len(slack.confirmed) == 3 and envelope in slack.confirmed)
        server.socket.wait_until(lambda slack: bool(slack.answers))
    assert [_count(context.engine, table) for table in ("alert_silence", "alert_action", "slack_request")] == [1, 1, 1]
    assert len(server.socket.answers) == 1


def it_does_what_a_run_before_it_was_killed_over(context: Context, server: SlackServer) -> None:
    press = server.socket.press("kh_acknowledge", Chat(context, server).alert(HIT))
    conversing.receive(context, "interactive", press, "kept and confirmed, and then came SIGKILL")
    with Service(context):
        server.socket.wait_until(lambda slack: len(slack.answers) == 1)
    assert _count(context.engine, "alert_action") == 1


def it_does_not_confirm_what_it_could_not_keep(
    context: Context, server: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    press = server.socket.press("kh_acknowledge", Chat(context, server).alert(HIT))
    tried = threading.Event()

    def away(*_values: object) -> bool:
        tried.set()
        raise DatabaseUnreachable("the database is away")

    with Service(context):
        with monkeypatch.context() as broken:
            broken.setattr(store, "add_request", away)
            server.socket.deliver("interactive", press, "envelope")
            assert tried.wait(60)
            assert server.socket.confirmed == []
        server.socket.deliver("interactive", press, "envelope")  # Slack brings it again
        server.socket.wait_until(lambda slack: slack.confirmed == ["envelope"])
        server.socket.wait_until(lambda slack: len(slack.answers) == 1)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["say_goodbye", "cut"])
def it_connects_anew(context: Context, server: SlackServer, how: str) -> None:
    with Service(context):
        server.socket.wait_until(lambda slack: slack.opened == 1)
        getattr(server.socket, how)()
        server.socket.wait_until(lambda slack: slack.opened >= 2, 120)
        server.socket.deliver("slash_commands", server.socket.command("help"))
        server.socket.wait_until(lambda slack: bool(slack.answers), 120)


@pytest.mark.slow
def it_waits_for_a_slack_that_is_away(make_context: MakeContext, server: SlackServer) -> None:
    away = slack_settings(server, base_url="http://127.0.0.1:1/api/")
    context = replace(make_context(**away), clock=lambda: datetime.now(UTC))
    with Service(context) as service:
        _until(lambda: any("not connected" in line for line in service.said))
        _until(lambda: "is not connected" in listening.check(context).sentence)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"app_token": ""}, "slack.app_token is empty"),
        ({"token": ""}, "slack.token and slack.channel are needed too"),
        ({"app_token": "xoxb-bot"}, "must be an app-level token (xapp-…), not the bot's"),
        ({"app_token": "xapp-wrong"}, "is no valid app-level token"),
    ],
)
def it_says_what_to_mend(make_context: MakeContext, server: SlackServer, values: dict[str, str], words: str) -> None:
    context = make_context(**slack_settings(server, **values))
    with pytest.raises(CheckError) as refused:
        listening.listen(context, threading.Event(), lambda _line: None)
    assert words in str(refused.value)


def it_starts_probes_only_where_they_wait(context: Context, server: SlackServer) -> None:
    started = threading.Event()
    message = Chat(context, server).alert(HIT)
    with Service(context, started.set):
        server.socket.deliver("slash_commands", server.socket.command("help"))
        server.socket.wait_until(lambda slack: len(slack.answers) == 1)
        assert not started.is_set()
        server.socket.deliver("interactive", server.socket.press("kh_probe", message))
        assert started.wait(60)


class DescribeItsHealth:
    def it_is_bad_where_nobody_ever_listened(self, context: Context) -> None:
        assert not listening.check(context).ok

    def it_is_good_while_connected_and_bad_after_the_end(self, context: Context, server: SlackServer) -> None:
        with Service(context):
            _until(lambda: listening.check(context).ok)
        health = listening.check(context)
        assert (health.ok, "ended at" in health.sentence) == (False, True)

    def it_is_bad_without_a_sign_of_life(self, context: Context, server: SlackServer) -> None:
        with Service(context):
            _until(lambda: listening.check(context).ok)
        with writing(context.engine) as connection:
            connection.exec_driver_sql("UPDATE listener SET ended_at = NULL, connected = (1 = 1)")
        assert listening.check(context).ok
        later = replace(context, clock=lambda: datetime.now(UTC) + ALIVE_WITHIN)
        assert "no sign of life" in listening.check(later).sentence


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def it_runs_by_command_and_ends_well(sqlite_url: str, server: SlackServer, tmp_path: Path, number: int) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "127.0.0.1",
        "KRONOS_HEALTH__DATABASE__URL": sqlite_url,
        "KRONOS_HEALTH__SLACK__TOKEN": TOKEN,
        "KRONOS_HEALTH__SLACK__APP_TOKEN": APP_TOKEN,
        "KRONOS_HEALTH__SLACK__CHANNEL": CHANNEL,
        "KRONOS_HEALTH__SLACK__BASE_URL": server.base_url,
    }
    command = [sys.executable, "-c", "from kronos_health.cli import main; main()", "slack-listen"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        server.socket.wait_until(lambda slack: slack.opened == 1, 120)
        server.socket.deliver("slash_commands", server.socket.command("help"))
        server.socket.wait_until(lambda slack: bool(slack.answers), 120)
        check = [*command, "--check"]
        ran = subprocess.run(check, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (ran.returncode, "listens since" in ran.stdout) == (0, True)
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0
    assert said.splitlines()[-1] == "ended"
    assert APP_TOKEN not in said
    ran = subprocess.run(check, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
