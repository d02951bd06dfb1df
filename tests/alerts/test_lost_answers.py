"""A Slack that takes a message and loses the answer, or loses the message: sent once all the same."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from kronos_health.alerts.condition import channel_status
from kronos_health.store import alerts as store
from kronos_health.store.database import writing
from tests.alerts.conftest import Desk, desk_for
from tests.alerts.samples import DRIFT, HIT, OK_AGAIN
from tests.support.slack_server import (
    CHANNEL_NAME,
    Misbehaviour,
    SlackServer,
    broken_json,
    rate_limited,
    reset,
    server_error,
    slack_server,
    slow,
)

LOST_ANSWERS = {
    "500": server_error,
    "reset": reset,
    "broken JSON": broken_json,
}


class DescribeLostAnswers:
    @pytest.mark.parametrize("name", LOST_ANSWERS)
    @pytest.mark.parametrize("accepted", [True, False])
    def it_looks_before_it_sends_again(self, desk: Desk, slack: SlackServer, name: str, accepted: bool) -> None:
        slack.misbehave("chat.postMessage", LOST_ANSWERS[name](accepted=accepted))
        desk.record(HIT, DRIFT)
        first = desk.deliver()
        assert (first.sent, first.failed, desk.states()) == (0, 1, ["unknown", "pending"])
        desk.clock.forward(5)
        second = desk.deliver()
        assert (second.sent, second.waiting) == (2, 0)
        assert sorted(slack.ids()) == sorted(row.id for row in desk.rows())
        assert slack.count("chat.postMessage") == (2 if accepted else 3)

    def it_looks_after_an_answer_that_was_too_slow(self, desk: Desk, slack: SlackServer) -> None:
        slack.misbehave("chat.postMessage", slow(1.5))
        desk.record(HIT)
        assert desk.deliver(patience_seconds=60).sent == 1
        assert len(slack.messages) == 1

    @pytest.mark.parametrize("error", ["internal_error", "fatal_error", "request_timeout"])
    @pytest.mark.parametrize("accepted", [True, False])
    def it_does_not_believe_an_error_that_may_have_succeeded(
        self, desk: Desk, slack: SlackServer, error: str, accepted: bool
    ) -> None:
        body = json.dumps({"ok": False, "error": error})
        slack.misbehave("chat.postMessage", Misbehaviour(body=body, accept=accepted))
        desk.record(HIT)
        assert desk.deliver(patience_seconds=60).sent == 1
        assert len(slack.messages) == 1

    def it_finds_a_reply_in_its_thread(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        desk.deliver()
        slack.misbehave("chat.postMessage", reset(accepted=True))
        desk.record(OK_AGAIN)
        assert desk.deliver(patience_seconds=60).sent == 1
        assert slack.count("conversations.replies") == 1
        assert len(slack.messages) == 2

    def it_reads_the_history_page_by_page(self, desk: Desk, slack: SlackServer) -> None:
        slack.page_size = 2
        slack.misbehave("chat.postMessage", reset(accepted=True))
        desk.record(HIT)
        desk.deliver()
        for number in range(7):
            desk.record(replace(DRIFT, key=f"other {number}"))
        desk.clock.forward(5)
        with writing(desk.engine) as connection:  # the others went first, so that the lost one lies pages back
            store.hold_channel(connection, "slack", desk.clock.now)
        slack.misbehave("conversations.history", server_error(accepted=False))
        desk.deliver(patience_seconds=600)
        assert sorted(slack.ids()) == sorted(row.id for row in desk.rows())
        assert len(slack.messages) == 8
        assert slack.count("conversations.history") >= 4

    @pytest.mark.parametrize("trouble", [rate_limited(20), server_error(accepted=False), reset(accepted=False)])
    def it_keeps_looking_until_it_can_see(self, desk: Desk, slack: SlackServer, trouble: Misbehaviour) -> None:
        slack.misbehave("chat.postMessage", reset(accepted=True))
        slack.misbehave("conversations.history", trouble, trouble)
        desk.record(HIT)
        summary = desk.deliver(patience_seconds=600)
        assert summary.sent == 1
        assert len(slack.messages) == 1

    def it_waits_for_a_history_that_lags(self, sqlite_engine: Engine) -> None:
        with slack_server(history_lag=0.3) as slow_slack:
            desk = desk_for(sqlite_engine, slow_slack)
            slow_slack.misbehave("chat.postMessage", reset(accepted=True))
            desk.record(HIT)
            desk.deliver()
            time.sleep(0.4)  # what Pace.before_reading_back is for: by then history has caught up
            desk.clock.forward(5)
            assert desk.deliver().sent == 1
            assert len(slow_slack.messages) == 1

    def it_rather_doubles_than_loses_where_it_may_not_look(self, desk: Desk, slack: SlackServer) -> None:
        slack.scopes = "chat:write"
        slack.misbehave("chat.postMessage", reset(accepted=False))
        desk.record(HIT)
        assert desk.deliver(patience_seconds=60).sent == 1
        assert len(slack.messages) == 1
        assert channel_status(desk.engine, "slack").disabled_at is None  # type: ignore[union-attr]

    def it_knows_a_channel_by_name_once_a_message_arrived(self, slack: SlackServer, sqlite_engine: Engine) -> None:
        desk = desk_for(sqlite_engine, slack, slack={"channel": CHANNEL_NAME})
        desk.record(HIT)
        desk.deliver()
        slack.misbehave("chat.postMessage", reset(accepted=True))
        desk.record(DRIFT)
        assert desk.deliver(patience_seconds=60).sent == 1
        assert len(slack.messages) == 2

    def it_may_repeat_a_green_update_but_no_reply(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        desk.deliver()
        slack.misbehave("chat.update", reset(accepted=True))
        desk.record(OK_AGAIN)
        assert desk.deliver(patience_seconds=60).sent == 1
        assert (slack.count("chat.update"), len(slack.messages)) == (2, 2)
