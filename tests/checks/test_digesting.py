"""The weekly digest brings a chart, and comes once with or without it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from kronos_health.alerts.outbox import DeliverySummary, deliver
from kronos_health.alerts.registry import open_channels
from kronos_health.checks import digesting, pictures
from kronos_health.checks.context import Context
from kronos_health.store.database import writing
from tests.alerts.conftest import BRISK
from tests.alerts.conftest import Clock as AlertClock
from tests.checks.conftest import Clock, MakeContext
from tests.checks.conversing import slack_settings
from tests.support.history import seven_days_of_history
from tests.support.slack_server import (
    Misbehaviour,
    SlackServer,
    broken_json,
    rate_limited,
    reset,
    says,
    server_error,
    slack_server,
)

STEPS = ("files.getUploadURLExternal", "files.completeUploadExternal", "chat.postMessage")


@pytest.fixture
def server() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server
    assert server.problems == []


@pytest.fixture
def context(make_context: MakeContext, server: SlackServer, clock: Clock) -> Context:
    """A week of probes, and Slack."""
    made = make_context(**slack_settings(server))
    with writing(made.engine) as connection:
        seven_days_of_history(connection, clock.now)
        connection.exec_driver_sql("DELETE FROM outbox")  # what the history itself had to say
        connection.exec_driver_sql("DELETE FROM channel")
    digesting.digest(made)
    return made


def _deliver(context: Context, patience: float = 600.0) -> DeliverySummary:
    clock = AlertClock(datetime.now(UTC))  # Slack's own history is dated by the real clock
    channels = open_channels(context.settings)
    return deliver(
        context.engine, channels, context.settings, clock, patience_seconds=patience, sleep=clock.sleep, pace=BRISK
    )


def _digests(server: SlackServer) -> list[dict[str, Any]]:
    return [message for message in server.messages if "Still watching" in message["text"]]


def _images(message: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = [block for attachment in message["attachments"] for block in attachment["blocks"]]
    return [block for block in blocks if block["type"] == "image"]


def it_shows_the_chart_and_says_what_it_shows(context: Context, server: SlackServer) -> None:
    _deliver(context)
    (digest,) = _digests(server)
    (image,) = _images(digest)
    assert image["alt_text"].startswith("Steady latency of one prediction of kronos over 30 days. Last measured: ")
    assert "eager (CUDA)" in image["alt_text"]
    assert server.files.shown == list(server.files.completed) == [image["slack_file"]["id"]]
    assert next(iter(server.files.brought.values())) > 10_000


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("trouble", [server_error, reset, broken_json], ids=["500", "reset", "broken JSON"])
@pytest.mark.parametrize("method", STEPS)
def it_comes_once_whatever_answer_is_lost(
    context: Context, server: SlackServer, method: str, trouble: Any, accepted: bool
) -> None:
    server.misbehave(method, trouble(accepted=accepted))
    _deliver(context)
    (digest,) = _digests(server)
    assert len(_images(digest)) == 1


def it_comes_once_when_the_upload_itself_breaks(context: Context, server: SlackServer) -> None:
    server.misbehave("upload/F0LOOP0000", reset(accepted=False))
    _deliver(context)
    assert [len(_images(digest)) for digest in _digests(server)] == [1]


def it_goes_on_where_a_run_was_killed_after_the_upload(context: Context, server: SlackServer) -> None:
    _deliver(context, patience=0.0)  # brings the picture; the message is to follow
    assert (_digests(server), len(server.files.completed)) == ([], 1)
    _deliver(context)
    assert [len(_images(digest)) for digest in _digests(server)] == [1]
    assert len(server.files.asked) == 1


def it_waits_for_a_slack_that_still_reads_the_picture(context: Context, server: SlackServer) -> None:
    server.files.still_reading = 2
    _deliver(context)
    assert [len(_images(digest)) for digest in _digests(server)] == [1]


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("files.getUploadURLExternal", says("missing_scope")),
        ("files.getUploadURLExternal", says("a_word_nobody_knows")),
        ("files.completeUploadExternal", Misbehaviour(status=500, body="away")),
    ],
)
def it_comes_in_words_where_slack_takes_no_picture(
    context: Context, server: SlackServer, method: str, answer: Misbehaviour
) -> None:
    server.always(method, answer)
    _deliver(context, patience=3_600.0)
    assert [len(_images(digest)) for digest in _digests(server)] == [0]


def it_comes_in_words_where_the_picture_can_never_be_shown(context: Context, server: SlackServer) -> None:
    server.files.still_reading = 1_000
    _deliver(context, patience=3_600.0)
    assert [len(_images(digest)) for digest in _digests(server)] == [0]


def it_leaves_the_channel_alone_after_a_429(context: Context, server: SlackServer) -> None:
    server.misbehave("files.getUploadURLExternal", rate_limited(30))
    assert _deliver(context, patience=20.0).waiting >= 1
    assert server.count("files.getUploadURLExternal") == 1


def it_comes_in_words_where_nothing_can_be_drawn(
    make_context: MakeContext, server: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_values: object) -> bytes:
        raise RuntimeError("no fonts")

    context = make_context(**slack_settings(server))
    monkeypatch.setattr(pictures, "latency_in_words", lambda *_values: "eager 1 ms")
    monkeypatch.setattr(pictures, "latency_chart", explode)
    digesting.digest(context)
    _deliver(context)
    assert len(_digests(server)) == 1


def it_comes_in_words_by_webhook_with_what_the_chart_would_show(
    make_context: MakeContext, server: SlackServer, clock: Clock
) -> None:
    hook = {"alerts": {"channels": ["slack_webhook"]}, "slack": {"webhook_url": server.webhook_url}}
    context = make_context(**hook)
    with writing(context.engine) as connection:
        seven_days_of_history(connection, clock.now)
        connection.exec_driver_sql("DELETE FROM outbox")
    digesting.digest(context)
    _deliver(context)
    assert len(_digests(server)) == 1
    assert "eager (CUDA)" in str(_digests(server)[0])


def it_is_one_digest_and_one_picture_a_week(context: Context, server: SlackServer) -> None:
    digesting.digest(context)
    _deliver(context)
    assert (len(_digests(server)), len(server.files.asked)) == (1, 1)
