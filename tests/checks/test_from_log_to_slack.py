"""From a written log line to Slack: one message for a burst, the same thread when it is over, nothing twice."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kronos_health.checks.delivering import deliver
from kronos_health.checks.scanning import scan
from tests.checks.conftest import Clock, MakeContext
from tests.checks.test_scanning import DONE, PATTERNS, REUSE, Log
from tests.support.slack_server import CHANNEL, TOKEN, SlackServer, slack_server


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server
    assert server.problems == []


@pytest.fixture
def settings(slack: SlackServer, tmp_path: Path) -> dict[str, Any]:
    return {
        "sources": {"trade": {"path": str(tmp_path / "trade.log")}},
        "logs": {"patterns": PATTERNS},
        "alerts": {"channels": ["slack"], "graph_reuse_recover_predictions": 2},
        "slack": {"token": TOKEN, "channel": CHANNEL, "base_url": slack.base_url},
    }


def it_tells_a_burst_once_and_turns_the_same_message_green(
    make_context: MakeContext, slack: SlackServer, settings: dict[str, Any], tmp_path: Path, clock: Clock
) -> None:
    clock.now = datetime.now(UTC)  # Slack's clock is the machine's
    context, log = make_context(**settings), Log(tmp_path / "trade.log")
    log.quiet_line()
    scan(context, "trade")
    deliver(context)
    before = len(slack.messages)

    log.write(*[REUSE] * 30)
    log.quiet_line()
    for _again in range(2):
        scan(context, "trade")
        clock.move(seconds=5)
        deliver(context)
    told = [message for message in slack.messages[before:] if "thread_ts" not in message]
    # The same records also say that predictions failed, and from what: one message says both.
    (reuse,) = told
    assert "overwritten by a subsequent run in trade" in reuse["text"]

    log.write(DONE, DONE, DONE)
    log.quiet_line()
    clock.move(minutes=5)
    scan(context, "trade")
    for _second in range(3):
        clock.now += timedelta(seconds=2)
        deliver(context)
    replies = [message for message in slack.messages if message.get("thread_ts") == reuse["ts"]]
    assert len(replies) == 1
    assert "Resolved" in replies[0]["text"]
    assert slack.count("chat.update") == 1
    assert len(slack.ids()) == len(set(slack.ids()))


def it_keeps_every_message_when_the_token_is_refused(
    make_context: MakeContext, slack: SlackServer, settings: dict[str, Any], tmp_path: Path, clock: Clock
) -> None:
    clock.now = datetime.now(UTC)
    slack.token = "xoxb-another"
    context, log, console = make_context(**settings), Log(tmp_path / "trade.log"), io.StringIO()
    log.write(REUSE)
    log.quiet_line()
    scan(context, "trade")
    summary = deliver(context, console)
    assert summary.disabled_channels == ("slack",)
    deliver(context, console)
    assert "its history holds CUDA graph reuse" in console.getvalue()
    assert slack.messages == []
