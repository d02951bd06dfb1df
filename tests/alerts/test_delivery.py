"""Delivery on good days: what is sent where, once, and how fast."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from kronos_health.alerts.outbox import deliver
from kronos_health.alerts.registry import open_channels
from kronos_health.domain.alerts import AlertKind, Observation
from kronos_health.store import outbox
from kronos_health.store.database import reading
from tests.alerts.conftest import BRISK, Desk, desk_for
from tests.alerts.samples import DRIFT, HIT, OBSERVATIONS, OK_AGAIN
from tests.support.slack_server import (
    CHANNEL,
    SlackServer,
    rate_limited,
    says,
    slack_server,
)


class DescribeAGoodDay:
    def it_sends_one_message_for_many_hits(self, engine: Engine, slack: SlackServer) -> None:
        desk = desk_for(engine, slack)
        desk.record(HIT, HIT, HIT)
        summary = desk.deliver()
        assert (summary.sent, summary.waiting, summary.failed) == (1, 0, 0)
        (message,) = slack.messages
        assert message["text"] == f"🔴 {HIT.title}"
        assert message["metadata"]["event_payload"]["id"] == desk.rows()[0].id == message["client_msg_id"]
        assert desk.deliver().sent == 0

    def it_tells_an_episode_in_one_thread_and_turns_it_green(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        desk.deliver()
        desk.clock.forward(3_700)
        desk.record(HIT)
        desk.deliver()
        desk.record(OK_AGAIN)
        desk.deliver()
        parent, update, resolved = slack.messages
        assert update["thread_ts"] == resolved["thread_ts"] == parent["ts"]
        assert "Seen 42 more times" in update["text"]
        assert parent["text"].startswith("✅ Resolved after 1 h 1 min")
        assert parent["attachments"][0]["color"] == "#2eb67d"
        assert "module.py" in str(parent["attachments"])  # it still shows what had happened

    def it_begins_a_new_thread_for_a_new_episode(self, desk: Desk, slack: SlackServer) -> None:
        for _episode in range(2):
            desk.record(HIT)
            desk.deliver()
            desk.record(OK_AGAIN)
            desk.deliver()
        assert [message.get("thread_ts") for message in slack.messages] == [
            None,
            slack.messages[0]["ts"],
            None,
            slack.messages[2]["ts"],
        ]

    def it_says_in_one_message_what_was_over_before_it_was_told(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        desk.clock.forward(3_700)
        desk.record(HIT)
        desk.record(OK_AGAIN)
        summary = desk.deliver()
        assert (summary.sent, summary.merged, summary.waiting) == (1, 2, 0)
        assert slack.messages[0]["text"].startswith("✅ Fired and resolved after 1 h 1 min: CUDA graph outputs")
        assert desk.states() == ["merged", "merged", "sent"]


class DescribePacing:
    def it_sends_one_message_a_second_and_says_when_to_come_back(self, desk: Desk, slack: SlackServer) -> None:
        desk.pace = replace(BRISK, between=None)
        desk.record(HIT, DRIFT, OBSERVATIONS[AlertKind.TORCH_RELEASE])
        summary = desk.deliver()
        assert (summary.sent, summary.waiting) == (1, 2)
        assert summary.waiting_until == desk.clock.now + timedelta(seconds=1)
        assert desk.clock.slept == []
        assert desk.deliver().sent == 0

    def it_waits_no_longer_than_the_caller_has_patience_for(self, desk: Desk, slack: SlackServer) -> None:
        desk.pace = replace(BRISK, between=None)
        desk.record(HIT, DRIFT, OBSERVATIONS[AlertKind.TORCH_RELEASE])
        assert desk.deliver(patience_seconds=1.5).sent == 2
        assert desk.deliver(patience_seconds=60).sent == 1
        assert sum(desk.clock.slept) == pytest.approx(2.0, abs=0.01)

    def it_stops_after_a_batch(self, slack: SlackServer, sqlite_engine: Engine) -> None:
        desk = desk_for(sqlite_engine, slack, alerts={"batch": 2})
        desk.record(HIT, DRIFT, OBSERVATIONS[AlertKind.TORCH_RELEASE])
        assert (desk.deliver().sent, desk.deliver().sent) == (2, 1)

    def it_leaves_the_whole_channel_alone_after_a_429(self, desk: Desk, slack: SlackServer) -> None:
        slack.misbehave("chat.postMessage", rate_limited(30))
        desk.record(HIT, DRIFT)
        summary = desk.deliver(patience_seconds=29)
        assert (summary.sent, summary.waiting, slack.count("chat.postMessage")) == (0, 2, 1)
        assert summary.waiting_until == desk.clock.now + timedelta(seconds=30)
        assert "rate limited for 30 s" in summary.problems[0]
        desk.clock.forward(30)
        assert desk.deliver().sent == 2
        assert slack.count("conversations.history") == 0  # a 429 surely delivered nothing


class DescribeTheConsole:
    def it_holds_every_message_where_no_token_is_set(self, sqlite_engine: Engine, slack: SlackServer) -> None:
        desk = desk_for(sqlite_engine, slack, slack={"token": ""})
        desk.record(HIT, DRIFT)
        assert desk.deliver().sent == 2
        assert slack.calls == []
        assert desk.states("console") == ["sent", "sent"]
        printed = desk.console.getvalue()
        assert f"🔴 {HIT.title}\n" in printed
        assert "Next step: kronos-health watch  # " in printed

    def it_shows_log_text_as_it_is(self, sqlite_engine: Engine, slack: SlackServer) -> None:
        desk = desk_for(sqlite_engine, slack, channels=("console",))
        desk.record(replace(HIT, excerpt="[red]not markup[/red] :boom: " + "x" * 300 + "\x1b[31m"))
        desk.deliver()
        assert "[red]not markup[/red] :boom: " + "x" * 300 + "\n" in desk.console.getvalue()

    def it_keeps_a_message_while_its_stream_is_closed(self, sqlite_engine: Engine, slack: SlackServer) -> None:
        desk = desk_for(sqlite_engine, slack, channels=("console",))
        desk.record(HIT)
        desk.console.close()
        assert desk.deliver().failed == 1
        assert desk.states("console") == ["pending"]

    def it_writes_to_standard_output_by_default(
        self, sqlite_engine: Engine, slack: SlackServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        desk = desk_for(sqlite_engine, slack, channels=("console",))
        desk.channels = open_channels(desk.settings)
        desk.record(HIT)
        desk.deliver()
        assert HIT.title in capsys.readouterr().out
        assert sys.stdout is not None


class DescribeTwoChannels:
    def it_sends_to_each_once(self, sqlite_engine: Engine, slack: SlackServer) -> None:
        desk = desk_for(sqlite_engine, slack, channels=("slack", "console"))
        desk.record(HIT)
        assert desk.deliver().sent == 2
        assert (len(slack.messages), desk.console.getvalue().count(HIT.title)) == (1, 1)

    def it_does_not_repeat_on_the_second_route_what_already_went_there(
        self, sqlite_engine: Engine, slack: SlackServer
    ) -> None:
        desk = desk_for(sqlite_engine, slack, channels=("slack", "console"))
        slack.always("chat.postMessage", says("is_archived"))
        desk.record(HIT)
        desk.deliver()
        assert desk.console.getvalue().count(HIT.title) == 1


def _observation(number: int) -> Observation:
    return replace(DRIFT, key=f"variable {number}", title=f"Variable {number} drifted")


def it_delivers_a_storm_from_two_runs_at_once_without_doubling(engine: Engine, slack: SlackServer) -> None:
    desk = desk_for(engine, slack)
    desk.record(*(_observation(number) for number in range(40)))
    threads = [threading.Thread(target=desk.deliver) for _run in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(slack.ids()) == len(set(slack.ids())) == 40
    assert set(desk.states()) == {"sent"}
    assert {message["channel"] for message in slack.messages} == {CHANNEL}
    with reading(engine) as connection:
        assert outbox.waiting(connection) == {}


def it_keeps_slacks_pace_by_the_real_clock(sqlite_engine: Engine) -> None:
    with slack_server(minimum_interval=1.0) as slack:
        desk = desk_for(sqlite_engine, slack)
        desk.record(*(_observation(number) for number in range(3)))
        summary = deliver(desk.engine, desk.channels, desk.settings, lambda: datetime.now(UTC), patience_seconds=10.0)
    assert (summary.sent, slack.problems) == (3, [])
