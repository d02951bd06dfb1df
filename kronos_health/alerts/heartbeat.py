"""An optional ping to a healthchecks-compatible address: somebody outside notices when the checker stops."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Literal

from kronos_health.settings.models import Heartbeat

_SUFFIX = {"start": "/start", "success": "", "fail": "/fail"}


def ping(settings: Heartbeat, event: Literal["start", "success", "fail"], message: str = "") -> str | None:
    """Tell the address what happened. Never raises: returns ``None`` when it worked or none is set, else why not.

    ``message`` (at most 10,000 bytes of it) is sent along, as healthchecks shows it beside the ping.
    """
    address = settings.url.get_secret_value().rstrip("/")
    if not address:
        return None
    if not address.startswith(("http://", "https://")):
        return "heartbeat.url must begin with http:// or https://"
    body = message.encode("utf-8", "replace")[:10_000]
    try:
        request = urllib.request.Request(address + _SUFFIX[event], data=body, method="POST")  # noqa: S310 - looked above
        with urllib.request.urlopen(request, timeout=settings.timeout_seconds) as response:  # noqa: S310
            response.read(1_000)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        return f"the heartbeat did not arrive: {reason}. Check heartbeat.url and the network."
    return None
