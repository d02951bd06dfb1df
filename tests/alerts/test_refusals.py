"""Refused messages and refused channels: said in plain words, by the second route, and never lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from kronos_health.alerts.condition import channel_enable, channel_status, recheck
from kronos_health.checks.observations.checker import of_checkup
from kronos_health.domain.alerts import ObservationState
from tests.alerts.conftest import BRISK, Desk, desk_for
from tests.alerts.samples import DRIFT, HIT, OK_AGAIN
from tests.support.slack_server import (
    Misbehaviour,
    SlackServer,
    says,
)


class DescribeRefusals:
    @pytest.mark.parametrize("error", ["invalid_blocks", "msg_too_long", "msg_blocks_too_long", "metadata_too_large"])
    def it_says_it_once_more_in_plain_words(self, desk: Desk, slack: SlackServer, error: str) -> None:
        slack.misbehave("chat.postMessage", says(error))
        desk.record(HIT)
        assert desk.deliver().sent == 1
        (message,) = slack.messages
        assert message["attachments"] == []
        assert "Next step: kronos-health watch" in message["text"]
        assert desk.rows()[0].plain

    def it_gives_up_what_is_refused_in_plain_words_too_and_tells_the_console(
        self, desk: Desk, slack: SlackServer
    ) -> None:
        slack.misbehave("chat.postMessage", says("invalid_blocks"), says("no_text"))
        desk.record(HIT, DRIFT)
        summary = desk.deliver()
        assert (summary.dead, summary.sent, summary.waiting) == (1, 2, 0)
        assert sorted(desk.states()) == ["dead", "sent"]
        assert HIT.title in desk.console.getvalue()

    def it_lets_an_episode_go_on_after_a_dead_message(self, desk: Desk, slack: SlackServer) -> None:
        slack.misbehave("chat.postMessage", says("invalid_blocks"), says("invalid_blocks"))
        desk.record(HIT)
        desk.deliver()
        desk.record(OK_AGAIN)
        assert desk.deliver().sent == 2  # the console, where it began in the end, hears of its end as well
        (message,) = slack.messages
        assert "thread_ts" not in message

    def it_tries_a_reason_it_does_not_know_some_times(self, desk: Desk, slack: SlackServer) -> None:
        slack.always("chat.postMessage", says("mercury_in_retrograde"))
        desk.record(HIT)
        desk.pace = replace(BRISK, refusals=3)
        summary = desk.deliver(patience_seconds=1_000)
        assert (summary.dead, slack.count("chat.postMessage")) == (1, 3)
        assert "CUDA graph" in desk.console.getvalue()

    def it_answers_on_its_own_when_the_first_message_was_deleted(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        desk.deliver()
        slack.messages.clear()
        desk.record(OK_AGAIN)
        assert desk.deliver().sent == 1
        assert "thread_ts" not in slack.messages[0]


class DescribeAChannelThatNeverAnswers:
    """It refuses nothing, so nobody closes it."""

    def it_does_not_keep_a_message_longer_than_an_hour(self, engine: Engine, slack: SlackServer) -> None:
        desk = desk_for(engine, slack, slack={"base_url": "http://127.0.0.1:1/api/"})
        desk.record(HIT)
        desk.clock.forward(3_000)
        assert desk.deliver().disabled_channels == ()
        desk.record(DRIFT)
        desk.clock.forward(700)
        for _again in range(2):
            desk.deliver()
        assert desk.console.getvalue().count(HIT.title) == 1
        assert DRIFT.title not in desk.console.getvalue()  # not late yet
        assert desk.states() == ["pending", "pending"]  # and both are still Slack's

    def it_does_not_keep_to_itself_that_the_checker_is_unhealthy(self, desk: Desk, slack: SlackServer) -> None:
        told = of_checkup("channels", ObservationState.BAD, "3 messages to slack on the way", "", "h")
        slack.always("chat.postMessage", Misbehaviour(status=503))
        desk.record(told)
        desk.deliver()
        assert "Messages do not get out" in desk.console.getvalue()


class DescribeARefusedChannel:
    def it_is_closed_with_a_reason_and_the_console_takes_over(self, engine: Engine, slack: SlackServer) -> None:
        desk = desk_for(engine, slack, slack={"token": "xoxb-wrong"})
        desk.record(HIT, DRIFT)
        summary = desk.deliver()
        assert summary.disabled_channels == ("slack",)
        assert slack.count("chat.postMessage") == 1
        assert slack.messages == []
        assert (summary.waiting, summary.kept, summary.sent) == (0, 3, 3)
        assert desk.states() == ["pending"] * 3  # kept: two alerts, and that Slack refuses them
        printed = desk.console.getvalue()
        for title in (HIT.title, DRIFT.title, "Messages to slack are refused"):
            assert printed.count(title) == 1
        reason = channel_status(desk.engine, "slack").disabled_reason  # type: ignore[union-attr]
        assert reason.startswith("invalid_auth. Put a valid bot token into slack.token")  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        "error",
        ["token_revoked", "account_inactive", "missing_scope", "channel_not_found", "is_archived", "not_in_channel"],
    )
    def it_is_closed_for_every_permanent_reason(self, desk: Desk, slack: SlackServer, error: str) -> None:
        slack.always("chat.postMessage", says(error))
        desk.record(HIT)
        assert desk.deliver(patience_seconds=600).disabled_channels == ("slack",)
        assert slack.count("chat.postMessage") == 1
        assert HIT.title in desk.console.getvalue()
        desk.record(DRIFT)  # and what comes later takes the second route at once
        desk.deliver()
        assert DRIFT.title in desk.console.getvalue()
        assert slack.count("chat.postMessage") == 1

    def it_gets_what_was_kept_once_it_is_enabled(self, desk: Desk, slack: SlackServer) -> None:
        slack.misbehave("chat.postMessage", says("not_in_channel"))
        desk.record(HIT)
        desk.clock.forward(60)
        desk.deliver()
        assert channel_enable(desk.engine, "slack", desk.settings, desk.clock.now)
        assert not channel_enable(desk.engine, "slack", desk.settings, desk.clock.now)
        desk.deliver()
        texts = [message["text"] for message in slack.messages]
        assert texts[0] == f"🔴 {HIT.title}"
        assert texts[1].startswith("✅ Fired and resolved after")
        assert desk.console.getvalue().count(HIT.title) == 1

    def it_opens_by_itself_within_the_hour_after_the_token_was_mended(self, desk: Desk, slack: SlackServer) -> None:
        slack.token = "xoxb-another"
        desk.record(HIT)
        desk.clock.forward(60)
        desk.deliver()
        slack.token = "xoxb-loopback"
        assert desk.deliver().disabled_channels == ("slack",)
        desk.clock.forward(3_600)
        assert desk.deliver().disabled_channels == ()
        assert slack.messages[0]["text"].endswith(HIT.title)

    def it_can_be_rechecked_by_hand(self, desk: Desk, slack: SlackServer) -> None:
        slack.token = "xoxb-another"
        desk.record(HIT)
        desk.deliver()
        refused = recheck(desk.engine, desk.channels["slack"], desk.settings, desk.clock.now)
        assert refused.ok is False
        assert "invalid_auth" in refused.detail
        slack.token = "xoxb-loopback"
        mended = recheck(desk.engine, desk.channels["slack"], desk.settings, desk.clock.now)
        assert mended.ok
        assert channel_status(desk.engine, "slack").disabled_at is None  # type: ignore[union-attr]

    def it_warns_when_answers_could_not_be_read_back(self, desk: Desk, slack: SlackServer) -> None:
        slack.scopes = "chat:write"
        found = desk.channels["slack"].check()
        assert found.ok
        assert "without channels:history" in found.detail

    def it_keeps_messages_of_a_channel_that_was_taken_out_of_the_settings(self, desk: Desk, slack: SlackServer) -> None:
        desk.record(HIT)
        del desk.channels["slack"]
        summary = desk.deliver()
        assert (summary.sent, summary.kept, summary.waiting) == (1, 1, 0)
        assert HIT.title in desk.console.getvalue()
