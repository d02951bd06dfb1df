"""The service that listens to Slack: keeps what people ask for, does it, answers, and says that it is alive."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kronos_health.checks import asked_probes, conversing
from kronos_health.checks.context import Context
from kronos_health.checks.delivering import deliver
from kronos_health.checks.errors import CheckError
from kronos_health.checks.listener_health import Health, health_of
from kronos_health.domain.conversation import Listener, Wish
from kronos_health.store import conversation as store
from kronos_health.store.database import reading, writing
from kronos_health.store.errors import StoreError

if TYPE_CHECKING:
    from kronos_health.alerts.slack.socket import SlackSocket

ALIVE_EVERY = 15.0  # seconds between signs of life
_LOOK_EVERY = 2.0
_ABOUT_ALERTS = (Wish.ACKNOWLEDGE, Wish.SILENCE)

Say = Callable[[str], None]
StartProbes = Callable[[], None]


def listen(context: Context, stop: threading.Event, say: Say, start_probes: StartProbes | None = None) -> None:
    """Listen until ``stop`` is set. ``start_probes`` is called while probes that were asked for wait here.

    Raises ``CheckError`` where the settings do not allow it, or Slack refuses the token at the start.
    """
    service = _Service(context, say, start_probes)
    try:
        service.start()
        while not stop.wait(0.05):
            service.wake.wait(_LOOK_EVERY)
            service.look()
    finally:
        service.end()


def check(context: Context) -> Health:
    """Whether a process of this host (or, where none ever did, of any) listens and is connected."""
    with reading(context.engine) as connection:
        known = store.listeners(connection)
    mine = [one for one in known if one.host == _host()] or list(known)
    return health_of(mine[0] if mine else None, context.now())


def _host() -> str:
    return socket.gethostname()[:120] or "this host"


class _Service:
    """One run of :func:`listen`."""

    def __init__(self, context: Context, say: Say, start_probes: StartProbes | None) -> None:
        self._context, self._say, self._start_probes = context, say, start_probes
        self.wake = threading.Event()
        now = context.now()
        self._me = Listener(_host(), os.getpid(), now, now, connected=False)
        self._told = ""
        self._socket = self._new_socket()

    def _new_socket(self) -> SlackSocket:
        from kronos_health.alerts.slack.socket import SlackSocket

        slack = self._context.settings.slack
        token = slack.app_token.get_secret_value()
        if not token:
            raise CheckError(
                "slack.app_token is empty: nobody can be listened to. docs/slack.md says how to get one (xapp-…)."
            )
        if not (slack.token.get_secret_value() and slack.channel):
            raise CheckError("slack.token and slack.channel are needed too: buttons stand under the bot's messages.")
        return SlackSocket(token, self._receive, slack.base_url, slack.timeout_seconds)

    def _receive(self, kind: str, payload: Mapping[str, Any], envelope_id: str) -> None:
        if conversing.receive(self._context, kind, payload, envelope_id):
            self.wake.set()

    def start(self) -> None:
        from kronos_health.alerts.slack.socket import TokenRefused

        try:
            self._socket.tend()
        except TokenRefused as error:
            raise CheckError(f"Slack does not let us listen: {error}. See docs/slack.md.") from error
        self.wake.set()  # what a run before this one has left undone
        self._tell()
        self._show_life()

    def look(self) -> None:
        """Do what there is to do. Nothing that goes wrong here ends the service: it is told, and tried again."""
        from kronos_health.alerts.slack.socket import TokenRefused

        self.wake.clear()
        try:
            self._socket.tend()
        except TokenRefused as error:
            self._say(f"Slack does not let us listen: {error}")
        self._tell()
        for step in (self._work, self._answer, self._probes, self._show_life):
            try:
                step()
            except StoreError as error:
                self._say(f"the history cannot be used: {error}")
            except Exception as error:
                self._say(f"{type(error).__name__}: {error}")

    def _tell(self) -> None:
        state = "connected to Slack" if self._socket.is_connected else f"not connected: {self._socket.problem}"
        if state != self._told:
            self._told = state
            self._say(state)

    def _work(self) -> None:
        done = conversing.work_off(self._context)
        for request in done:
            self._say(f"{request.who}: {request.wish.value}")
        self._answer()
        if any(request.wish in _ABOUT_ALERTS for request in done):
            # The message is to show it now, not at the next delivery.
            deliver(self._context, patience_seconds=3.0)

    def _answer(self) -> None:
        from kronos_health.alerts.slack.socket import answer

        conversing.answer_people(self._context, answer)

    def _probes(self) -> None:
        if self._start_probes is not None and asked_probes.waiting(self._context):
            self._start_probes()

    def _show_life(self, ended: bool = False) -> None:
        now = self._context.now()
        if (
            not ended
            and (now - self._me.alive_at).total_seconds() < ALIVE_EVERY
            and self._shown() == self._me.connected
        ):
            return
        self._me = replace(
            self._me,
            alive_at=now,
            connected=self._shown() and not ended,
            problem=self._socket.problem,
            ended_at=now if ended else None,
        )
        with writing(self._context.engine) as connection:
            store.sign_of_life(connection, self._me)

    def _shown(self) -> bool:
        return self._socket.is_connected

    def end(self) -> None:
        """Take nothing new, finish what was taken, and say so."""
        self._socket.close()
        for step in (self._work, lambda: self._show_life(ended=True)):
            try:
                step()
            except Exception as error:  # what was not done is a row, and done by the next run
                self._say(f"{type(error).__name__}: {error}")
