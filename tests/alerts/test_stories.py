"""The life of alerts as people meet it, told from end to end: looks, people who act, time, and what arrived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kronos_health.domain.logs import Severity
from kronos_health.settings.models import Settings
from tests.alerts.scenario import Story, between

Tell = Callable[..., Story]


@pytest.fixture
def tell(sqlite_url: str) -> Tell:
    """Begin a story; keywords are the table ``[alerts]``."""

    def begin(**alerts: Any) -> Story:
        slack = {"token": "xoxb-1", "channel": "C0123456", "webhook_url": "https://hooks.slack.com/services/x"}
        return Story(sqlite_url, Settings.model_validate({"alerts": alerts, "slack": slack}))

    return begin


@pytest.fixture
def story(tell: Tell) -> Story:
    return tell()


class DescribeOneEpisode:
    def it_is_told_at_once_and_when_it_is_over(self, story: Story) -> None:
        story.at(1).hit("graph_reuse")
        story.at(2).well("graph_reuse", positives=20)
        story.at(48)
        story.expect(between(1, 2)).message("fired graph_reuse")
        story.expect(between(2, 48)).message("resolved graph_reuse")

    def it_is_reminded_of_every_day_though_nobody_looks_again(self, story: Story) -> None:
        story.at(1).hit("compiled_broken", "kronos/compiled")
        story.at(60)
        story.expect(between(0, 2)).message("fired compiled_broken")
        story.expect(between(2, 60)).messages("reminded compiled_broken", "reminded compiled_broken")
        assert [told.hour for told in story.told] == [1, 25, 49]

    def it_tells_the_rest_of_a_burst_after_an_hour(self, story: Story) -> None:
        story.at(1).hit("graph_reuse")
        story.at(1.1).hit("graph_reuse", occurrences=7)
        story.at(3)
        told = story.expect(between(1.5, 3)).message("updated graph_reuse")
        assert told.parcel.message.new_occurrences == 7

    def it_survives_a_restart_at_any_moment(self, story: Story) -> None:
        story.at(1).hit("graph_reuse").restart()
        story.at(2).restart().well("graph_reuse", positives=19).restart()
        story.at(3).well("graph_reuse", positives=1).restart()
        story.expect(between(0, 4)).messages("fired graph_reuse", "resolved graph_reuse")

    def it_is_no_recovery_that_nothing_can_be_seen(self, story: Story) -> None:
        story.at(1).hit("log_errors")
        for hour in range(2, 22):
            story.at(hour).blind("log_errors")
        assert story.state("log_errors") == "firing"
        story.expect(between(2, 22)).nothing()
        story.at(22).well("log_errors")
        story.at(24).well("log_errors")
        story.expect(between(22, 25)).message("resolved log_errors")


class DescribePatience:
    def it_waits_for_as_long_as_the_settings_say(self, tell: Tell) -> None:
        story = tell(kinds={"log_errors": {"for_minutes": 30}})
        story.at(1).hit("log_errors")
        story.at(1.25).hit("log_errors")
        story.expect(between(0, 1.5)).nothing()
        story.at(1.5).hit("log_errors")
        story.expect(between(1.5, 2)).message("fired log_errors")

    def it_counts_looks_where_the_settings_say_so(self, tell: Tell) -> None:
        story = tell(kinds={"log_errors": {"bad_looks": "2 of 3"}})
        story.at(1).hit("log_errors")
        story.at(2).well("log_errors")
        story.at(3).well("log_errors")
        story.at(4).hit("log_errors")  # the first bad look is too long ago
        story.expect(between(0, 5)).nothing()
        story.at(5).well("log_errors")
        story.at(6).hit("log_errors")
        story.expect(between(6, 7)).message("fired log_errors")
        assert "2 of the last 3 looks were bad" in story.reasons("log_errors")[-1]

    def it_forgets_a_bad_look_that_good_ones_followed(self, tell: Tell) -> None:
        story = tell(kinds={"log_errors": {"bad_looks": "2 of 3"}})
        story.at(1).hit("log_errors").well("log_errors").blind("log_errors").well("log_errors").well("log_errors")
        assert story.state("log_errors") == "ok"
        assert story.reasons("log_errors")[-1] == "good in each of the last 3 looks"


class DescribeAcknowledging:
    def it_ends_reminders_for_as_long_as_the_episode_lasts(self, story: Story) -> None:
        story.at(1).hit("settings_drift")
        story.at(2).acknowledged("settings_drift", by="maria")
        story.at(100)
        story.expect(between(2, 100)).nothing()
        story.at(100).well("settings_drift")
        story.expect(between(100, 101)).message("resolved settings_drift")

    def it_means_nothing_for_the_next_episode(self, story: Story) -> None:
        story.at(1).hit("settings_drift").acknowledged("settings_drift").well("settings_drift")
        story.at(2).hit("settings_drift")
        story.at(30)
        story.expect(between(2, 30)).messages("fired settings_drift", "reminded settings_drift")

    def it_means_nothing_once_it_gets_worse(self, story: Story) -> None:
        story.at(1).hit("log_errors").acknowledged("log_errors")
        story.at(2).hit("log_errors", severity=Severity.CRITICAL)
        story.expect(between(2, 3)).message("worsened log_errors")
        story.at(27)
        story.expect(between(20, 27)).message("reminded log_errors")

    def it_can_be_given_back(self, story: Story) -> None:
        story.at(1).hit("settings_drift").acknowledged("settings_drift")
        story.at(30).given_back("settings_drift")
        story.at(31)
        story.expect(between(2, 32)).message("reminded settings_drift")


class DescribeEscalating:
    def it_goes_to_the_second_channel_when_nobody_acknowledges(self, tell: Tell) -> None:
        story = tell(channels=["slack"], escalate_channel="slack_webhook", escalate_minutes=30)
        story.at(1).hit("graph_reuse")
        story.at(3)
        story.expect(between(1, 1.25), "slack").message("fired graph_reuse")
        told = story.expect(between(1.25, 3)).message("escalated graph_reuse")
        assert (told.channel, told.hour) == ("slack_webhook", 1.5)

    def it_tells_the_second_channel_that_it_is_over_too(self, tell: Tell) -> None:
        story = tell(channels=["slack"], escalate_channel="slack_webhook")
        story.at(1).hit("graph_reuse")
        story.at(2).well("graph_reuse", positives=20)
        story.expect(between(2, 3), "slack_webhook").message("resolved graph_reuse")
        story.expect(between(2, 3), "slack").message("resolved graph_reuse")

    def it_does_not_where_somebody_has_taken_it_on(self, tell: Tell) -> None:
        story = tell(channels=["slack"], escalate_channel="slack_webhook")
        story.at(1).hit("graph_reuse")
        story.at(1.3).acknowledged("graph_reuse")
        story.at(12)
        story.expect(between(1.3, 12)).nothing()

    def it_does_not_for_what_can_wait(self, tell: Tell) -> None:
        story = tell(channels=["slack"], escalate_channel="slack_webhook")
        story.at(1).hit("log_errors")
        story.at(12)
        story.expect(between(0, 12), "slack_webhook").nothing()

    def it_is_off_without_a_second_channel(self, story: Story) -> None:
        story.at(1).hit("graph_reuse")
        story.at(12)
        story.expect(between(2, 12)).nothing()


class DescribeSilences:
    def it_says_when_the_silence_is_over_what_is_still_bad(self, story: Story) -> None:
        story.at(1).silenced("source=prod", hours=4)
        story.at(2).hit("graph_reuse")
        story.at(4).hit("graph_reuse")
        story.expect(between(0, 5)).nothing()
        assert "maria silenced it until" in story.reasons("graph_reuse")[0]
        story.at(6)
        told = story.expect(between(5, 6)).message("fired graph_reuse")
        assert told.parcel.message.occurrences == 2

    def it_says_nothing_of_what_came_and_went(self, story: Story) -> None:
        story.at(1).silenced("kind=settings_drift", hours=4)
        story.at(2).hit("settings_drift")
        story.at(3).well("settings_drift")
        story.at(10)
        story.expect(between(0, 10)).nothing()

    def it_reminds_who_was_told_before(self, story: Story) -> None:
        story.at(1).hit("settings_drift")
        story.at(2).silenced("settings_drift:prod", hours=30)
        story.at(31)
        story.expect(between(2, 31)).nothing()
        story.at(33)
        story.expect(between(32, 33)).message("reminded settings_drift")

    def it_can_be_ended_early(self, story: Story) -> None:
        story.at(1).silenced("kind=*", hours=24)
        story.at(2).hit("graph_reuse")
        story.at(3).unsilenced()
        story.at(3.25)
        story.expect(between(3, 3.5)).message("fired graph_reuse")

    def it_leaves_other_alerts_alone(self, story: Story) -> None:
        story.at(1).silenced("source=prod", hours=24)
        story.at(2).hit("graph_reuse", "staging")
        story.expect(between(2, 3)).message("fired graph_reuse")

    def it_outlasts_a_restart(self, story: Story) -> None:
        story.at(1).silenced("source=prod", hours=4).restart().hit("graph_reuse").restart()
        story.at(4)
        story.expect(between(0, 5)).nothing()


class DescribeInhibition:
    def it_leaves_a_symptom_to_its_cause(self, story: Story) -> None:
        story.at(1).hit("graph_reuse").hit("log_errors", inhibitors=("graph_reuse:prod",))
        story.at(12)
        assert [told.what for told in story.told if "log_errors" in told.what] == []

    def it_says_a_symptom_that_outlives_its_cause(self, story: Story) -> None:
        story.at(1).hit("graph_reuse").hit("log_errors", inhibitors=("graph_reuse:prod",))
        story.at(2).well("graph_reuse", positives=20)
        story.at(3)
        story.expect(between(2, 3)).messages("resolved graph_reuse", "fired log_errors")


class DescribeFlapping:
    def it_is_said_once_and_then_not_until_it_is_stable(self, story: Story) -> None:
        for half in range(6):  # bad at 0, 1, 2 h …, good in between
            story.at(half / 2).hit("settings_drift") if half % 2 == 0 else story.at(half / 2).well("settings_drift")
        story.at(3).hit("settings_drift")
        story.expect(between(3, 3.25)).message("flapping settings_drift")
        for quarter in range(13, 20):
            look = story.at(quarter / 4)
            look.well("settings_drift") if quarter % 2 else look.hit("settings_drift")
        story.expect(between(3.25, 5)).nothing()
        story.at(7).well("settings_drift")
        story.expect(between(5, 8)).message("resolved settings_drift")

    def it_says_so_when_it_stays_bad(self, story: Story) -> None:
        for half in range(7):
            story.at(half / 2).hit("settings_drift") if half % 2 == 0 else story.at(half / 2).well("settings_drift")
        story.at(6)
        story.expect(between(3.25, 6)).message("steadied settings_drift")


class DescribeRoutes:
    ROUTES = (
        {"kind": "log_*", "severity": "info", "channels": []},
        {"source": "staging", "channels": ["console"]},
        {"severity": "critical", "channels": ["slack_webhook"], "go_on": True},
        {"target": "kro*", "key": "*/compiled", "channels": ["slack"]},
    )

    def it_takes_the_first_that_matches_and_goes_on_where_it_says_so(self, tell: Tell) -> None:
        story = tell(channels=["console", "slack"], routes=self.ROUTES)
        told = {
            ("log_errors", "prod", Severity.INFO): [],
            ("graph_reuse", "staging", Severity.CRITICAL): ["console"],
            ("graph_reuse", "prod", Severity.CRITICAL): ["console", "slack", "slack_webhook"],
            ("compiled_broken", "kronos/compiled", Severity.WARNING): ["slack"],
            ("compiled_broken", "kronos/compiled", Severity.CRITICAL): ["slack"],  # the same alert, said no more
            ("settings_drift", "prod", Severity.WARNING): ["console", "slack"],
        }
        for hour, ((kind, key, severity), channels) in enumerate(told.items(), 1):
            if hour != 5:
                story.at(hour).hit(kind, key, severity=severity)
                found = [one.channel for one in story.expect(between(hour, hour + 1)).found]
                assert sorted(found) == channels, (kind, key)

    def it_ends_an_episode_wherever_it_was_told(self, tell: Tell, sqlite_url: str) -> None:
        story = tell(channels=["slack"])
        story.at(1).hit("settings_drift")
        story.settings = tell(channels=["console"]).settings
        story.at(2).well("settings_drift")
        assert {one.channel for one in story.expect(between(2, 3)).found} == {"console", "slack"}


class DescribeQuietHours:
    NIGHT = ({"start": "22:00", "end": "07:00", "timezone": "UTC"},)  # the story begins at noon

    def it_holds_what_can_wait_and_tells_it_in_one_message_after_them(self, tell: Tell) -> None:
        story = tell(quiet_hours=self.NIGHT)
        story.at(11).hit("settings_drift", "a").hit("settings_drift", "b")
        story.at(12).well("settings_drift", "a")
        story.at(18.75)
        story.expect(between(0, 18.75)).nothing()
        story.at(20)
        told = story.expect(between(19, 20)).message("grouped settings_drift").parcel.message
        assert told.title == "3 messages were held in the quiet hours"
        assert told.summary.count("•") == 3
        assert "✅ Resolved after 1 h: settings_drift of a" in told.summary

    def it_sends_a_single_one_as_it_is(self, tell: Tell) -> None:
        story = tell(quiet_hours=self.NIGHT)
        story.at(11).hit("settings_drift")
        story.at(20)
        story.expect(between(0, 20)).message("fired settings_drift")

    def it_wakes_people_for_what_is_critical(self, tell: Tell) -> None:
        story = tell(quiet_hours=self.NIGHT)
        story.at(11).hit("graph_reuse")
        story.expect(between(11, 12)).message("fired graph_reuse")

    def it_tells_the_end_of_what_was_held_in_its_thread(self, tell: Tell) -> None:
        story = tell(channels=["slack"], quiet_hours=self.NIGHT)
        story.at(11).hit("settings_drift", "a").hit("settings_drift", "b")
        story.at(20).well("settings_drift", "a")
        grouped, resolved = story.told
        assert (grouped.what, resolved.what) == ("grouped settings_drift", "resolved settings_drift")
        assert resolved.parcel.parent_id == "slack:1"
        assert resolved.parcel.parent is None  # the other is not over: nothing turns green

    def it_loses_nothing_when_the_clock_is_set_back(self, tell: Tell) -> None:
        story = tell(quiet_hours=self.NIGHT)
        story.at(11).hit("settings_drift").clock_is_off(-9_000)
        story.at(11.5)
        story.expect(between(11, 12)).message("fired settings_drift")


class DescribeGrouping:
    def it_is_one_message_when_one_deployment_makes_many(self, story: Story) -> None:
        story.at(1).deployed()
        story.at(1.1).all_hit(
            ("graph_reuse", "prod"), ("log_errors", "staging/oom"), ("settings_drift", "file .env.compile")
        )
        told = story.expect(between(1, 2)).message("grouped graph_reuse").parcel.message
        assert told.title == "3 alerts at once after the deployment of 2026-11-23 13:00 UTC"
        assert told.severity is Severity.CRITICAL
        assert [line for line in told.summary.splitlines() if line.startswith("•")] == [
            "• 🔴 graph_reuse of prod",
            "• 🟠 log_errors of staging/oom",
            "• 🟠 settings_drift of file .env.compile",
        ]

    def it_is_one_message_for_one_log_and_one_each_for_others(self, story: Story) -> None:
        story.at(1).all_hit(("log_errors", "prod/a"), ("log_errors", "prod/b"), ("log_errors", "staging/a"))
        whats = sorted(one.what for one in story.expect(between(1, 2)).found)
        assert whats == ["fired log_errors", "grouped log_errors"]

    def it_tells_the_end_of_each(self, story: Story) -> None:
        story.at(1).all_hit(("graph_reuse", "prod"), ("predictions_out_of_bounds", "prod/ms"))
        story.at(2).well("graph_reuse", positives=20)
        story.at(2).well("predictions_out_of_bounds", "prod/ms")
        story.at(4).well("predictions_out_of_bounds", "prod/ms")
        story.expect(between(2, 3)).message("resolved graph_reuse")
        story.expect(between(3, 5)).message("resolved predictions_out_of_bounds")

    def it_groups_nothing_that_began_at_other_times(self, story: Story) -> None:
        story.at(1).unsent_hit("log_errors", "prod/a")
        story.hour = 1.2
        story.unsent_hit("log_errors", "prod/b")
        story.at(1.3)
        story.expect(between(1, 2)).messages("fired log_errors", "fired log_errors")

    def it_groups_nothing_where_that_is_off(self, tell: Tell) -> None:
        story = tell(group_seconds=0)
        story.at(1).all_hit(("log_errors", "prod/a"), ("log_errors", "prod/b"))
        story.expect(between(1, 2)).messages("fired log_errors", "fired log_errors")


class DescribeClocks:
    @pytest.mark.parametrize("off", [-9_000, -5, 5])
    def it_makes_no_difference_to_what_was_said(self, story: Story, off: float) -> None:
        story.at(1).hit("graph_reuse")
        story.at(2).clock_is_off(off)
        story.at(4).hit("graph_reuse")
        story.at(5).well("graph_reuse", positives=20)
        told = [one.what for one in story.told]
        assert (told[0], told[-1], told.count("fired graph_reuse")) == ("fired graph_reuse", "resolved graph_reuse", 1)

    def it_still_reminds_after_the_clock_was_set_back(self, story: Story) -> None:
        story.at(1).hit("compiled_broken")
        story.at(2).clock_is_off(-9_000)
        story.at(27)
        story.expect(between(2, 27)).message("reminded compiled_broken")

    def it_ends_no_silence_early_when_the_clock_was_set_back(self, story: Story) -> None:
        story.at(1).silenced("kind=*", hours=2).clock_is_off(-100)
        story.at(2).hit("graph_reuse")
        story.expect(between(0, 3)).nothing()
