"""E-mail, chat services and the rest, through Apprise: at least once.

Apprise says only whether a service took the message, not why it did not: a refusal, a time-out and a lost answer look
the same. So whatever is no plain success is *unknown*; since nothing can be read back, it is sent again, and may come
twice. The id at the end of the body is the same then.
"""

from __future__ import annotations

import re
from typing import Any

from kronos_health.alerts.channels import Channel, ChannelCheck, Outcome, Parcel, Verdict
from kronos_health.alerts.markdown import markdown, title
from kronos_health.alerts.plain import plain_text
from kronos_health.alerts.text import clean_line, shorten
from kronos_health.domain.alerts import Message, TransitionKind
from kronos_health.domain.logs import Severity

PREFIX = "apprise:"
_MISSING = "Apprise is not installed"
_INSTALL = "Install it: pip install 'kronos-health[apprise]'"
_TYPES = {Severity.CRITICAL: "failure", Severity.WARNING: "warning", Severity.INFO: "info"}


class AppriseChannel(Channel):
    """One service address of ``[apprise.urls]``."""

    pace_seconds = 1.0

    def __init__(self, name: str, url: str, timeout_seconds: float = 10.0, page_url: str = "") -> None:
        self.name = name
        self._url, self._timeout, self._page_url = url, timeout_seconds, page_url

    def send(self, parcel: Parcel) -> Outcome:
        """Hand the message to the service, once: Apprise's own repeats are off."""
        try:
            service = self._service()
        except ImportError:
            return Outcome(Verdict.CHANNEL, error=_MISSING, advice=_INSTALL)
        if service is None:
            return self._unusable()
        plain = parcel.plain
        body = _plain_body(parcel.message) if plain else markdown(parcel.message, self._page_url)
        try:
            taken = service.notify(
                title=title(parcel.message),
                body=f"{body}\n\nId: {parcel.id}",
                notify_type=_type(parcel.message),
                body_format="text" if plain else "markdown",
            )
        except Exception as error:  # a plugin's own fault: it may have sent the message before
            return Outcome(Verdict.UNKNOWN, error=f"{type(error).__name__} in Apprise")
        if taken:
            return Outcome(Verdict.DELIVERED)
        return Outcome(Verdict.UNKNOWN, error=f"the service did not take it{self._why(taken)}")

    def check(self) -> ChannelCheck:
        """Whether the address is one that Apprise understands; only a message tells more."""
        try:
            understood = self._service() is not None
        except ImportError:
            return ChannelCheck(False, f"{_MISSING}. {_INSTALL}")
        if not understood:
            return ChannelCheck(False, self._unusable().error)
        return ChannelCheck(None, "the address is understood; only a message can tell whether the service takes it")

    def _service(self) -> Any:
        """Apprise with this one address, or ``None`` when it cannot use it. Raises ``ImportError``."""
        # Here, not above: a set-up without it need not have the library.
        from apprise import Apprise, AppriseAsset

        # In this process and thread, and without files: what is on its way is known from the outbox alone.
        asset = AppriseAsset(app_id="kronos-health", app_desc="kronos-health", async_mode=False)
        service = Apprise(asset=asset)
        if not service.add(self._url):
            return None
        for plugin in service:
            plugin.socket_connect_timeout = plugin.socket_read_timeout = self._timeout
        return service if len(service) else None

    def _unusable(self) -> Outcome:
        key = f"apprise.urls.{self.name.removeprefix(PREFIX)}"
        return Outcome(
            Verdict.CHANNEL,
            error=f"Apprise cannot use the address of {key}",
            advice=f"Correct {key}, then run: kronos-health channel enable {self.name}",
        )

    def _why(self, result: Any) -> str:
        """Apprise's last word about it, unless that could hold a part of the address."""
        lines = [str(entry.message) for entry in result.logs()] if hasattr(result, "logs") else []
        said = clean_line(lines[-1]) if lines else ""
        parts = [part for part in re.split(r"[/@?&=:]+", self._url) if len(part) > 3]
        if not said or "://" in said or any(part in said for part in parts):
            return ""
        return f": {shorten(said, 200)}"


def _plain_body(message: Message) -> str:
    """The plain text without its first line, which is the title."""
    return plain_text(message).partition("\n")[2]


def _type(message: Message) -> str:
    return "success" if message.transition is TransitionKind.RESOLVED else _TYPES[message.severity]
