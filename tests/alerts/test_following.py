"""A message that tells several alerts shows how each of them stands, and turns green once all are over.

Through Slack on loopback, which checks every ``chat.update``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from kronos_health.alerts import following
from kronos_health.alerts.following import queue_lists
from kronos_health.alerts.listing import LISTED
from kronos_health.alerts.registry import open_channels
from kronos_health.domain.alerts import TransitionKind
from kronos_health.store import outbox, together
from kronos_health.store.database import reading, writing
from tests.alerts.conftest import settings_for
from tests.alerts.scenario import Story
from tests.alerts.test_standing import _buttons
from tests.support.slack_server import Misbehaviour, SlackServer, rate_limited, reset, says, server_error
from tests.support.steps import refused

Tell = Callable[..., Story]
GREEN, RED, ORANGE = "#2eb67d", "#d72b3f", "#e8a317"
NIGHT = ({"start": "22:00", "end": "07:00", "timezone": "UTC"},)  # a story begins at noon


@pytest.fixture
def tell(database_url: str, slack: SlackServer) -> Tell:
    """Begin a story that is told in Slack, with buttons, on both databases; keywords are the table ``[alerts]``."""

    def begin(**alerts: Any) -> Story:
        settings = settings_for(slack, alerts=alerts, slack={"app_token": "xapp-loopback"})
        return Story(database_url, settings, channels=open_channels(settings))

    return begin


@pytest.fixture
def story(tell: Tell) -> Story:
    return tell()


def a_bad_deployment(story: Story) -> Story:
    """Three alerts that one message tells."""
    story.at(1).deployed()
    return story.all_hit(
        ("graph_reuse", "prod"), ("log_errors", "staging/oom"), ("settings_drift", "file .env.compile")
    )


def lines(message: dict[str, Any]) -> list[str]:
    """What it lists."""
    (attachment,) = message["attachments"]
    return [line for line in attachment["blocks"][0]["text"]["text"].splitlines() if line.startswith("•")]


def colour(message: dict[str, Any]) -> str:
    return str(message["attachments"][0]["color"])


def refreshed(story: Story, channel: str = "slack") -> list[str]:
    """The states of what was to be shown anew, in order."""
    with reading(story.context.engine) as connection:
        rows = [row for row in outbox.recent(connection, 1_000) if row.kind is TransitionKind.REFRESHED]
    rows = [row for row in rows if row.channel == channel and row.fingerprint.startswith("group:")]
    return [row.state.value for row in sorted(rows, key=lambda row: row.sequence)]


class DescribeEachLine:
    def it_stays_as_it_is_while_nothing_happens(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        for hour in (2, 3, 4):
            story.at(hour)
        assert slack.count("chat.update") == 0
        assert lines(slack.messages[0]) == [
            "• 🔴 graph_reuse of prod",
            "• 🟠 log_errors of staging/oom",
            "• 🟠 settings_drift of file .env.compile",
        ]

    def it_shows_who_looks_after_it_and_until_when_it_is_silenced(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        story.at(2).acknowledged("graph_reuse", by="maria")
        story.silenced("kind=log_errors", hours=3).deliver()
        assert lines(slack.messages[0]) == [
            "• 🔴 graph_reuse of prod · 👀 maria",
            "• 🟠 log_errors of staging/oom · 🔕 until 2026-11-23 17:00 UTC",
            "• 🟠 settings_drift of file .env.compile",
        ]
        assert len(slack.messages) == 1  # in place: nothing new was said

    def it_takes_back_what_is_no_longer_so(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        story.at(2).acknowledged("graph_reuse").silenced("kind=log_errors", hours=1).deliver()
        story.at(3.5).given_back("graph_reuse").deliver()
        assert lines(slack.messages[0])[:2] == ["• 🔴 graph_reuse of prod", "• 🟠 log_errors of staging/oom"]

    def it_shows_that_it_gets_better_and_that_it_is_over(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        story.at(2).well("log_errors", "staging/oom").well("settings_drift", "file .env.compile").deliver()
        assert lines(slack.messages[0]) == [
            "• 🔴 graph_reuse of prod",
            "• 🟠 log_errors of staging/oom · 🌤️ getting better",
            "• ✅ Resolved after 1 h: settings_drift of file .env.compile",
        ]
        assert slack.messages[1]["thread_ts"] == slack.messages[0]["ts"]  # its end is told in the thread as well
        assert colour(slack.messages[0]) == RED

    def it_counts_how_often_all_were_seen_by_now(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        story.at(1.1).hit("graph_reuse", occurrences=40).deliver()
        assert "*Seen*\n43 times" in str(slack.messages[0]["attachments"]).replace("\\n", "\n")

    def it_says_in_full_the_most_severe_of_those_that_last(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        story.at(2).well("graph_reuse", positives=20).deliver()
        assert colour(slack.messages[0]) == ORANGE
        assert slack.messages[0]["text"].startswith("🟠 3 alerts at once after the deployment")


class DescribeTheEndOfAll:
    def it_turns_green_with_the_time_from_the_first_beginning_to_the_last_end(
        self, story: Story, slack: SlackServer
    ) -> None:
        a_bad_deployment(story)
        story.at(2).well("settings_drift", "file .env.compile").well("log_errors", "staging/oom")
        story.at(3).well("graph_reuse", positives=20)
        assert colour(slack.messages[0]) == ORANGE
        story.at(9).well("log_errors", "staging/oom").deliver()
        assert slack.messages[0]["text"].startswith("✅ All over after 8 h: 3 alerts at once after the deployment")
        assert colour(slack.messages[0]) == GREEN
        assert [line.split(":")[0] for line in lines(slack.messages[0])] == [
            "• ✅ Resolved after 2 h",
            "• ✅ Resolved after 8 h",
            "• ✅ Resolved after 1 h",
        ]
        assert "nothing to do" in str(slack.messages[0]["attachments"])

    def it_is_then_left_alone_whatever_begins_anew(self, story: Story, slack: SlackServer) -> None:
        story.at(1).all_hit(("graph_reuse", "prod"), ("graph_reuse", "prod/b"))
        story.at(2).well("graph_reuse", positives=20).well("graph_reuse", "prod/b", positives=20).deliver()
        shown = str(slack.messages[0])
        assert "✅ All over after 1 h" in shown
        story.at(3).hit("graph_reuse").deliver()
        story.at(4).acknowledged("graph_reuse").deliver()
        assert str(slack.messages[0]) == shown
        again = slack.messages[-1]
        assert "thread_ts" not in again  # an episode of its own has a message of its own
        assert "👀 maria looks after it" in str(again)

    def it_holds_on_to_an_end_though_the_alert_begins_anew(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        story.at(2).well("graph_reuse", positives=20).deliver()
        story.at(3).hit("graph_reuse", occurrences=500).acknowledged("graph_reuse").deliver()
        assert lines(slack.messages[0])[0] == "• ✅ Resolved after 1 h: graph_reuse of prod"
        story.at(9)
        assert "500" not in str(slack.messages[0])

    def it_knows_an_end_that_nobody_saw_before_the_next_beginning(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        story.at(2).unsent_well("graph_reuse", positives=20).unsent_hit("graph_reuse", "prod").deliver()
        assert lines(slack.messages[0])[0] == "• ✅ Resolved after 1 h: graph_reuse of prod"

    def it_names_a_next_step_that_exists(self) -> None:
        assert refused(following._AFTERWARDS) is None


class DescribeButtons:
    def it_has_them_for_all_until_all_are_acknowledged_and_none_when_all_are_over(
        self, story: Story, slack: SlackServer
    ) -> None:
        story.at(1).all_hit(("graph_reuse", "prod"), ("graph_reuse", "prod/b"))
        everything = ["Acknowledge", "Silence 1 h", "Silence 1 day", "Run a probe now"]
        values = {one["value"] for one in slack.messages[0]["attachments"][0]["blocks"][-1]["elements"]}
        story.at(2).acknowledged("graph_reuse").deliver()
        assert _buttons(slack.messages[0]) == everything
        assert {one["value"] for one in slack.messages[0]["attachments"][0]["blocks"][-1]["elements"]} == values
        story.acknowledged("graph_reuse", "prod/b").deliver()
        assert _buttons(slack.messages[0]) == everything[1:]
        story.at(3).well("graph_reuse", positives=20).well("graph_reuse", "prod/b", positives=20).deliver()
        assert _buttons(slack.messages[0]) == []


class DescribeManyAlerts:
    def it_counts_those_that_it_does_not_list(self, story: Story, slack: SlackServer) -> None:
        keys = [f"prod/{number:02}" for number in range(LISTED + 3)]
        story.at(1).all_hit(*(("graph_reuse", key) for key in keys))
        assert "and 3 more: kronos-health alerts" in str(slack.messages[0])
        for key in keys[1:]:
            story.at(2).unsent_well("graph_reuse", key, positives=20)
        story.deliver()
        assert lines(slack.messages[0])[0] == "• 🔴 graph_reuse of prod/00"
        assert set(lines(slack.messages[0])[1:]) == {
            f"• ✅ Resolved after 1 h: graph_reuse of {key}" for key in keys[1:LISTED]
        }
        assert "and 3 more, 3 of them over: kronos-health alerts" in str(slack.messages[0])
        assert not slack.messages[0]["text"].startswith("✅")  # one is not over
        story.at(3).well("graph_reuse", keys[0], positives=20).deliver()
        assert slack.messages[0]["text"].startswith("✅ All over after 2 h: 23 alerts at once in prod")


class DescribeWhatQuietHoursHeld:
    def it_shows_how_it_stands_and_states_no_end_twice(self, tell: Tell, slack: SlackServer) -> None:
        story = tell(quiet_hours=NIGHT)
        story.at(11).hit("settings_drift", "a").hit("settings_drift", "b")
        story.at(12).well("settings_drift", "a")
        story.at(20).acknowledged("settings_drift", "b").deliver()
        assert lines(slack.messages[0]) == [
            "• 🟠 settings_drift of a",
            "• ✅ Resolved after 1 h: settings_drift of a",
            "• 🟠 settings_drift of b · 👀 maria",
        ]
        story.at(21).well("settings_drift", "b").deliver()
        assert slack.messages[0]["text"] == "✅ All over after 10 h: 3 messages were held in the quiet hours"

    def it_waits_for_no_end_of_news(self, tell: Tell, slack: SlackServer) -> None:
        story = tell(quiet_hours=NIGHT)
        story.at(11).hit("torch_release", "2.15.0").hit("kronos_updated", "4f1c2ab")
        story.at(20)
        story.at(21)
        assert slack.count("chat.update") == 0
        with reading(story.context.engine) as connection:
            assert together.followed(connection, ["slack"]) == ()


class DescribeDelivery:
    @pytest.mark.parametrize("trouble", [server_error(accepted=True), reset(accepted=False), reset(accepted=True)])
    def it_shows_the_newest_last_when_answers_are_lost(
        self, story: Story, slack: SlackServer, trouble: Misbehaviour
    ) -> None:
        a_bad_deployment(story)
        slack.misbehave("chat.update", trouble)
        story.at(2).acknowledged("graph_reuse").deliver()
        story.at(2.001).acknowledged("log_errors", "staging/oom").deliver()
        story.at(4)
        assert [line.count("👀 maria") for line in lines(slack.messages[0])] == [1, 1, 0]
        assert set(refreshed(story)) == {"sent"}

    def it_shows_it_again_after_a_kill_and_the_newest_last(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        story.at(2).acknowledged("graph_reuse").deliver()
        with writing(story.context.engine) as connection:  # killed between showing and settling
            connection.exec_driver_sql(
                "UPDATE outbox SET state = 'sending', lease_owner = 'dead', lease_until = next_at "
                "WHERE kind = 'refreshed'"
            )
        story.unsent_well("graph_reuse", positives=20).deliver()
        assert lines(slack.messages[0])[0] == "• ✅ Resolved after 1 h: graph_reuse of prod"
        assert refreshed(story) == ["sent", "sent"]

    def it_replaces_what_still_waits_to_be_shown(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        slack.misbehave("chat.update", rate_limited(30))
        story.at(2).acknowledged("graph_reuse").deliver()
        story.at(2.001).acknowledged("log_errors", "staging/oom").deliver()
        story.at(4)
        assert slack.count("chat.update") == 2
        assert refreshed(story) == ["sent"]
        assert [line.count("👀 maria") for line in lines(slack.messages[0])] == [1, 1, 0]

    def it_lets_nothing_wait_where_it_cannot_be_shown(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        slack.always("chat.update", says("message_not_found"))
        story.at(2).well("settings_drift", "file .env.compile").deliver()
        assert refreshed(story) == ["sent"]
        assert len(slack.messages) == 2  # the end is told

    def it_shows_nothing_anew_where_a_channel_cannot(self, database_url: str, slack: SlackServer) -> None:
        story = Story(database_url, settings_for(slack, channels=("console",)))
        a_bad_deployment(story)
        story.at(2).well("graph_reuse", positives=20).deliver()
        assert [one.what for one in story.told] == ["grouped graph_reuse", "resolved graph_reuse"]
        assert refreshed(story, "console") == []

    def it_is_queued_once_by_deliverers_at_the_same_moment(self, story: Story, slack: SlackServer) -> None:
        a_bad_deployment(story)
        with writing(story.context.engine) as connection:
            carrier = next(row for row in outbox.recent(connection) if row.kind is TransitionKind.GROUPED)
            now = story.now()
            assert together.show(connection, carrier, carrier.message, "one", now)
            assert not together.show(connection, carrier, carrier.message, "one", now)  # it read what is no longer so
        assert refreshed(story) == ["pending"]

    def it_costs_one_query_by_index_while_nothing_is_followed(self, story: Story, slack: SlackServer) -> None:
        story.at(1).all_hit(("graph_reuse", "prod"), ("graph_reuse", "prod/b"))
        story.at(2).well("graph_reuse", positives=20).well("graph_reuse", "prod/b", positives=20).deliver()
        asked: list[str] = []
        engine = story.context.engine
        event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
        with reading(engine) as connection:
            asked.clear()
            assert queue_lists(connection, ["slack"], story.settings, story.now()) == 0
            (statement,) = [one for one in asked if one != "BEGIN"]
            if connection.dialect.name == "sqlite":
                values = ("slack", "sent")
                plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())
                assert "INDEX ix_outbox_followed" in plan
                assert "INDEX ix_outbox_told_in" in plan
