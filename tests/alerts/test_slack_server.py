"""The loopback Slack keeps Slack's rules, or the tests of delivery would prove nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.support.slack_server import CHANNEL, TOKEN, SlackServer, slack_server

ROOT = Path(__file__).parents[2]


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


@pytest.fixture
def client(slack: SlackServer) -> WebClient:
    client = WebClient(token=TOKEN, base_url=slack.base_url, retry_handlers=[])
    client.proxy = None
    return client


def _error(call: SlackApiError) -> str:
    return str(call.response["error"])


def it_posts_lists_and_threads(client: WebClient) -> None:
    parent = client.chat_postMessage(
        channel=CHANNEL, text="one", metadata={"event_type": "e", "event_payload": {"id": "1"}}
    )
    client.chat_postMessage(channel=CHANNEL, text="two", thread_ts=parent["ts"])
    assert [message["text"] for message in client.conversations_history(channel=CHANNEL)["messages"]] == ["one"]
    assert "metadata" not in client.conversations_history(channel=CHANNEL)["messages"][0]
    replies = client.conversations_replies(channel=CHANNEL, ts=parent["ts"], include_all_metadata=True)["messages"]
    assert [message["text"] for message in replies] == ["one", "two"]
    assert replies[0]["metadata"]["event_payload"] == {"id": "1"}
    assert client.auth_test()["team"] == "Loopback"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ({"text": ""}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        (
            {"text": "x", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001}}]},
            "invalid_blocks",
        ),
        (
            {"text": "x", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]},
            "invalid_blocks",
        ),
        ({"text": "x", "metadata": {"event_type": "e"}}, "invalid_metadata_format"),
        ({"text": "x", "thread_ts": "1.1"}, "thread_not_found"),
    ],
)
def it_refuses_what_slack_refuses(client: WebClient, body: dict[str, object], error: str) -> None:
    with pytest.raises(SlackApiError) as refused:
        client.api_call("chat.postMessage", json={"channel": CHANNEL} | body)
    assert _error(refused.value) == error


def it_refuses_another_token(slack: SlackServer) -> None:
    stranger = WebClient(token="xoxb-stranger", base_url=slack.base_url, retry_handlers=[])
    stranger.proxy = None
    with pytest.raises(SlackApiError) as refused:
        stranger.chat_postMessage(channel=CHANNEL, text="x")
    assert _error(refused.value) == "invalid_auth"


@pytest.mark.parametrize("text", ["<!here>", "<@U123>", "hi @here", "a\x1bb", "a & b", "<#C1|x>"])
def it_notes_what_this_project_promises_never_to_send(slack: SlackServer, client: WebClient, text: str) -> None:
    client.chat_postMessage(channel=CHANNEL, text=text)
    assert slack.problems != []


def it_notices_two_messages_within_a_second() -> None:
    with slack_server(minimum_interval=1.0) as slack:
        client = WebClient(token=TOKEN, base_url=slack.base_url, retry_handlers=[])
        client.proxy = None
        client.chat_postMessage(channel=CHANNEL, text="one")
        client.chat_postMessage(channel=CHANNEL, text="two")
    assert slack.problems == [f"{CHANNEL}: two messages within 1 s"]


def it_runs_on_its_own_and_records(tmp_path: Path) -> None:
    record = tmp_path / "slack.jsonl"
    command = [sys.executable, "-m", "tests.support.slack_server", "--port", "0", "--record", str(record)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "base_url = http://127.0.0.1:" in process.stdout.readline()
        hook = process.stdout.readline().split()[-1]
        request = urllib.request.Request(hook, b'{"text": "hello"}', {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert opener.open(request, timeout=5).read() == b"ok"
        assert json.loads(record.read_text())["body"] == {"text": "hello"}
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("sent", [b"", b'{"channel": "C0LOOP'])
def it_takes_no_notice_of_a_call_that_was_cut_off(slack: SlackServer, sent: bytes) -> None:
    """As by a client that is killed between the head of a call and its end."""
    with socket.create_connection(("127.0.0.1", slack.port), timeout=5) as client:
        head = f"POST /api/chat.update HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        client.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 400\r\n\r\n".encode() + sent)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""  # no answer
    assert (slack.calls, slack.problems) == ([], [])
