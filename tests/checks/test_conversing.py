"""What people ask for in Slack is done once, by those who may, and everybody is told plainly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kronos_health.checks import acting, conversing
from kronos_health.checks.delivering import deliver
from kronos_health.domain.alerts import AlertKind, ObservationState
from kronos_health.domain.silences import Via
from kronos_health.store import asked_probes, silences
from kronos_health.store import conversation as store
from kronos_health.store.database import reading, writing
from tests.alerts.samples import HIT, OBSERVATIONS, OK_AGAIN
from tests.alerts.test_hostile_text import HOSTILE
from tests.checks.conftest import Clock, MakeContext
from tests.checks.conversing import Chat, slack_settings
from tests.support.slack_rules import breaches
from tests.support.slack_server import SlackServer, slack_server

Rows = Callable[[str], list[dict[str, Any]]]
WHO = "anna (U0ANNA)"


@pytest.fixture
def server() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server
    assert server.problems == []


@pytest.fixture
def chat(make_context: MakeContext, server: SlackServer) -> Chat:
    return Chat(make_context(**slack_settings(server)), server)


class DescribeAcknowledge:
    def it_is_done_and_noted_with_who_and_when(self, chat: Chat, clock: Clock, rows: Rows) -> None:
        message = chat.alert(HIT)
        chat.press("kh_acknowledge", message)
        (alert,) = rows("SELECT acknowledged_by FROM alert")
        (action,) = rows("SELECT who, via, action, fingerprint FROM alert_action")
        assert alert["acknowledged_by"] == WHO
        assert action == {"who": WHO, "via": "slack", "action": "acknowledge", "fingerprint": HIT.fingerprint}
        assert chat.told == ["You look after it now: no reminders until it is over or gets worse."]
        with reading(chat.context.engine) as connection:
            assert silences.actions(connection)[0].at == clock.now

    def it_is_done_once_however_often_slack_brings_it(self, chat: Chat, rows: Rows) -> None:
        press = chat.server.socket.press("kh_acknowledge", chat.alert(HIT))
        assert [chat.receive("interactive", press) for _time in range(3)] == [True, False, False]
        assert len(rows("SELECT id FROM alert_action")) == len(rows("SELECT id FROM slack_request")) == 1
        assert len(chat.told) == 1

    def it_tells_the_second_person_who_was_first(self, chat: Chat, rows: Rows) -> None:
        message = chat.alert(HIT)
        chat.press("kh_acknowledge", message)
        chat.press("kh_acknowledge", message, user={"id": "U0BEN", "username": "ben"})
        assert WHO in chat.told[1]
        assert len(rows("SELECT id FROM alert_action")) == 1

    def it_does_nothing_to_what_is_over(self, chat: Chat, rows: Rows) -> None:
        message = chat.alert(HIT)
        with writing(chat.context.engine) as connection:
            from kronos_health.alerts.recording import record

            record(connection, [OK_AGAIN], chat.context.settings, chat.context.now())
        chat.press("kh_acknowledge", message)
        assert "is not open" in chat.told[0]
        assert (rows("SELECT id FROM alert_action"), chat.verdicts()) == ([], ["refused"])


class DescribeSilence:
    @pytest.mark.parametrize(("button", "hours"), [("kh_silence_1h", 1), ("kh_silence_1d", 24)])
    def it_lasts_from_the_press_on(self, chat: Chat, clock: Clock, button: str, hours: int) -> None:
        chat.press(button, chat.alert(HIT))
        with reading(chat.context.engine) as connection:
            (silence,) = silences.active(connection, clock.now)
        assert (silence.ends_at, silence.author) == (clock.now + timedelta(hours=hours), WHO)
        assert "still recorded" in chat.told[0]

    def it_covers_this_alert_and_no_other(self, chat: Chat, clock: Clock) -> None:
        chat.press("kh_silence_1h", chat.alert(HIT))
        with reading(chat.context.engine) as connection:
            (silence,) = silences.active(connection, clock.now)
        assert silence.covers(HIT.subject)
        assert not silence.covers(replace(HIT, key="another").subject)

    def it_is_not_made_twice_by_a_run_that_was_killed_before_it_noted_so(
        self, chat: Chat, clock: Clock, rows: Rows
    ) -> None:
        chat.press("kh_silence_1h", chat.alert(HIT))
        with writing(chat.context.engine) as connection:
            connection.exec_driver_sql("UPDATE slack_request SET handled_at = NULL, verdict = NULL")
        clock.move(minutes=5)
        conversing.work_off(chat.context)
        assert len(rows("SELECT id FROM alert_silence")) == len(rows("SELECT id FROM alert_action")) == 1


class DescribeAMessageThatTellsSeveral:
    def it_acts_on_all_of_them(self, chat: Chat, rows: Rows, server: SlackServer) -> None:
        message = chat.alert(HIT, replace(HIT, key=f"{HIT.key}/other"))
        assert len(server.messages) == 1
        chat.press("kh_acknowledge", message)
        chat.press("kh_silence_1h", message)
        assert [row["acknowledged_by"] for row in rows("SELECT acknowledged_by FROM alert")] == [WHO, WHO]
        assert len(rows("SELECT id FROM alert_silence")) == 2
        assert chat.verdicts() == ["done", "done"]
        assert chat.told[0] == "You look after it now: no reminders until it is over or gets worse."

    def it_shows_what_came_of_a_press_and_of_what_was_typed(
        self, chat: Chat, clock: Clock, server: SlackServer
    ) -> None:
        message = chat.alert(HIT, replace(HIT, key=f"{HIT.key}/other"))
        acting.acknowledge(chat.context, HIT.fingerprint, "ben", Via.CLI)
        clock.move(minutes=1)
        deliver(chat.context)
        shown = str(server.messages[0]["attachments"])
        assert (shown.count("👀 ben"), shown.count("kh_acknowledge")) == (1, 1)
        chat.press("kh_acknowledge", message)  # the other
        clock.move(minutes=1)
        deliver(chat.context)
        shown = str(server.messages[0]["attachments"])
        assert (shown.count("👀 ben"), shown.count(f"👀 {WHO}"), shown.count("kh_acknowledge")) == (1, 1, 0)
        assert shown.count(message) == 3  # the other buttons are still about all of them

    def it_acts_on_those_that_are_not_over(self, chat: Chat, rows: Rows) -> None:
        message = chat.alert(HIT, replace(HIT, key=f"{HIT.key}/other"))
        chat.alert(OK_AGAIN)
        chat.press("kh_acknowledge", message)
        assert len(rows("SELECT id FROM alert_action")) == 1
        assert chat.told[0].startswith("You look after it now")
        assert "is not open" in chat.told[0]


class DescribeAskingForAProbe:
    def it_is_a_request_that_one_process_takes(self, chat: Chat) -> None:
        chat.press("kh_probe", chat.alert(HIT))
        with writing(chat.context.engine) as connection:
            (asked,) = asked_probes.waiting(connection)
            assert asked.who == WHO
            assert asked_probes.take(connection, asked.id, "one", chat.context.now())
            assert not asked_probes.take(connection, asked.id, "another", chat.context.now())
        assert "A probe of kronos begins within minutes" in chat.told[0]

    def it_is_made_once_however_many_ask(self, chat: Chat) -> None:
        message = chat.alert(HIT)
        for person in ("U0ANNA", "U0BEN", "U0BEN"):
            chat.press("kh_probe", message, user={"id": person})
        with reading(chat.context.engine) as connection:
            assert len(asked_probes.waiting(connection)) == 1
        assert "asked for that at" in chat.told[1]

    def it_is_of_the_target_that_the_alert_is_about(self, make_context: MakeContext, server: SlackServer) -> None:
        targets = {"kronos": {}, "toto": {"loader": "toto"}}
        chat = Chat(make_context(**slack_settings(server), targets=targets), server)
        broken = replace(OBSERVATIONS[AlertKind.COMPILED_BROKEN], key="toto/compiled", state=ObservationState.BAD)
        chat.press("kh_probe", chat.alert(broken))
        with reading(chat.context.engine) as connection:
            assert [asked.target for asked in asked_probes.waiting(connection)] == ["toto"]


class DescribeWhoMayAct:
    def it_is_everybody_in_the_channel_unless_the_settings_name_some(
        self, make_context: MakeContext, server: SlackServer, rows: Rows
    ) -> None:
        chat = Chat(make_context(**slack_settings(server, may_act=["U0BEN"])), server)
        message = chat.alert(HIT)
        chat.press("kh_acknowledge", message)
        assert chat.told == ["Nothing was done: only some people may do that here, and U0ANNA is not in slack.may_act."]
        chat.press("kh_acknowledge", message, user={"id": "U0BEN", "username": "ben"})
        told = rows("SELECT user_id, verdict FROM slack_request")
        assert sorted((row["user_id"], row["verdict"]) for row in told) == [("U0ANNA", "refused"), ("U0BEN", "done")]
        assert [row["who"] for row in rows("SELECT who FROM alert_action")] == ["ben (U0BEN)"]

    def it_lets_everybody_there_look(self, make_context: MakeContext, server: SlackServer) -> None:
        chat = Chat(make_context(**slack_settings(server, may_act=["U0BEN"])), server)
        chat.command("status")
        assert chat.verdicts() == ["done"]

    def it_is_nobody_in_another_channel(self, chat: Chat) -> None:
        chat.alert(HIT)
        chat.command("status", channel_id="C0OTHER", channel_name="random")
        assert chat.told == ["I only listen in the channel I write to, C0LOOPBACK."]


class DescribeTheCommand:
    def it_says_how_everything_stands(self, chat: Chat) -> None:
        chat.alert(HIT)
        chat.command(" Status ")
        assert "kronos: nothing was decided yet." in chat.told[0]
        assert f"🔴 {HIT.title}, since " in chat.told[0]

    @pytest.mark.parametrize("text", ["", "help", "what?", HOSTILE])
    def it_explains_itself(self, chat: Chat, text: str) -> None:
        chat.command(text)
        assert chat.told[0].startswith("/kronos status: ")

    def it_is_harmless_whatever_a_log_said(self, chat: Chat) -> None:
        from kronos_health.alerts.slack.socket import answer

        for number in range(30):
            chat.alert(replace(HIT, title=HOSTILE * 20, key=f"{number} {HOSTILE}"))
        chat.command("status")
        assert "… and 20 more" in chat.told[0]
        assert answer(chat.server.socket.answer_url, chat.told[0])
        assert answer(chat.server.socket.answer_url, "<!channel> @here " * 100_000)
        assert [breaches(told) for told in chat.server.socket.answers] == [[], []]


class DescribeWhatComesFromOutside:
    @pytest.mark.parametrize(
        "change",
        [
            {"actions": []},
            {"actions": [{"action_id": "kh_acknowledge", "value": "graph_reuse:prod; DROP TABLE alert"}]},
            {"actions": [{"action_id": "kh_page", "value": "x"}]},
            {"actions": None},
            {"user": {}},
            {"user": {"id": "<!channel>"}},
            {"type": "view_submission"},
        ],
    )
    def it_is_ignored_where_it_means_nothing(self, chat: Chat, change: dict[str, Any]) -> None:
        payload = chat.server.socket.press("kh_acknowledge", chat.alert(HIT)) | change
        assert not chat.receive("interactive", payload)
        assert not chat.receive("events_api", payload)

    def it_says_so_where_the_message_is_unknown(self, chat: Chat) -> None:
        chat.press("kh_acknowledge", "0199a000-0000-7000-8000-000000000000")
        assert "too old" in chat.told[0]

    @pytest.mark.parametrize(
        "address", ["http://evil.test/x", "https://hooks.slack.com.evil.test/", "file:///etc/passwd"]
    )
    def it_answers_at_no_address_but_slacks_own(self, chat: Chat, address: str) -> None:
        chat.command("status", response_url=address)
        assert (chat.told, chat.verdicts()) == ([], ["done"])

    def it_keeps_names_short_and_clean(self, chat: Chat, rows: Rows) -> None:
        chat.press("kh_acknowledge", chat.alert(HIT), user={"id": "U0ANNA", "username": HOSTILE * 100})
        (action,) = rows("SELECT who FROM alert_action")
        assert len(action["who"]) <= 200
        assert "\x1b" not in action["who"]


def it_answers_later_what_could_not_be_answered_at_once_but_not_after_half_an_hour(chat: Chat, clock: Clock) -> None:
    conversing.receive(chat.context, "slash_commands", chat.server.socket.command("help"), "envelope")
    conversing.work_off(chat.context)
    assert conversing.answer_people(chat.context, lambda _address, _text: False) == 0
    assert conversing.answer_people(chat.context, lambda _address, _text: True) == 1
    conversing.receive(chat.context, "slash_commands", chat.server.socket.command("help"), "envelope")
    conversing.work_off(chat.context)
    clock.move(minutes=30)
    assert conversing.answer_people(chat.context, lambda _address, _text: True) == 0
    with reading(chat.context.engine) as connection:
        assert all(request.answer_url is None for request, _verdict, _answer in store.history(connection))
