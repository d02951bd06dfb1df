"""What Slack brings over Socket Mode, read with care: everything in it comes from outside.

Shapes: docs.slack.dev/apis/events-api/using-socket-mode, /reference/interaction-payloads/block_actions-payload and
/interactivity/implementing-slash-commands.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from kronos_health.alerts.slack.buttons import pressed
from kronos_health.alerts.text import clean_line
from kronos_health.domain.conversation import SlackRequest, Wish

_NAMESPACE = uuid.UUID("0c3a5d0e-6a57-5f0c-9d6f-6b0d2c3b9a41")  # drawn once, for the identities of requests
_ID = re.compile(r"[A-Z0-9]{2,32}")
_ANSWER_HOST = "hooks.slack.com"


def read_envelope(
    kind: str, payload: Mapping[str, Any], envelope_id: str, now: datetime, api_address: str = ""
) -> SlackRequest | None:
    """The request in an envelope; ``None`` for everything that asks for nothing of ours.

    ``api_address`` is another Slack than slack.com (``slack.base_url``): answers may go there as well.
    """
    try:
        if kind == "interactive":
            return _press(payload, envelope_id, now, api_address)
        if kind == "slash_commands":
            return _command(payload, envelope_id, now, api_address)
    except (AttributeError, KeyError, TypeError, IndexError):
        return None
    return None


def _press(payload: Mapping[str, Any], envelope_id: str, now: datetime, api_address: str) -> SlackRequest | None:
    if payload.get("type") != "block_actions":
        return None
    action, user, channel = payload["actions"][0], payload["user"], payload.get("channel") or {}
    found = pressed(str(action.get("action_id", "")), str(action.get("value", "")))
    if found is None or not _is_id(user["id"]):
        return None
    wish, seconds, reference = found
    message = (payload.get("container") or {}).get("message_ts", "")
    called = (action.get("action_ts") or envelope_id, user["id"], message, action["action_id"])
    return SlackRequest(
        id=_identity("press", *called),
        received_at=now,
        wish=wish,
        seconds=seconds,
        outbox_id=reference,
        user_id=user["id"],
        user_name=_name(user.get("username") or user.get("name")),
        conversation=_text(channel.get("id"), 64),
        conversation_name=_name(channel.get("name")),
        answer_url=_answer_url(payload.get("response_url"), api_address),
    )


def _command(payload: Mapping[str, Any], envelope_id: str, now: datetime, api_address: str) -> SlackRequest | None:
    if not _is_id(payload["user_id"]):
        return None
    word = str(payload.get("text") or "").strip().lower()
    return SlackRequest(
        id=_identity("command", payload.get("trigger_id") or envelope_id, payload["user_id"]),
        received_at=now,
        wish=Wish.STATUS if word == "status" else Wish.HELP,
        user_id=payload["user_id"],
        user_name=_name(payload.get("user_name")),
        conversation=_text(payload.get("channel_id"), 64),
        conversation_name=_name(payload.get("channel_name")),
        answer_url=_answer_url(payload.get("response_url"), api_address),
    )


def _identity(*called: object) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\n".join(str(part) for part in called)))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _name(value: object) -> str:
    return _text(value, 120)


def _text(value: object, limit: int) -> str:
    return clean_line(str(value or ""))[:limit]


def _answer_url(value: object, api_address: str) -> str | None:
    """An address of Slack's own; what would go anywhere else is not answered."""
    if not isinstance(value, str) or len(value) > 2_000:
        return None
    try:
        address, api = urlsplit(value), urlsplit(api_address)
        ours = address.scheme == "https" and address.hostname == _ANSWER_HOST and address.port in (None, 443)
        theirs = bool(api.netloc) and (address.scheme, address.netloc) == (api.scheme, api.netloc)
    except ValueError:
        return None
    return value if (ours or theirs) and not address.username else None
