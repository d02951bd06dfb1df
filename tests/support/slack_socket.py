"""Socket Mode as Slack speaks it: real frames, envelopes that want to be confirmed, redelivery, and ``disconnect``."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

APP_TOKEN = "xapp-loopback"
ANSWER_PATH = "commands/answer"


class SlackSocketServer:
    """The other end of Socket Mode. ``confirmed`` are envelope ids in order; ``answers`` is what people were told."""

    def __init__(self, http_port: Callable[[], int]) -> None:
        self._http_port = http_port
        self._server: Server | None = None
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self.connections: list[ServerConnection] = []
        self.opened = 0
        self.confirmed: list[str] = []
        self.answers: list[dict[str, Any]] = []
        self.app_token = APP_TOKEN

    @property
    def answer_url(self) -> str:
        return f"http://127.0.0.1:{self._http_port()}/{ANSWER_PATH}/{uuid.uuid4().hex}"

    def open_connection(self, token: str) -> dict[str, Any]:
        if token != f"Bearer {self.app_token}":
            return {
                "ok": False,
                "error": "invalid_auth" if token.startswith("Bearer xapp") else "not_allowed_token_type",
            }
        with self._lock:
            if self._server is None:
                self._server = serve(self._serve, "127.0.0.1", 0)
                threading.Thread(target=self._server.serve_forever, daemon=True).start()
        port = self._server.socket.getsockname()[1]
        return {"ok": True, "url": f"ws://127.0.0.1:{port}/link/?ticket={uuid.uuid4().hex}"}

    def _serve(self, connection: ServerConnection) -> None:
        with self._changed:
            self.connections.append(connection)
            self.opened += 1
            self._changed.notify_all()
        with suppress(ConnectionClosed):
            connection.send(json.dumps({"type": "hello", "num_connections": 1}))
            for frame in connection:
                self._heard(json.loads(frame))
        with self._changed:
            self.connections.remove(connection)
            self._changed.notify_all()

    def _heard(self, said: dict[str, Any]) -> None:
        with self._changed:
            self.confirmed.append(said["envelope_id"])
            self._changed.notify_all()

    def answered(self, body: dict[str, Any]) -> str:
        with self._changed:
            self.answers.append(body)
            self._changed.notify_all()
        return "ok"

    def wait_until(self, told: Callable[[SlackSocketServer], bool], seconds: float = 60.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: told(self), seconds), "Slack waited in vain"

    # -- what people do --

    def deliver(self, kind: str, payload: dict[str, Any], envelope_id: str | None = None) -> str:
        """Send an envelope over the newest connection; returns its id."""
        self.wait_until(lambda slack: bool(slack.connections))
        name = envelope_id or str(uuid.uuid4())
        envelope = {
            "envelope_id": name,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "interactive",
        }
        self.connections[-1].send(json.dumps(envelope))
        return name

    def press(self, action_id: str, value: str, **changes: Any) -> dict[str, Any]:
        """The payload of a press, as Slack writes it."""
        user = {"id": "U0ANNA", "username": "anna", "name": "anna", "team_id": "T0LOOPBACK"} | changes.pop("user", {})
        action = {"action_id": action_id, "block_id": "kh_actions", "value": value, "type": "button"}
        payload: dict[str, Any] = {
            "type": "block_actions",
            "user": user,
            "container": {"type": "message_attachment", "message_ts": "1.1", "channel_id": "C0LOOPBACK"},
            "trigger_id": uuid.uuid4().hex,
            "channel": {"id": "C0LOOPBACK", "name": "alerts"},
            "response_url": self.answer_url,
            "actions": [action | {"action_ts": changes.pop("action_ts", uuid.uuid4().hex)}],
        }
        return payload | changes

    def command(self, text: str, **changes: Any) -> dict[str, Any]:
        """The payload of ``/kronos text``."""
        return {
            "command": "/kronos",
            "text": text,
            "user_id": "U0ANNA",
            "user_name": "anna",
            "channel_id": "C0LOOPBACK",
            "channel_name": "alerts",
            "response_url": self.answer_url,
            "trigger_id": uuid.uuid4().hex,
        } | changes

    def say_goodbye(self) -> None:
        """Slack asks for a new connection every few hours."""
        self.connections[-1].send(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))

    def cut(self) -> None:
        """The network breaks: no close frame, no goodbye."""
        for connection in list(self.connections):
            connection.socket.shutdown(2)

    def stop(self) -> None:
        if self._server is not None:
            for connection in list(self.connections):
                with suppress(Exception):
                    connection.close()
            self._server.shutdown()
