"""Slack's errors as a table: what each means for the message, and what a person can do about it.

Sources: the error tables of chat.postMessage, chat.update, conversations.history and incoming webhooks at
docs.slack.dev/reference/methods. Slack says of ``fatal_error`` and ``internal_error`` that some aspect of the
operation may have succeeded, hence unknown.
"""

from __future__ import annotations

import errno
import math
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.error import URLError

from kronos_health.alerts.channels import LONGEST_WAIT, Outcome, Verdict

_DEFAULT_WAIT = 30.0  # seconds, when Slack limits without saying for how long

_ENABLE = "then run: kronos-health channel enable {channel}"
_MEND_ACCESS = "Put a valid bot token into slack.token (or the Airflow connection of slack.airflow_connection)"
_NEW_HOOK = "Make a new incoming webhook in Slack and put its address into slack.webhook_url"


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """Codes that mean the same for a message."""

    verdict: Verdict
    codes: frozenset[str]
    advice: str = ""


def _class(verdict: Verdict, codes: str, advice: str = "") -> ErrorClass:
    return ErrorClass(verdict, frozenset(codes.split()), advice)


TAXONOMY: tuple[ErrorClass, ...] = (
    _class(Verdict.UNKNOWN, "internal_error fatal_error request_timeout rollup_error"),
    _class(Verdict.RATE_LIMITED, "ratelimited rate_limited message_limit_exceeded"),
    _class(Verdict.NOT_DELIVERED, "service_unavailable team_added_to_org accesslimited"),
    _class(
        Verdict.PAYLOAD,
        "invalid_blocks invalid_blocks_format msg_too_long msg_blocks_too_long metadata_too_large no_text "
        "invalid_attachments too_many_attachments invalid_metadata_format invalid_metadata_schema "
        "attachment_payload_limit_exceeded invalid_payload missing_text_or_fallback_or_attachments",
    ),
    _class(
        Verdict.PARENT_GONE,
        "message_not_found thread_not_found cannot_reply_to_message cant_update_message edit_window_closed "
        "restricted_action_thread_locked",
    ),
    _class(
        Verdict.CHANNEL,
        "invalid_auth not_authed account_inactive token_revoked token_expired no_permission org_login_required "
        "not_allowed_token_type team_access_not_granted",
        f"{_MEND_ACCESS}, {_ENABLE}",
    ),
    _class(
        Verdict.CHANNEL,
        "missing_scope",
        "Give the Slack app the scopes chat:write and channels:history (groups:history in a private channel), "
        f"install it again, {_ENABLE}",
    ),
    _class(
        Verdict.CHANNEL,
        "channel_not_found invalid_channel channel_is_limited_access",
        f"Put the id of an existing channel (C…, at the bottom of its details in Slack) into slack.channel, {_ENABLE}",
    ),
    _class(
        Verdict.CHANNEL,
        "is_archived channel_is_archived",
        f"Restore the channel in Slack or name another one in slack.channel, {_ENABLE}",
    ),
    _class(Verdict.CHANNEL, "not_in_channel", f"Invite the app with /invite @kronos-health, {_ENABLE}"),
    _class(
        Verdict.CHANNEL,
        "restricted_action restricted_action_read_only_channel restricted_action_non_threadable_channel "
        "ekm_access_denied access_denied team_not_found action_prohibited posting_to_general_channel_denied "
        "posting_to_channel_denied enterprise_is_restricted two_factor_setup_required",
        f"Ask an administrator of the workspace to let the app post there, or name another channel, {_ENABLE}",
    ),
    _class(
        Verdict.CHANNEL,
        "no_service no_service_id no_team invalid_token no_active_hooks user_not_found",
        f"{_NEW_HOOK}, {_ENABLE}",
    ),
)

_BY_CODE = {code: found for found in TAXONOMY for code in found.codes}
_CODE = re.compile(r"[a-z][a-z0-9_]{1,63}")


def classify(code: str, status: int, headers: Mapping[str, str], channel: str, detail: str = "") -> Outcome:
    """What an answer that is no success means. ``code`` is Slack's word, or whatever else the body held."""
    if status == 429:
        return _limited(headers)
    found = _BY_CODE.get(code)
    if found is None:
        return _unlisted(code, status)
    if found.verdict is Verdict.RATE_LIMITED:
        return _limited(headers)
    error = f"{code} ({detail})" if detail else code
    return Outcome(found.verdict, error=error, advice=found.advice.format(channel=channel))


def _limited(headers: Mapping[str, str]) -> Outcome:
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        wait = float(value)
    except ValueError:
        wait = _DEFAULT_WAIT
    wait = min(max(wait, 1.0), LONGEST_WAIT) if math.isfinite(wait) else _DEFAULT_WAIT
    return Outcome(Verdict.RATE_LIMITED, error=f"rate limited for {wait:g} s", retry_after=wait)


def _unlisted(code: str, status: int) -> Outcome:
    if status >= 500 or status == 408:
        return Outcome(Verdict.UNKNOWN, error=f"HTTP {status}")
    if 400 <= status < 500:
        word = f" {code}" if _CODE.fullmatch(code) else ""
        return Outcome(Verdict.REFUSED, error=f"HTTP {status}{word}")
    if _CODE.fullmatch(code):
        return Outcome(Verdict.REFUSED, error=f"{code} (a reason this program does not know)")
    return Outcome(Verdict.UNKNOWN, error=f"HTTP {status} with an answer that is not Slack's")


_UNREACHED = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}


def classify_exception(error: Exception) -> Outcome:
    """What it means that no answer came. Only where no request can have left is it surely not delivered."""
    reason = error.reason if isinstance(error, URLError) else None
    text = f"{type(error).__name__}: {reason or error}".strip(": ")
    never_left = isinstance(reason, socket.gaierror | ConnectionRefusedError | ssl.SSLCertVerificationError) or (
        isinstance(reason, OSError) and reason.errno in _UNREACHED
    )
    return Outcome(Verdict.NOT_DELIVERED if never_left else Verdict.UNKNOWN, error=text)
