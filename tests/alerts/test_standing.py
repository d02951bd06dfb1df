"""An episode's first message shows how its alert stands, and carries the buttons."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from kronos_health.alerts.standing import queue_refreshes
from kronos_health.checks import acting
from kronos_health.checks.context import Context
from kronos_health.domain.matching import Matcher
from kronos_health.domain.silences import Via
from kronos_health.store import outbox
from kronos_health.store.database import writing
from kronos_health.store.next_message import next_row
from tests.alerts.conftest import Desk, desk_for
from tests.alerts.samples import DRIFT, HIT, OK_AGAIN
from tests.support.slack_server import Misbehaviour, SlackServer, rate_limited, reset, says, server_error

APP = {"app_token": "xapp-loopback"}


@pytest.fixture
def talking(engine: Engine, slack: SlackServer) -> Desk:
    """A desk whose Slack has buttons, on both databases."""
    return desk_for(engine, slack, slack=APP)


def _context(desk: Desk) -> Context:
    return Context(desk.settings, desk.engine, desk.clock)


def _acknowledge(desk: Desk) -> None:
    acting.acknowledge(_context(desk), HIT.fingerprint, "anna (U0ANNA)", Via.SLACK)


def _buttons(message: dict[str, Any]) -> list[str]:
    return [element["text"]["text"] for element in _elements(message)]


def _elements(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for attachment in message.get("attachments") or ():
        for block in attachment["blocks"]:
            if block["type"] == "actions":
                yield from block["elements"]


class DescribeTheFirstMessage:
    def it_shows_how_often_it_was_seen_by_now(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT)
        talking.deliver()
        talking.clock.forward(60)
        talking.record(HIT)
        assert talking.deliver().sent == 0  # no new message: the first one says it
        assert len(slack.messages) == 1
        assert "84 times" in str(slack.messages[0]["attachments"])

    def it_is_left_alone_while_nothing_changes(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT)
        for _run in range(3):
            talking.deliver()
        assert slack.count("chat.update") == 0

    def it_shows_who_looks_after_it_and_takes_that_button_away(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT)
        talking.deliver()
        assert _buttons(slack.messages[0]) == ["Acknowledge", "Silence 1 h", "Silence 1 day", "Run a probe now"]
        _acknowledge(talking)
        talking.deliver()
        assert "👀 anna (U0ANNA) looks after it, since" in str(slack.messages[0]["attachments"])
        assert _buttons(slack.messages[0]) == ["Silence 1 h", "Silence 1 day", "Run a probe now"]

    def it_shows_until_when_it_is_silenced_and_when_that_is_over(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT)
        talking.deliver()
        until = talking.clock.now + timedelta(hours=1)
        acting.silence(
            _context(talking), [Matcher("alert", "=", HIT.fingerprint)], until, "anna (U0ANNA)", "", Via.SLACK
        )
        talking.deliver()
        assert f"🔕 Silenced until {until:%Y-%m-%d %H:%M} UTC by anna" in str(slack.messages[0]["attachments"])
        talking.clock.forward(3_700)
        talking.deliver()
        assert "🔕" not in str(slack.messages[0]["attachments"])

    def it_has_no_buttons_that_nobody_listens_to(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        desk.deliver()
        assert _buttons(slack.messages[0]) == []

    def it_keeps_only_the_way_to_the_page_once_it_is_green(self, engine: Engine, slack: SlackServer) -> None:
        desk = desk_for(engine, slack, slack=APP, page_url="http://127.0.0.1:8080/kronos")
        desk.record(HIT)
        desk.deliver()
        desk.record(OK_AGAIN)
        desk.deliver()
        assert slack.messages[0]["text"].startswith("✅")
        assert _buttons(slack.messages[0]) == ["Open the page"]
        assert [_buttons(reply) for reply in slack.messages[1:]] == [[]]  # a reply has none


class DescribeOrder:
    def it_shows_the_state_before_the_end_and_never_after_it(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT)
        talking.deliver()
        _acknowledge(talking)
        slack.misbehave("chat.update", rate_limited(30))
        talking.deliver()  # the refresh waits
        talking.record(OK_AGAIN)
        talking.clock.forward(31)
        talking.deliver()
        assert [method for method, _body in slack.calls if method.startswith("chat.")] == [
            "chat.postMessage", "chat.update", "chat.update", "chat.update", "chat.postMessage",
        ]  # fmt: skip
        assert slack.messages[0]["text"].startswith("✅")

    def it_replaces_a_refresh_that_still_waits(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT)
        talking.deliver()
        slack.misbehave("chat.update", rate_limited(30))
        for _seen in range(3):
            talking.record(HIT)
            talking.deliver()
        talking.clock.forward(31)
        talking.deliver()
        assert slack.count("chat.update") == 2  # the refused one, and one that says it all
        assert "168 times" in str(slack.messages[0]["attachments"])

    @pytest.mark.parametrize("trouble", [server_error(accepted=True), reset(accepted=False), reset(accepted=True)])
    def it_shows_it_again_when_the_answer_is_lost(
        self, talking: Desk, slack: SlackServer, trouble: Misbehaviour
    ) -> None:
        talking.record(HIT)
        talking.deliver()
        _acknowledge(talking)
        slack.misbehave("chat.update", trouble)
        talking.deliver(patience_seconds=100)
        assert "👀" in str(slack.messages[0]["attachments"])
        assert slack.count("chat.update") == 2
        assert slack.count("conversations.history") == slack.count("conversations.replies") == 0

    def it_shows_it_again_after_a_kill(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT)
        talking.deliver()
        _acknowledge(talking)
        talking.deliver()
        with writing(talking.engine) as connection:  # as if the run had been killed between showing and settling
            connection.exec_driver_sql(
                "UPDATE outbox SET state = 'sending', lease_owner = 'dead', lease_until = next_at "
                "WHERE kind = 'refreshed'"
            )
        talking.deliver(patience_seconds=100)
        assert set(talking.states()) == {"sent"}

    def it_lets_no_message_wait_for_one_that_cannot_be_shown_anew(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT)
        talking.deliver()
        _acknowledge(talking)
        slack.misbehave("chat.update", says("a_word_nobody_knows"))
        talking.deliver()
        assert set(talking.states()) == {"sent"}

    def it_is_not_repeated_by_the_second_route(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT)
        talking.deliver()
        _acknowledge(talking)
        slack.always("chat.update", says("is_archived"))
        slack.always("auth.test", says("invalid_auth"))
        talking.deliver()
        talking.deliver()
        assert HIT.title not in talking.console.getvalue()

    def it_shows_the_newest_state_though_an_older_one_is_sent_after_it(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT)
        talking.deliver()
        talking.record(HIT)
        now = talking.clock.now
        with writing(talking.engine) as connection:
            queue_refreshes(connection, ["slack"], now)
            refresh = next_row(connection, "slack", now)
            assert refresh is not None
            assert outbox.claim(connection, refresh, "killed", now, now + timedelta(seconds=300))
        _acknowledge(talking)
        talking.deliver()
        assert slack.count("chat.update") == 1
        talking.clock.forward(301)
        talking.deliver()  # what the dead one had claimed
        assert slack.count("chat.update") == 2
        assert "👀 anna (U0ANNA) looks after it" in str(slack.messages[0]["attachments"])


class DescribeAFirstMessageThatIsGone:
    def it_goes_on_with_a_new_conversation(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT)
        talking.deliver()
        slack.messages.clear()  # somebody deleted it
        talking.clock.forward(3_700)
        talking.record(HIT)
        talking.deliver()
        talking.record(OK_AGAIN)
        talking.deliver()
        first, reply = slack.messages
        assert "thread_ts" not in first
        assert reply["thread_ts"] == first["ts"]
        assert first["text"].startswith("✅")

    def it_costs_nothing_when_only_its_state_changed(self, talking: Desk, slack: SlackServer) -> None:
        talking.record(HIT, DRIFT)
        talking.deliver()
        slack.messages.clear()
        _acknowledge(talking)
        summary = talking.deliver()
        assert (summary.failed, summary.waiting, slack.messages) == (0, 0, [])
