"""A Slack Web API on loopback that checks what it receives and misbehaves on request.

It speaks chat.postMessage, chat.update, conversations.history, conversations.replies, auth.test, external file uploads,
incoming webhooks and the addresses that answer a person over real HTTP, and Socket Mode over a real WebSocket; it keeps
what was posted, and notes every breach of Slack's rules in ``problems``. Run it by hand with
``python -m tests.support.slack_server --port 8765 --record var/slack.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.slack_files import UPLOAD_PATH, SlackFiles
from tests.support.slack_rules import breaches, refusal
from tests.support.slack_socket import ANSWER_PATH, SlackSocketServer

TOKEN = "xoxb-loopback"  # what the tests configure; any other token is refused
CHANNEL = "C0LOOPBACK"
CHANNEL_NAME = "#alerts"
WEBHOOK_PATH = "/services/T0000/B0000/loopback"


@dataclass(frozen=True)
class Misbehaviour:
    """One bad answer. ``accept``: the call takes effect all the same. ``drop``: reset instead of an answer."""

    status: int = 200
    body: str | None = None
    error: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    accept: bool = False
    drop: bool = False
    delay: float = 0.0


def rate_limited(retry_after: float) -> Misbehaviour:
    return Misbehaviour(status=429, error="ratelimited", headers={"Retry-After": f"{retry_after:g}"})


def server_error(*, accepted: bool) -> Misbehaviour:
    return Misbehaviour(status=500, body="upstream connect error", accept=accepted)


def reset(*, accepted: bool) -> Misbehaviour:
    return Misbehaviour(drop=True, accept=accepted)


def slow(seconds: float) -> Misbehaviour:
    return Misbehaviour(delay=seconds, accept=True)


def broken_json(*, accepted: bool) -> Misbehaviour:
    return Misbehaviour(body='{"ok": tru', accept=accepted)


def says(error: str) -> Misbehaviour:
    """``ok: false`` with Slack's word for why."""
    return Misbehaviour(error=error)


class SlackServer:
    """The server and what it saw. ``messages`` are Slack's own records, oldest first."""

    def __init__(
        self, port: int = 0, record: Path | None = None, history_lag: float = 0.0, minimum_interval: float = 0.0
    ) -> None:
        self.messages: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.problems: list[str] = []
        self.token = TOKEN
        self.scopes = "chat:write,channels:history,files:write"
        self.page_size = 200
        self._lag, self._interval, self._record = history_lag, minimum_interval, record
        self._misbehaviours: dict[str, deque[Misbehaviour]] = defaultdict(deque)
        self._always: dict[str, Misbehaviour] = {}
        self._lock = threading.Lock()
        self._last_ts = 0
        self._last_post_at = float("-inf")
        self._posted_at: dict[str, float] = {}
        self.files = SlackFiles(lambda: self.port)
        self.socket = SlackSocketServer(lambda: self.port)
        handler = type("Handler", (_Handler,), {"slack": self})
        self._http = _Server(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/"

    @property
    def webhook_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{WEBHOOK_PATH}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.socket.stop()
        self._http.shutdown()
        self._http.server_close()

    def misbehave(self, method: str, *answers: Misbehaviour) -> None:
        """Give these answers to the next calls of ``method`` (``webhook`` for the incoming webhook), one each."""
        self._misbehaviours[method].extend(answers)

    def always(self, method: str, answer: Misbehaviour | None) -> None:
        """Give this answer to every call of ``method`` until told otherwise."""
        if answer is None:
            self._always.pop(method, None)
        else:
            self._always[method] = answer

    def count(self, method: str) -> int:
        return sum(1 for name, _body in self.calls if name == method)

    def ids(self) -> list[str]:
        """The ids that the accepted messages carry, in the order of their arrival."""
        return [message["metadata"]["event_payload"]["id"] for message in self.messages if message.get("metadata")]

    # -- answering --

    def answer(self, method: str, body: dict[str, Any], token: str) -> tuple[Misbehaviour, dict[str, Any] | str]:
        """What to do with a call, and Slack's regular answer to it."""
        with self._lock:
            self.calls.append((method, body))
            queue = self._misbehaviours[method]
            bad = queue.popleft() if queue else self._always.get(method, Misbehaviour(accept=True))
            regular: dict[str, Any] | str = {"ok": False, "error": bad.error or "internal_error"}
            if bad.accept:
                regular = self._regular(method, body, token)
            self._write(method, body, bad, regular)
        return bad, regular

    def _regular(self, method: str, body: dict[str, Any], token: str) -> dict[str, Any] | str:
        if method == "webhook":
            return self._webhook(body)
        if method.startswith(ANSWER_PATH):
            self.problems += breaches(body)
            return self.socket.answered(body)
        if method.startswith(UPLOAD_PATH):
            return self.files.uploaded(method, str(body.get("_raw_length", 0)))
        if method == "apps.connections.open":
            return self.socket.open_connection(token)
        if token != f"Bearer {self.token}":
            return {"ok": False, "error": "invalid_auth" if token else "not_authed"}
        handler: Callable[[dict[str, Any]], dict[str, Any]] | None = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "files.getUploadURLExternal": lambda asked: self.files.place(asked, self.scopes),
            "files.completeUploadExternal": self.files.complete,
        }.get(method)
        return handler(body) if handler else {"ok": False, "error": "unknown_method"}

    def _auth_test(self, _body: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "team": "Loopback", "user": "kronos-health", "bot_id": "B0LOOPBACK"}

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        channel = self._resolve(body.get("channel"))
        if channel is None:
            return {"ok": False, "error": "channel_not_found"}
        self.problems += breaches(body)
        wrong = refusal(body) or self.files.refusal(body)
        if wrong:
            return {"ok": False, "error": wrong}
        thread = body.get("thread_ts")
        if thread and not self._find(thread):
            return {"ok": False, "error": "thread_not_found"}
        self._check_interval(channel)
        message = {"channel": channel, "ts": self._next_ts(), "type": "message", **_kept(body)}
        if thread:
            message["thread_ts"] = thread
        self.messages.append(message)
        self._posted_at[message["ts"]] = time.monotonic()
        return {"ok": True, "channel": channel, "ts": message["ts"], "message": message}

    def _check_interval(self, channel: str) -> None:
        now = time.monotonic()
        if self._interval and now - self._last_post_at < self._interval:
            self.problems.append(f"{channel}: two messages within {self._interval:g} s")
        self._last_post_at = now

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        if self._resolve(body.get("channel")) != body.get("channel"):
            return {"ok": False, "error": "channel_not_found"}
        self.problems += breaches(body)
        wrong = refusal(body)
        if wrong:
            return {"ok": False, "error": wrong}
        message = self._find(str(body.get("ts")))
        if message is None:
            return {"ok": False, "error": "message_not_found"}
        message |= _kept(body) | {"edited": {"ts": self._next_ts()}}
        return {"ok": True, "channel": body["channel"], "ts": message["ts"], "text": message["text"]}

    def _history(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._listed(body, [message for message in self.messages if "thread_ts" not in message][::-1])

    def _replies(self, body: dict[str, Any]) -> dict[str, Any]:
        thread = str(body.get("ts"))
        parent = self._find(thread)
        if parent is None:
            return {"ok": False, "error": "thread_not_found"}
        return self._listed(body, [parent, *(one for one in self.messages if one.get("thread_ts") == thread)])

    def _listed(self, body: dict[str, Any], messages: list[dict[str, Any]]) -> dict[str, Any]:
        """One page, in the order given, as Slack pages: only what is old enough to be shown yet."""
        if "channels:history" not in self.scopes:
            return {"ok": False, "error": "missing_scope", "needed": "channels:history"}
        if self._resolve(body.get("channel")) != body.get("channel"):
            return {"ok": False, "error": "channel_not_found"}
        shown = [
            message
            for message in messages
            if float(message["ts"]) >= float(body.get("oldest", 0))
            and time.monotonic() - self._posted_at[message["ts"]] >= self._lag
        ]
        start, size = int(body.get("cursor") or 0), min(int(body.get("limit", 100)), self.page_size)
        page = shown[start : start + size]
        if body.get("include_all_metadata") not in (True, "1", "true"):
            page = [{key: value for key, value in message.items() if key != "metadata"} for message in page]
        more = start + size < len(shown)
        cursor = {"response_metadata": {"next_cursor": str(start + size)}} if more else {}
        return {"ok": True, "messages": page, "has_more": more, **cursor}

    def _webhook(self, body: dict[str, Any]) -> str:
        self.problems += breaches(body)
        wrong = refusal(body)
        if wrong:
            return wrong
        self.messages.append({"channel": CHANNEL, "ts": self._next_ts(), "type": "message", **_kept(body)})
        self._posted_at[self.messages[-1]["ts"]] = time.monotonic()
        return "ok"

    def _resolve(self, channel: object) -> str | None:
        return CHANNEL if channel in (CHANNEL, CHANNEL_NAME) else None

    def _find(self, ts: str) -> dict[str, Any] | None:
        return next((message for message in reversed(self.messages) if message["ts"] == ts), None)

    def _next_ts(self) -> str:
        self._last_ts = max(self._last_ts + 1, time.time_ns() // 1_000)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def _write(self, method: str, body: dict[str, Any], bad: Misbehaviour, regular: dict[str, Any] | str) -> None:
        if self._record:
            line = {"method": method, "body": body, "status": bad.status, "answer": regular}
            with self._record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _kept(body: dict[str, Any]) -> dict[str, Any]:
    return {key: body[key] for key in ("text", "blocks", "attachments", "metadata", "client_msg_id") if key in body}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in the middle of a call is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    slack: SlackServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def log_message(self, *_args: Any) -> None:
        """Quiet: the tests look at ``calls``."""

    def _serve(self) -> None:
        address = urlsplit(self.path)
        method = "webhook" if address.path == WEBHOOK_PATH else address.path.removeprefix("/api/").removeprefix("/")
        body: dict[str, Any] = dict(parse_qsl(address.query))
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        if len(raw) < length:  # the client was killed meanwhile: nobody acts on half a call
            self.close_connection = True
            return
        if method.startswith(UPLOAD_PATH):
            body |= {"_raw_length": len(raw)}
        elif raw and "json" in self.headers.get("Content-Type", ""):
            body |= json.loads(raw)
        else:
            body |= dict(parse_qsl(raw.decode()))
        bad, regular = self.slack.answer(method, body, self.headers.get("Authorization", ""))
        time.sleep(bad.delay)
        if bad.drop:
            self._drop()
        else:
            self._reply(method, bad, regular)

    def _drop(self) -> None:
        # A reset, not an end: the client must see what it sees when the network breaks.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _reply(self, method: str, bad: Misbehaviour, regular: dict[str, Any] | str) -> None:
        status = bad.status
        plain = method == "webhook" or method.startswith((ANSWER_PATH, UPLOAD_PATH))
        if plain:
            text = bad.body or bad.error or str(regular)
            status = 400 if status == 200 and not text.lower().startswith("ok") else status
        else:
            text = bad.body or json.dumps(regular)
        payload = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if plain else "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("x-oauth-scopes", self.slack.scopes)
        for name, value in bad.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)


@contextmanager
def slack_server(**options: Any) -> Iterator[SlackServer]:
    server = SlackServer(**options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--record", type=Path, help="write every call and answer to this file, one JSON object a line")
    options = parser.parse_args()
    with slack_server(port=options.port, record=options.record) as server:
        print(f"Slack on loopback: base_url = {server.base_url}  token = {TOKEN}  channel = {CHANNEL}")
        print(f"incoming webhook: {server.webhook_url}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("\n".join(server.problems) or "no breach of Slack's rules was seen")


if __name__ == "__main__":
    main()
