"""People act on alerts: once, with a row in the audit trail, and with a sentence where it cannot be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from kronos_health.alerts.recording import record
from kronos_health.checks import acting
from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.domain.alerts import AlertKind, Observation, TransitionKind
from kronos_health.domain.silences import Action, ActionKind, Via
from kronos_health.history.status import open_alerts
from kronos_health.store import outbox, silences
from kronos_health.store.database import reading, writing
from tests.alerts.samples import DRIFT, HIT, OBSERVATIONS, OK_AGAIN
from tests.checks.conftest import Clock, MakeContext

HOUR = timedelta(hours=1)


@pytest.fixture
def context(make_context: MakeContext) -> Context:
    return make_context()


def _see(context: Context, *looks: Observation) -> None:
    with writing(context.engine) as connection:
        record(connection, looks, context.settings, context.now())


def _trail(context: Context) -> Sequence[Action]:
    with reading(context.engine) as connection:
        return silences.actions(connection)[::-1]


def _said(context: Context) -> list[TransitionKind]:
    with reading(context.engine) as connection:
        rows = sorted(outbox.recent(connection, 1_000), key=lambda row: (row.created_at, row.episode, row.sequence))
    return [row.kind for row in rows]


class DescribeAcknowledging:
    def it_is_done_and_noted_once_however_often_it_is_asked(self, context: Context, clock: Clock) -> None:
        _see(context, HIT)
        first = acting.acknowledge(context, HIT.fingerprint, "maria", Via.SLACK, episode=1)
        again = acting.acknowledge(context, HIT.fingerprint, "otto", Via.CLI)
        assert (first.changed, again.changed) == (True, False)
        assert first.sentence == f"{HIT.title}: maria acknowledged it."
        assert again.sentence == f"{HIT.title}: maria had acknowledged it already."
        (action,) = _trail(context)
        assert (action.who, action.via, action.kind, action.fingerprint, action.at) == (
            "maria", Via.SLACK, ActionKind.ACKNOWLEDGE, HIT.fingerprint, clock.now,
        )  # fmt: skip
        assert action.detail == f"episode 1: {HIT.title}"

    def it_keeps_reminders_back_until_it_is_taken_back(self, context: Context, clock: Clock) -> None:
        _see(context, DRIFT)
        acting.acknowledge(context, DRIFT.fingerprint, "maria", Via.CLI)
        clock.move(hours=25)
        _see(context, DRIFT)
        assert _said(context) == [TransitionKind.FIRED]
        acting.unacknowledge(context, DRIFT.fingerprint, "maria", Via.CLI)
        _see(context, DRIFT)
        assert _said(context) == [TransitionKind.FIRED, TransitionKind.REMINDED]

    def it_ends_with_the_episode(self, context: Context, clock: Clock) -> None:
        _see(context, HIT)
        acting.acknowledge(context, HIT.fingerprint, "maria", Via.CLI)
        _see(context, OK_AGAIN, HIT)
        clock.move(hours=25)
        _see(context, replace(OK_AGAIN, positives=0))
        assert _said(context)[-2:] == [TransitionKind.FIRED, TransitionKind.REMINDED]
        with pytest.raises(
            CheckError, match="that was episode 1 of graph_reuse:trading; by now there was an episode 2"
        ):
            acting.acknowledge(context, HIT.fingerprint, "maria", Via.SLACK, episode=1)

    def it_shows_where_open_alerts_are_listed(self, context: Context, clock: Clock) -> None:
        _see(context, HIT)
        acting.acknowledge(context, HIT.fingerprint, "maria", Via.CLI)
        with reading(context.engine) as connection:
            (alert,) = open_alerts(connection, clock.now)
        assert (alert.acknowledged_by, alert.acknowledged_at, alert.silenced_by) == ("maria", clock.now, None)

    @pytest.mark.parametrize("act", [acting.acknowledge, acting.unacknowledge])
    def it_says_why_it_cannot_be_done(self, context: Context, act: Callable[..., acting.Acted]) -> None:
        with pytest.raises(CheckError, match=r"there is no alert 'graph_reuse:trading'\. Those that are open"):
            act(context, HIT.fingerprint, "maria", Via.CLI)
        _see(context, HIT)
        with pytest.raises(CheckError, match="Did you mean graph_reuse:trading"):
            act(context, "graph_reuse:tradign", "maria", Via.CLI)
        _see(context, OK_AGAIN)
        with pytest.raises(CheckError, match=r"is not open \(all is well\)\. It ended at 2026-11-23 12:00 UTC"):
            act(context, HIT.fingerprint, "maria", Via.CLI)
        assert _trail(context) == ()

    def it_takes_any_name_for_one_line(self, context: Context) -> None:
        _see(context, HIT)
        acted = acting.acknowledge(context, HIT.fingerprint, "ma\x00ria\n\x1b[31m" + "x" * 500, Via.CLI)
        assert acted.alert is not None
        assert acted.alert.acknowledged_by is not None
        assert acted.alert.acknowledged_by.startswith("maria x")
        assert len(acted.alert.acknowledged_by) <= 200


class DescribeSilences:
    def it_records_without_sending_and_says_then_what_is_still_bad(self, context: Context, clock: Clock) -> None:
        acted = acting.silence(context, ["source=trading"], clock.now + HOUR, "maria", "moving the logs", Via.CLI)
        assert acted.changed
        _see(context, HIT)
        assert _said(context) == []
        with reading(context.engine) as connection:
            (alert,) = open_alerts(connection, clock.now)
        assert (alert.silenced_by, alert.silenced_until) == ("maria", clock.now + HOUR)
        clock.move(hours=1)
        _see(context, HIT)
        assert _said(context) == [TransitionKind.FIRED]

    def it_says_again_what_had_been_said_before(self, context: Context, clock: Clock) -> None:
        _see(context, DRIFT)
        acting.silence(context, [DRIFT.fingerprint], clock.now + HOUR, "maria", "", Via.SLACK)
        _see(context, DRIFT)
        clock.move(hours=2)
        _see(context, DRIFT, DRIFT)
        assert _said(context) == [TransitionKind.FIRED, TransitionKind.REMINDED]

    def it_turns_green_for_who_was_told_and_stays_silent_for_who_was_not(self, context: Context, clock: Clock) -> None:
        _see(context, HIT)
        acting.silence(context, ["kind=*"], clock.now + HOUR, "maria", "", Via.CLI)
        _see(context, OK_AGAIN, HIT, OK_AGAIN)
        assert _said(context) == [TransitionKind.FIRED, TransitionKind.RESOLVED]

    def it_is_made_once_and_extended_where_it_lasts_longer(self, context: Context, clock: Clock) -> None:
        made = [
            acting.silence(context, ["kind=log_errors", "source=a"], clock.now + HOUR, "maria", "why", Via.SLACK),
            acting.silence(context, ["source=a", "kind=log_errors"], clock.now + HOUR, "maria", "why", Via.SLACK),
        ]
        clock.move(seconds=3)
        made += [
            acting.silence(context, ["source=a", "kind=log_errors"], clock.now + HOUR, "maria", "", Via.SLACK),
            acting.silence(context, ["source=a", "kind=log_errors"], clock.now + 2 * HOUR, "otto", "", Via.CLI),
        ]
        assert [one.changed for one in made] == [True, False, False, True]
        assert len({one.silence.id for one in made if one.silence}) == 1
        assert [action.kind for action in _trail(context)] == [ActionKind.SILENCE, ActionKind.EXTEND_SILENCE]
        assert _trail(context)[0].detail == "kind=log_errors source=a until 2026-11-23 13:00 UTC: why"

    def it_ends_when_a_person_says_so_once(self, context: Context, clock: Clock) -> None:
        made = acting.silence(context, ["kind=graph_reuse"], clock.now + HOUR, "maria", "", Via.CLI)
        assert made.silence is not None
        _see(context, HIT)
        clock.move(minutes=1)
        ended = [acting.expire_silence(context, made.silence.id, "otto", Via.CLI) for _twice in range(2)]
        assert [one.changed for one in ended] == [True, False]
        assert _trail(context)[-1].kind is ActionKind.EXPIRE_SILENCE
        _see(context, HIT)
        assert _said(context) == [TransitionKind.FIRED]

    @pytest.mark.parametrize(
        ("matchers", "until", "why"),
        [
            ([], HOUR, "at least one matcher"),
            (["kind=a"] * 21, HOUR, "at most 20 matchers"),
            (["colour=red"], HOUR, "which no alert has"),
            (["kind=a"], -HOUR, "would be over already"),
            (["kind=a"], timedelta(0), "would be over already"),
            (["kind=a"], timedelta(days=400), "a year at most"),
        ],
    )
    def it_says_why_it_cannot_be_made(
        self, context: Context, clock: Clock, matchers: list[str], until: timedelta, why: str
    ) -> None:
        with pytest.raises(CheckError, match=why):
            acting.silence(context, matchers, clock.now + until, "maria", "", Via.CLI)
        assert _trail(context) == ()

    def it_says_that_there_is_none_of_that_name(self, context: Context) -> None:
        with pytest.raises(CheckError, match="there is no silence 'x'"):
            acting.expire_silence(context, "x", "maria", Via.CLI)

    def it_holds_news_back_and_tells_it_afterwards(self, context: Context, clock: Clock) -> None:
        news = OBSERVATIONS[AlertKind.TORCH_RELEASE]
        acting.silence(context, ["kind=torch_release"], clock.now + HOUR, "maria", "", Via.CLI)
        _see(context, news, news)
        assert _said(context) == []
        clock.move(hours=1)
        _see(context, news, news)
        assert _said(context) == [TransitionKind.NOTICE]
