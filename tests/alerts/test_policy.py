"""The life cycle of an alert, as stories."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kronos_health.alerts.policies import policy_for
from kronos_health.domain.alerts import AlertKind, AlertPolicy, AlertState, ObservationState, Overlays, TransitionKind
from kronos_health.settings.models import Alerts
from tests.alerts.timeline import START, Timeline, look

AT_ONCE = AlertPolicy(remind_seconds=None)
AFTER_TEN = AlertPolicy(for_seconds=600, remind_seconds=None)
GRAPH_REUSE = policy_for(AlertKind.GRAPH_REUSE, Alerts())
FIRED, UPDATED, REMINDED = TransitionKind.FIRED, TransitionKind.UPDATED, TransitionKind.REMINDED
RESOLVED, NOTICE = TransitionKind.RESOLVED, TransitionKind.NOTICE


class DescribeFiring:
    def it_fires_at_once_where_no_patience_is_asked_for(self) -> None:
        story = Timeline(AT_ONCE).bad(0)
        assert story.state is AlertState.FIRING
        assert story.said == [(FIRED, 1, 1)]

    def it_waits_for_the_bad_state_to_last(self) -> None:
        story = Timeline(AFTER_TEN).bad(0).bad(9)
        assert (story.state, story.said) == (AlertState.PENDING, [])
        story.bad(10)
        assert (story.state, story.said) == (AlertState.FIRING, [(FIRED, 1, 1)])
        assert story.alert is not None
        assert story.alert.occurrences == 3

    def it_forgets_a_bad_state_that_passed_in_time(self) -> None:
        story = Timeline(AFTER_TEN).bad(0).good(5).bad(9).bad(15)
        assert story.said == []
        assert story.steps == [
            TransitionKind.STARTED_PENDING,
            TransitionKind.CLEARED_PENDING,
            TransitionKind.STARTED_PENDING,
        ]

    def it_counts_what_is_old_from_when_it_happened(self) -> None:
        story = Timeline(AFTER_TEN).bad(0, observed_at=START - timedelta(hours=3))
        assert story.said == [(FIRED, 1, 1)]
        assert story.alert is not None
        assert story.alert.pending_since == START - timedelta(hours=3)

    def it_takes_a_stamp_from_the_future_for_a_wrong_clock(self) -> None:
        story = Timeline(AT_ONCE).bad(0, observed_at=START + timedelta(days=400))
        assert story.alert is not None
        assert story.alert.pending_since == START
        assert story.alert.last_bad_at == START

    def it_says_nothing_of_what_was_always_fine(self) -> None:
        story = Timeline(AT_ONCE).good(0).unknown(5).good(10)
        assert (story.steps, story.state) == ([], AlertState.OK)


class DescribeUpdates:
    def it_counts_silently_and_says_so_at_most_once_an_hour(self) -> None:
        story = Timeline(AT_ONCE).bad(0)
        for minute in range(5, 65, 5):
            story.bad(minute, occurrences=2)
        assert story.said == [(FIRED, 1, 1), (UPDATED, 1, 2)]
        assert story.decisions[-1].reason.endswith("seen 24 more times")

    def it_reports_the_rest_of_a_burst_even_when_nothing_new_comes(self) -> None:
        story = Timeline(GRAPH_REUSE).bad(0).bad(5, occurrences=7).good(65)
        assert story.said == [(FIRED, 1, 1), (UPDATED, 1, 2)]

    def it_never_counts_looks_at_a_standing_condition_as_news(self) -> None:
        story = Timeline(policy_for(AlertKind.SETTINGS_DRIFT, Alerts()))
        for hour in range(25):
            story.bad(hour * 60)
        assert story.said == [(FIRED, 1, 1), (REMINDED, 1, 2)]

    def it_reminds_while_firing_and_also_while_nobody_can_see(self) -> None:
        story = (
            Timeline(AlertPolicy(remind_seconds=3600, update_seconds=None)).bad(0).unknown(30).unknown(60).unknown(90)
        )
        assert story.said == [(FIRED, 1, 1), (REMINDED, 1, 2)]
        assert story.state is AlertState.FIRING


class DescribeResolving:
    def it_resolves_at_the_first_good_look_where_that_is_enough(self) -> None:
        story = Timeline(AT_ONCE).bad(0).good(5)
        assert story.said == [(FIRED, 1, 1), (RESOLVED, 1, 2)]

    def it_keeps_firing_until_it_was_good_for_long_enough(self) -> None:
        story = Timeline(AlertPolicy(keep_firing_seconds=600, remind_seconds=None)).bad(0).good(5).good(14)
        assert story.state is AlertState.RECOVERING
        assert story.good(15).said == [(FIRED, 1, 1), (RESOLVED, 1, 2)]

    def it_goes_on_with_the_same_episode_after_a_relapse(self) -> None:
        story = (
            Timeline(AlertPolicy(keep_firing_seconds=600, remind_seconds=None)).bad(0).good(5).bad(10).good(15).good(25)
        )
        assert story.said == [(FIRED, 1, 1), (RESOLVED, 1, 2)]
        assert TransitionKind.RELAPSED in story.steps

    def it_begins_a_new_episode_after_it_was_over(self) -> None:
        story = Timeline(AT_ONCE).bad(0).good(5).bad(10).good(15)
        assert story.said == [(FIRED, 1, 1), (RESOLVED, 1, 2), (FIRED, 2, 1), (RESOLVED, 2, 2)]


class DescribeGraphReuse:
    def it_does_not_take_silence_for_recovery(self) -> None:
        story = Timeline(GRAPH_REUSE).bad(0)
        for minute in range(5, 600, 5):
            story.good(minute)
        assert story.state is AlertState.FIRING
        assert "signs of health" in story.decisions[-1].reason

    def it_resolves_once_enough_predictions_have_completed(self) -> None:
        story = Timeline(GRAPH_REUSE).bad(0).good(5, positives=19)
        assert story.state is AlertState.RECOVERING
        assert story.good(10, positives=1).said[-1] == (RESOLVED, 1, 2)

    def it_counts_again_from_the_last_hit(self) -> None:
        story = Timeline(GRAPH_REUSE).bad(0).good(5, positives=19).bad(10, positives=3).good(15, positives=16)
        assert story.state is AlertState.RECOVERING
        assert story.good(20, positives=1).state is AlertState.OK


class DescribeUnknown:
    @pytest.mark.parametrize("minutes", [1, 60, 6000])
    def it_freezes_every_state(self, minutes: int) -> None:
        pending = Timeline(AFTER_TEN).bad(0).unknown(minutes)
        firing = Timeline(AT_ONCE).bad(0).unknown(minutes)
        recovering = (
            Timeline(AlertPolicy(keep_firing_seconds=60, remind_seconds=None)).bad(0).good(1).unknown(1 + minutes)
        )
        assert [pending.state, firing.state, recovering.state] == [
            AlertState.PENDING,
            AlertState.FIRING,
            AlertState.RECOVERING,
        ]

    def it_does_not_count_unseen_time_as_recovery(self) -> None:
        story = Timeline(AlertPolicy(keep_firing_seconds=600, remind_seconds=None)).bad(0).good(1).unknown(2).good(20)
        assert story.state is AlertState.RECOVERING
        assert story.good(29).state is AlertState.OK

    def it_remembers_since_when_nothing_is_known(self) -> None:
        story = Timeline(AT_ONCE).bad(0).unknown(5).unknown(10)
        assert story.alert is not None
        assert story.alert.unknown_since == START + timedelta(minutes=5)
        story.bad(15)
        assert story.alert.unknown_since is None


class DescribeReplays:
    def it_adds_nothing_for_an_observation_it_has_seen(self) -> None:
        story = Timeline(GRAPH_REUSE)
        for _replay in range(4):
            story.bad(5, occurrences=3, observed_at=START, evidence=("finding:1",))
        assert story.said == [(FIRED, 1, 1)]
        assert story.alert is not None
        assert story.alert.occurrences == 3
        for _replay in range(4):
            story.good(10, positives=15, observed_at=START + timedelta(minutes=8))
        assert story.alert.positives == 15

    def it_tells_two_events_of_one_second_apart_by_their_evidence(self) -> None:
        story = Timeline(GRAPH_REUSE)
        story.bad(5, observed_at=START, evidence=("scan:1",)).bad(5, observed_at=START, evidence=("scan:2",))
        assert story.alert is not None
        assert story.alert.occurrences == 2


def _inhibited(policy: AlertPolicy, looks: str) -> Timeline:
    """A story of one look a minute: ``b``, ``g``, ``u``, in capitals while another alert says it too."""
    story, states = Timeline(policy), {state.value[0]: state for state in ObservationState}
    for minute, letter in enumerate(looks):
        other = "graph_reuse:prod" if letter.isupper() else None
        story.see(minute, look(states[letter.lower()]), Overlays(inhibited_by=other))
    return story


class DescribeInhibition:
    AT_ONCE = AlertPolicy(remind_seconds=60, update_seconds=60)
    LINGERING = AlertPolicy(keep_firing_seconds=120, remind_seconds=None, update_seconds=None)

    @pytest.mark.parametrize(
        ("policy", "looks", "state", "said"),
        [
            (AT_ONCE, "B", AlertState.FIRING, []),
            (AT_ONCE, "BBB", AlertState.FIRING, []),  # no update and no reminder either
            (AT_ONCE, "BU", AlertState.FIRING, []),
            (AT_ONCE, "BG", AlertState.OK, []),  # nobody was told that it fired: nobody is told that it is over
            (AT_ONCE, "Bg", AlertState.OK, []),
            (AT_ONCE, "Bu", AlertState.FIRING, []),  # what cannot be seen now is no news
            (AT_ONCE, "Bub", AlertState.FIRING, [(FIRED, 1, 1)]),
            (AT_ONCE, "BBb", AlertState.FIRING, [(FIRED, 1, 1)]),  # still bad when the other is over
            (AT_ONCE, "Bbg", AlertState.OK, [(FIRED, 1, 1), (RESOLVED, 1, 2)]),
            (AT_ONCE, "bBB", AlertState.FIRING, [(FIRED, 1, 1)]),  # said before the other fired: no reminders now
            (AT_ONCE, "bBG", AlertState.OK, [(FIRED, 1, 1), (RESOLVED, 1, 2)]),  # but its end, for who was told
            (AT_ONCE, "BGb", AlertState.FIRING, [(FIRED, 2, 1)]),  # unsaid episodes count all the same
            (LINGERING, "BGggg", AlertState.OK, []),
            (LINGERING, "BGb", AlertState.FIRING, [(FIRED, 1, 1)]),  # bad again while recovering
            (LINGERING, "Bg", AlertState.RECOVERING, []),
            (AlertPolicy(for_seconds=60), "BB", AlertState.FIRING, []),
            (AlertPolicy(one_off=True), "B", AlertState.OK, [(NOTICE, 1, 1)]),  # news is no symptom of anything
        ],
    )
    def it_says_nothing_that_another_alert_says(
        self, policy: AlertPolicy, looks: str, state: AlertState, said: list[tuple[TransitionKind, int, int]]
    ) -> None:
        story = _inhibited(policy, looks)
        assert (story.state, story.said) == (state, said)

    def it_records_why_a_step_was_not_sent(self) -> None:
        story = _inhibited(self.AT_ONCE, "BG")
        reasons = [step.reason for decision in story.decisions for step in decision.transitions]
        assert story.steps == [FIRED, RESOLVED]
        assert reasons == [
            "bad: fires at once (seen once); not sent: graph_reuse:prod is open and says it",
            "good: resolved; not sent: nobody was told that it fired",
        ]

    @pytest.mark.parametrize("looks", ["bgbubbg", "bbbgggb", "ubugu"])
    def it_changes_no_state(self, looks: str) -> None:
        for policy in (self.AT_ONCE, self.LINGERING, AlertPolicy(for_seconds=60)):
            free, inhibited = _inhibited(policy, looks), _inhibited(policy, looks.upper())
            steps = [[step for step in story.steps if step not in (UPDATED, REMINDED)] for story in (free, inhibited)]
            assert free.state is inhibited.state
            assert steps[0] == steps[1]
            assert inhibited.said == []


class DescribeNotices:
    NEWS = policy_for(AlertKind.TORCH_RELEASE, Alerts())

    def it_is_said_once_per_key_and_never_resolves(self) -> None:
        story = Timeline(self.NEWS).bad(0).bad(60).good(120).bad(180)
        assert story.said == [(NOTICE, 1, 1)]
        assert story.state is AlertState.OK

    @pytest.mark.parametrize("state", [ObservationState.GOOD, ObservationState.UNKNOWN])
    def it_is_no_news_otherwise(self, state: ObservationState) -> None:
        assert Timeline(self.NEWS).see(0, look(state)).steps == []


class DescribeClockJumps:
    def it_still_reminds_after_the_clock_was_set_back(self) -> None:
        story = Timeline(AlertPolicy(remind_seconds=3600, update_seconds=None)).bad(600_000).unknown(0).unknown(59)
        assert story.said == [(FIRED, 1, 1)]
        assert story.unknown(61).said == [(FIRED, 1, 1), (REMINDED, 1, 2)]

    def it_does_not_resolve_because_the_clock_was_set_back(self) -> None:
        story = Timeline(AlertPolicy(keep_firing_seconds=600, remind_seconds=None)).bad(1000).good(1001).good(0).good(5)
        assert story.state is AlertState.RECOVERING
        assert story.good(10).state is AlertState.OK


def it_has_a_policy_for_every_kind() -> None:
    policies = {kind: policy_for(kind, Alerts(remind_hours=2, update_minutes=30)) for kind in AlertKind}
    assert {kind for kind, policy in policies.items() if policy.one_off} == {
        AlertKind.TORCH_RELEASE,
        AlertKind.KRONOS_UPDATED,
        AlertKind.CANDIDATE_TRIED,
        AlertKind.NEW_ERROR,
        AlertKind.LOG_GAP,
        AlertKind.LOG_HISTORY,
        AlertKind.FIGURE_IMPROVED,
        AlertKind.SWITCH_SETTLED,
        AlertKind.DIGEST,
    }
    assert policies[AlertKind.GRAPH_REUSE] == AlertPolicy(
        positives_to_recover=20, remind_seconds=7200, update_seconds=1800, flap_count=4
    )
