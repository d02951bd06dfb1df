"""Socket Mode: what people do in Slack, brought over a connection that we open. No address of ours is public.

The library keeps the connection and opens it anew; what it cannot mend by itself, :meth:`SlackSocket.tend` does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.webhook import WebhookClient

from kronos_health.alerts.slack.client import honour_no_proxy, quiet_logger
from kronos_health.alerts.slack.render import MAX_SECTION, fit
from kronos_health.alerts.text import clean, clean_line

Receive = Callable[[str, Mapping[str, Any], str], object]

# Only a person can mend these (docs.slack.dev/reference/methods/apps.connections.open).
_FOR_PEOPLE = {
    "invalid_auth": "slack.app_token is no valid app-level token",
    "not_authed": "slack.app_token is empty",
    "not_allowed_token_type": "slack.app_token must be an app-level token (xapp-…), not the bot's",
    "account_inactive": "the app was removed from the workspace",
    "token_revoked": "slack.app_token was revoked",
    "missing_scope": "the app-level token lacks the scope connections:write",
    "forbidden_team": "the workspace does not let this app connect",
    "access_denied": "the workspace does not let this app connect",
    "socket_mode_not_enabled": "Socket Mode is off in the app's settings",
}
_PATIENCE = 30.0  # seconds the library may try to connect anew before everything is begun afresh
_LONGEST_PAUSE = 60.0


class TokenRefused(Exception):
    """Slack refuses the app-level token until a person acts; the text says why."""


class SlackSocket:
    """A connection that brings requests to ``receive`` (kind, payload, envelope id).

    An envelope is confirmed once ``receive`` has returned; when it raises, Slack is not told that it arrived and brings
    it again. ``receive`` must take less than three seconds and not mind hearing the same again.
    """

    def __init__(self, app_token: str, receive: Receive, base_url: str = "", timeout_seconds: float = 10.0) -> None:
        self._token, self._receive = app_token, receive
        self._base_url, self._timeout = base_url or WebClient.BASE_URL, timeout_seconds
        self._client: SocketModeClient | None = None
        self._lost_at: float | None = None
        self._not_before, self._pause = 0.0, 1.0
        self.problem: str | None = None

    @property
    def is_connected(self) -> bool:
        """Whether requests can arrive now."""
        return self._client is not None and bool(self._client.is_connected())

    def tend(self) -> None:
        """Connect where there is no connection. Raises ``TokenRefused`` where only a person can mend it."""
        if self.is_connected:
            self._lost_at, self._pause, self.problem = None, 1.0, None
            return
        now = time.monotonic()
        if self._client is not None:
            self._lost_at = self._lost_at if self._lost_at is not None else now
            if now - self._lost_at < _PATIENCE:
                self.problem = self.problem or "the connection was lost"
                return
            self.close()
        if now >= self._not_before:
            self._connect()

    def _connect(self) -> None:
        client = self._new_client()
        try:
            client.connect()
        except Exception as error:  # whatever it was, the next look tries again, later and later
            self._close(client)
            self._not_before = time.monotonic() + self._pause
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            code = str(error.response.get("error", "")) if isinstance(error, SlackApiError) else ""
            self.problem = _FOR_PEOPLE.get(code) or clean_line(f"{type(error).__name__}: {code or error}")[:300]
            if code in _FOR_PEOPLE:
                raise TokenRefused(self.problem) from error
            return
        self._client, self._lost_at, self.problem, self._pause = client, None, None, 1.0

    def _new_client(self) -> SocketModeClient:
        web = WebClient(
            base_url=self._base_url,
            timeout=self._timeout,  # type: ignore[arg-type]  # handed to urllib, which takes fractions
            retry_handlers=[],
            logger=quiet_logger(),
        )
        honour_no_proxy(web, self._base_url)
        client = SocketModeClient(self._token, logger=quiet_logger(), web_client=web, concurrency=4)
        honour_no_proxy(client, self._base_url)
        client.socket_mode_request_listeners.append(self._on_request)
        return client

    def _on_request(self, client: Any, request: SocketModeRequest) -> None:
        try:
            self._receive(request.type, request.payload, request.envelope_id)
        except Exception as error:  # not kept, so not confirmed: Slack brings it again, or tells the person
            self.problem = clean_line(f"a request could not be kept: {error}")[:300]
            return
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

    def close(self) -> None:
        """End the connection; requests that are being received are finished first."""
        client, self._client, self._lost_at = self._client, None, None
        if client is not None:
            self._close(client)

    @staticmethod
    def _close(client: SocketModeClient) -> None:
        # Closing waits for the library's threads, and one of them may be waiting for a network that is gone.
        ending = threading.Thread(target=lambda: _quietly(client.close), daemon=True)
        ending.start()
        ending.join(5.0)


def _quietly(act: Callable[[], object]) -> None:
    with suppress(Exception):
        act()


def answer(address: str, text: str, timeout_seconds: float = 10.0) -> bool:
    """Tell one person ``text`` (plain; escaped here). False when it is worth trying again."""
    shown, left_out = fit(clean(text), MAX_SECTION - 60)
    shown += f" … ({left_out:,} characters left out)" if left_out else ""
    hook = WebhookClient(
        address,
        timeout=timeout_seconds,  # type: ignore[arg-type]
        retry_handlers=[],
        logger=quiet_logger(),
    )
    honour_no_proxy(hook, address)
    section = {"type": "section", "text": {"type": "mrkdwn", "text": shown, "verbatim": True}}
    try:
        answered = hook.send(text=shown, blocks=[section], response_type="ephemeral", replace_original=False)
    except Exception:  # the network, most likely
        return False
    return bool(answered.status_code < 500 and answered.status_code != 429)  # 4xx: nobody can be told any more
