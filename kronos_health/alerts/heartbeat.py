"""An optional ping to a healthchecks-compatible address: somebody outside notices when the checker stops.

The addresses are those of healthchecks' pinging API (healthchecks.io/docs/http_api): ``…/start``, ``…`` and ``…/fail``,
with ``rid`` naming the run, so that runs that overlap are told apart.
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Literal

from kronos_health.settings.models import Heartbeat

Event = Literal["start", "success", "fail"]

_SUFFIX = {"start": "/start", "success": "", "fail": "/fail"}
OF_THE_WHOLE = frozenset({"check", "doctor"})  # they look at everything: where there is one address, it is theirs
_LONGEST_BODY = 10_000  # bytes that healthchecks shows beside a ping


@dataclass(frozen=True, slots=True)
class Pings:
    """The pings of one run of ``check``; each returns ``None`` when it worked or none is asked for, else why not."""

    settings: Heartbeat
    check: str
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def wanted(self) -> bool:
        """Whether this check pings anything."""
        slugs = self.settings.slugs
        asked = self.check in slugs if slugs else self.check in OF_THE_WHOLE
        return asked and bool(self.settings.url.get_secret_value())

    def start(self) -> str | None:
        """The run begins."""
        return self._send("start", "")

    def end(self, well: bool, message: str = "") -> str | None:
        """The run ended; ``message`` is shown beside the ping."""
        return self._send("success" if well else "fail", message)

    def _send(self, event: Event, message: str) -> str | None:
        return ping(self.settings, event, message, check=self.check, run_id=self.run_id) if self.wanted else None


def ping(settings: Heartbeat, event: Event, message: str = "", *, check: str = "check", run_id: str = "") -> str | None:
    """Tell the address what happened. Never raises, and takes ``settings.timeout_seconds`` at most.

    Returns ``None`` when it worked or none is set, else why not. The time holds for all of it, name look-up and an
    answer that trickles included, for which the library's own timeout does not: hence the thread.
    """
    address = settings.url.get_secret_value().rstrip("/")
    if not address:
        return None
    if not address.startswith(("http://", "https://")):
        return "heartbeat.url must begin with http:// or https://"
    slug = settings.slugs.get(check, "")
    query = f"?{urllib.parse.urlencode({'rid': run_id})}" if run_id else ""
    url = f"{address}{'/' if slug else ''}{slug}{_SUFFIX[event]}{query}"
    answer: list[str | None] = []
    body = message.encode("utf-8", "replace")[:_LONGEST_BODY]
    asking = threading.Thread(target=lambda: answer.append(_post(url, body, settings.timeout_seconds)), daemon=True)
    asking.start()
    asking.join(settings.timeout_seconds)
    return answer[0] if answer else _lost(f"no answer within {settings.timeout_seconds:g} s")


def _post(url: str, body: bytes, timeout: float) -> str | None:
    try:
        request = urllib.request.Request(url, data=body, method="POST")  # noqa: S310 - looked above
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            response.read(1_000)
    except (OSError, HTTPException, ValueError) as error:
        return _lost(str(getattr(error, "reason", None) or type(error).__name__))
    return None


def _lost(reason: str) -> str:
    return f"the heartbeat did not arrive: {reason}. Check heartbeat.url and the network."
