"""Delivery by incoming webhook: at least once."""

from __future__ import annotations

from sqlalchemy import Engine

from tests.alerts.conftest import Desk, desk_for
from tests.alerts.samples import HIT, OK_AGAIN
from tests.support.slack_server import (
    Misbehaviour,
    SlackServer,
    rate_limited,
    reset,
)


class DescribeTheWebhook:
    def _desk(self, engine: Engine, slack: SlackServer) -> Desk:
        hook = {"token": "", "webhook_url": slack.webhook_url}
        return desk_for(engine, slack, channels=("slack_webhook",), slack=hook)

    def it_posts_every_message_on_its_own(self, sqlite_engine: Engine, slack: SlackServer) -> None:
        desk = self._desk(sqlite_engine, slack)
        desk.record(HIT)
        desk.deliver()
        desk.record(OK_AGAIN)
        assert desk.deliver().sent == 1
        assert [message["text"][0] for message in slack.messages] == ["🔴", "✅"]

    def it_sends_again_after_a_lost_answer_and_may_double(self, sqlite_engine: Engine, slack: SlackServer) -> None:
        desk = self._desk(sqlite_engine, slack)
        slack.misbehave("webhook", reset(accepted=True))
        desk.record(HIT)
        assert desk.deliver(patience_seconds=60).sent == 1
        assert len(slack.messages) == 2  # the documented, weaker promise: at least once

    def it_is_closed_when_the_hook_is_gone_and_says_no_secret(self, sqlite_engine: Engine, slack: SlackServer) -> None:
        desk = self._desk(sqlite_engine, slack)
        slack.always("webhook", Misbehaviour(status=404, error="no_service"))
        desk.record(HIT)
        summary = desk.deliver()
        assert summary.disabled_channels == ("slack_webhook",)
        assert "Make a new incoming webhook" in summary.problems[0]
        assert slack.webhook_url not in str(summary)
        assert HIT.title in desk.console.getvalue()

    def it_says_it_once_more_in_plain_words(self, sqlite_engine: Engine, slack: SlackServer) -> None:
        desk = self._desk(sqlite_engine, slack)
        slack.misbehave("webhook", Misbehaviour(status=400, error="invalid_blocks"), rate_limited(5))
        desk.record(HIT)
        assert desk.deliver(patience_seconds=10).sent == 1
        assert "attachments" not in slack.messages[0]
