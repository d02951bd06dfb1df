"""Other services by Apprise: real servers on loopback, at least once, nothing of the address said."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from apprise.conversion.format import markdown_to_html
from sqlalchemy import Engine

from kronos_health.alerts.by_apprise import AppriseChannel
from kronos_health.alerts.channels import Parcel, Verdict
from kronos_health.alerts.condition import channel_status
from kronos_health.alerts.markdown import markdown
from kronos_health.checks.usable import check_usable
from kronos_health.settings.models import Settings
from tests.alerts.conftest import Desk, desk_for
from tests.alerts.samples import HIT, OK_AGAIN, every_message
from tests.support.slack_server import SlackServer

MESSAGE = next(iter(every_message().values()))


class Mailbox:
    """What an SMTP server took; ``answer`` is what it says instead of taking it."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answer = ""
        self.delay = 0.0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        time.sleep(self.delay)
        if self.answer:
            return self.answer
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[str, Mailbox]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    yield f"mailto://127.0.0.1:{port}/ops@example.org?from=watch@example.org&smtp=127.0.0.1&mode=insecure", box
    server.stop()


class _Endpoint(BaseHTTPRequestHandler):
    posts: list[dict[str, Any]]
    status = 200
    delay = 0.0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.delay)
        if self.status < 300:
            self.posts.append(body)
        try:
            self.send_response(self.status)
            self.end_headers()
        except OSError:
            return

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture
def endpoint() -> Iterator[tuple[str, type[_Endpoint]]]:
    handler = type("Endpoint", (_Endpoint,), {"posts": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"json://user:hunter22@127.0.0.1:{server.server_address[1]}/hook-secret", handler
    server.shutdown()
    server.server_close()


def _desk(engine: Engine, slack: SlackServer, url: str) -> Desk:
    return desk_for(engine, slack, channels=("apprise:ops",), apprise={"urls": {"ops": url}, "timeout_seconds": 1.0})


class DescribeMail:
    def it_brings_every_part_of_a_message(
        self, sqlite_engine: Engine, slack: SlackServer, mailbox: tuple[str, Mailbox]
    ) -> None:
        url, box = mailbox
        desk = _desk(sqlite_engine, slack, url)
        desk.record(HIT)
        desk.deliver()
        desk.record(OK_AGAIN)
        assert desk.deliver().sent == 1
        assert desk.states("apprise:ops") == ["sent", "sent"]
        first, second = box.mails
        assert HIT.title in first["subject"]
        assert second["subject"].startswith("✅")
        text = first.get_body(("html",)).get_content()  # type: ignore[union-attr]
        assert "<code>" in text
        assert desk.rows("apprise:ops")[0].id in re.sub(r"&\w+;|<[^>]*>", "", text).replace("\\", "")

    @pytest.mark.parametrize("answer", ["550 no such user", "451 try again later"])
    def it_is_sent_again_until_it_is_taken(
        self, sqlite_engine: Engine, slack: SlackServer, mailbox: tuple[str, Mailbox], answer: str
    ) -> None:
        url, box = mailbox
        box.answer = answer
        desk = _desk(sqlite_engine, slack, url)
        desk.record(HIT)
        assert desk.deliver().sent == 0
        assert desk.states("apprise:ops") == ["unknown"]  # Apprise does not say whether it was taken
        box.answer = ""
        assert desk.deliver(patience_seconds=1_000).sent == 1
        assert len(box.mails) == 1

    def it_is_lost_on_nobody_that_the_server_is_away(self, sqlite_engine: Engine, slack: SlackServer) -> None:
        desk = _desk(sqlite_engine, slack, "mailto://127.0.0.1:1/a@example.org?from=b@example.org&mode=insecure")
        desk.record(HIT)
        assert desk.deliver().sent == 0
        desk.clock.forward(3_700)
        desk.deliver()
        assert HIT.title in desk.console.getvalue()  # after an hour by the second route
        assert desk.states("apprise:ops") == ["unknown"]


class DescribeAnEndpoint:
    def it_gets_markdown_and_once_refused_the_same_again(
        self, sqlite_engine: Engine, slack: SlackServer, endpoint: tuple[str, type[_Endpoint]]
    ) -> None:
        url, handler = endpoint
        handler.status = 500
        desk = _desk(sqlite_engine, slack, url)
        desk.record(HIT)
        summary = desk.deliver()
        assert "hunter22" not in str(summary)
        assert "hook-secret" not in str(summary)
        handler.status = 200
        assert desk.deliver(patience_seconds=1_000).sent == 1
        (post,) = handler.posts
        assert post["type"] == "failure"
        assert "**Next step**" in post["message"]
        assert desk.rows("apprise:ops")[0].id in post["message"]

    def it_may_get_it_twice_when_it_answers_too_late(
        self, sqlite_engine: Engine, slack: SlackServer, endpoint: tuple[str, type[_Endpoint]]
    ) -> None:
        url, handler = endpoint
        handler.delay = 2.5
        desk = _desk(sqlite_engine, slack, url)
        desk.record(HIT)
        began = time.monotonic()
        assert desk.deliver().sent == 0
        assert time.monotonic() - began < 30.0
        handler.delay = 0.0
        assert desk.deliver(patience_seconds=1_000).sent == 1
        time.sleep(2.6)  # the late one arrives as well
        ids = {post["message"].rpartition("Id: ")[2] for post in handler.posts}
        assert ids == {desk.rows("apprise:ops")[0].id}  # the documented promise: at least once, under one id

    def it_can_be_said_plainly(self, endpoint: tuple[str, type[_Endpoint]]) -> None:
        url, handler = endpoint
        channel = AppriseChannel("apprise:ops", url, 5.0)
        assert channel.send(Parcel("i", MESSAGE, plain=True)).verdict is Verdict.DELIVERED
        assert "**" not in handler.posts[0]["message"]


class DescribeAnAddress:
    def it_closes_the_channel_when_apprise_does_not_know_it(self, sqlite_engine: Engine, slack: SlackServer) -> None:
        desk = _desk(sqlite_engine, slack, "nonsense-hunter22")
        desk.record(HIT)
        summary = desk.deliver()
        assert summary.disabled_channels == ("apprise:ops",)
        assert "hunter22" not in str(summary)
        status = channel_status(desk.engine, "apprise:ops")
        assert status is not None
        assert "Correct apprise.urls.ops" in str(status.disabled_reason)
        assert HIT.title in desk.console.getvalue()

    def it_is_found_wanting_by_config_check(self, sqlite_url: str) -> None:
        def problems(urls: dict[str, str]) -> list[str]:
            settings = Settings.model_validate(
                {"database": {"url": sqlite_url}, "alerts": {"channels": ["apprise:ops"]}, "apprise": {"urls": urls}}
            )
            return [problem.line for problem in check_usable(settings, {})]

        assert problems({"ops": "json://127.0.0.1:1/x"}) == []
        assert "apprise.urls.ops is empty here" in problems({})[0]
        assert problems({"ops": "what"})[0].startswith("apprise.urls.ops: Apprise cannot use the address")

    def it_must_be_named_as_a_channel_can_be(self) -> None:
        with pytest.raises(ValueError, match=r"NAME of \[apprise.urls\]"):
            Settings.model_validate({"alerts": {"channels": ["apprise:"]}})

    def it_says_how_to_install_apprise_where_it_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "apprise", None)
        channel = AppriseChannel("apprise:ops", "json://127.0.0.1:1/x")
        outcome = channel.send(Parcel("i", MESSAGE))
        assert outcome.verdict is Verdict.CHANNEL
        assert "pip install 'kronos-health[apprise]'" in outcome.advice
        assert channel.check().ok is False


HOSTILE = "<script>alert(1)</script>\n<img src=x onerror=y> @everyone [click](http://evil.test) ```\n# big `code` <b>"


def it_keeps_hostile_text_harmless_in_markdown_and_html() -> None:
    message = replace(MESSAGE, summary=HOSTILE, excerpt=HOSTILE, next_step="kronos-health check  # ```` <i>")
    text = markdown(message)
    assert "@everyone" not in markdown(replace(message, excerpt=None))  # in code it mentions nobody
    page = markdown_to_html(text)
    tags = {tag.lower() for tag in re.findall(r"</?([A-Za-z]+)", page)}
    assert tags <= {"p", "br", "ul", "li", "strong", "pre", "code"}
