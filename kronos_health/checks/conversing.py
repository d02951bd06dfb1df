"""What people ask for in Slack: kept first, then done, each exactly once, with who and when.

A request is a row before Slack is told that it arrived, so that a process killed at any instant loses none; its id is
made of what Slack calls it, so that a redelivery is no second request. Acts are dated by their arrival and idempotent
(:mod:`kronos_health.checks.acting`): one that is done again after a kill changes nothing and is not noted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kronos_health.alerts.text import moment
from kronos_health.checks import acting, asked_probes, saying
from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.domain.conversation import RequestVerdict, SlackRequest, Wish
from kronos_health.domain.matching import Matcher, Subject
from kronos_health.domain.silences import Via
from kronos_health.store import conversation as store
from kronos_health.store import outbox, together
from kronos_health.store.database import reading, writing
from kronos_health.store.outbox import OutboxRow

ANSWERED_WITHIN = timedelta(minutes=29)  # Slack takes answers for half an hour


@dataclass(frozen=True, slots=True)
class Answer:
    """What is told to the person who asked, and to nobody else; plain text."""

    verdict: RequestVerdict
    text: str


def receive(context: Context, kind: str, payload: Mapping[str, Any], envelope_id: str) -> bool:
    """Keep what an envelope asks for. Whether there is something new to do.

    Raises ``StoreError`` when it cannot be kept: then Slack must not be told that it arrived.
    """
    from kronos_health.alerts.slack.envelopes import read_envelope

    request = read_envelope(kind, payload, envelope_id, context.now(), context.settings.slack.base_url)
    if request is None:
        return False
    with writing(context.engine) as connection:
        return store.add_request(connection, request)


def work_off(context: Context) -> tuple[SlackRequest, ...]:
    """Do what was asked for and not done yet; returns what this process did."""
    with reading(context.engine) as connection:
        found = store.to_handle(connection)
    return tuple(request for request in found if _handle(context, request))


def _handle(context: Context, request: SlackRequest) -> bool:
    try:
        answer = _refusal(context, request) or _DEEDS[request.wish](context, request)
    except CheckError as error:
        answer = Answer(RequestVerdict.REFUSED, str(error))
    except Exception as error:  # one request must not hold up the others; what went wrong is told and kept
        answer = Answer(
            RequestVerdict.FAILED, f"That did not work: {type(error).__name__}. The checker's log says more."
        )
        with writing(context.engine) as connection:
            store.settle(connection, request.id, answer.verdict, answer.text, context.now())
        raise
    with writing(context.engine) as connection:
        return store.settle(connection, request.id, answer.verdict, answer.text, context.now())


def answer_people(context: Context, post: Callable[[str, str], bool]) -> int:
    """Tell people what came of what they asked for; ``post`` takes address and text. How many were told."""
    since = context.now() - ANSWERED_WITHIN
    with writing(context.engine) as connection:
        store.give_up_answers(connection, since)
        found = store.to_answer(connection, since)
    told = 0
    for request, text in found:
        if request.answer_url and post(request.answer_url, text):
            with writing(context.engine) as connection:
                store.answered(connection, request.id)
            told += 1
    return told


def _refusal(context: Context, request: SlackRequest) -> Answer | None:
    """Why this person may not ask for this here; ``None`` where they may."""
    slack = context.settings.slack
    if slack.channel not in (request.conversation, f"#{request.conversation_name}", request.conversation_name):
        return Answer(RequestVerdict.REFUSED, f"I only listen in the channel I write to, {slack.channel}.")
    acts = request.wish not in (Wish.STATUS, Wish.HELP)
    if acts and slack.may_act and request.user_id not in slack.may_act:
        return Answer(
            RequestVerdict.REFUSED,
            f"Nothing was done: only some people may do that here, and {request.user_id} is not in slack.may_act.",
        )
    return None


def _acknowledge(context: Context, request: SlackRequest) -> Answer:
    return _of_all(context, request, lambda about: _acknowledge_one(context, request, about))


def _acknowledge_one(context: Context, request: SlackRequest, about: OutboxRow) -> str:
    done = acting.acknowledge(
        context, about.fingerprint, request.who, Via.SLACK, episode=about.episode, at=request.received_at
    )
    return "You look after it now: no reminders until it is over or gets worse." if done.changed else done.sentence


def _silence(context: Context, request: SlackRequest) -> Answer:
    return _of_all(context, request, lambda about: _silence_one(context, request, about))


def _silence_one(context: Context, request: SlackRequest, about: OutboxRow) -> str:
    until = request.received_at + timedelta(seconds=request.seconds)
    matcher = Matcher("alert", "=", about.fingerprint)
    comment = "by a button in Slack"
    done = acting.silence(context, [matcher], until, request.who, comment, Via.SLACK, at=request.received_at)
    if not done.changed:
        return done.sentence
    return f"Silent until {moment(until)}. It is still recorded, and said then if it is still bad."


def _of_all(context: Context, request: SlackRequest, act: Callable[[OutboxRow], str]) -> Answer:
    """Act on every alert that the message tells; some may be over by now."""
    told, refused = [], []
    for about in _alerts_told(context, request):
        try:
            told.append(act(about))
        except CheckError as error:
            refused.append(str(error))
    lines = list(dict.fromkeys([*told, *refused]))
    return Answer(RequestVerdict.DONE if told else RequestVerdict.REFUSED, "\n".join(lines))


def _probe(context: Context, request: SlackRequest) -> Answer:
    about = _alerts_told(context, request)[0]
    kind, _, key = about.fingerprint.partition(":")
    named = Subject(kind, key, "").values("target")
    target = next((name for name in named if name in context.settings.targets), None)
    asked, is_new = asked_probes.ask_for_probe(
        context, request.id, request.who, Via.SLACK.value, target, request.received_at
    )
    what = asked.target or " and ".join(context.settings.probe.targets)
    if is_new:
        return Answer(
            RequestVerdict.DONE,
            f"A probe of {what} begins within minutes, when the GPU is free. /kronos status says what came of it.",
        )
    state = "runs" if asked.taken_at else "waits for its turn"
    return Answer(RequestVerdict.DONE, f"{asked.who} asked for that at {moment(asked.asked_at)} already; it {state}.")


def _alerts_told(context: Context, request: SlackRequest) -> tuple[OutboxRow, ...]:
    """The alerts that the message tells: its own, or all of those that it tells together."""
    with reading(context.engine) as connection:
        row = outbox.by_id(connection, request.outbox_id or "")
        if row is None:
            raise CheckError("That message is too old: I do not know it any more. Nothing was done.")
        return together.told_by(connection, row.id) or (row,)


def _status(context: Context, _request: SlackRequest) -> Answer:
    return Answer(RequestVerdict.DONE, saying.status_text(context))


def _help(_context: Context, _request: SlackRequest) -> Answer:
    return Answer(RequestVerdict.DONE, saying.HELP)


_DEEDS: dict[Wish, Callable[[Context, SlackRequest], Answer]] = {
    Wish.ACKNOWLEDGE: _acknowledge,
    Wish.SILENCE: _silence,
    Wish.PROBE: _probe,
    Wish.STATUS: _status,
    Wish.HELP: _help,
}
