"""Every word Slack has for a failure, and every way a call can end without one."""

from __future__ import annotations

import socket
import ssl
from http.client import RemoteDisconnected
from urllib.error import URLError

import pytest

from kronos_health.alerts.channels import Verdict
from kronos_health.alerts.slack.errors import TAXONOMY, classify, classify_exception


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        ("internal_error fatal_error request_timeout", Verdict.UNKNOWN),
        ("invalid_blocks msg_too_long msg_blocks_too_long metadata_too_large", Verdict.PAYLOAD),
        (
            "invalid_auth token_revoked account_inactive missing_scope channel_not_found is_archived not_in_channel",
            Verdict.CHANNEL,
        ),
        ("ratelimited rate_limited", Verdict.RATE_LIMITED),
        ("message_not_found thread_not_found", Verdict.PARENT_GONE),
        ("a_word_slack_made_up_yesterday", Verdict.REFUSED),
    ],
)
def it_knows_what_a_refusal_means(codes: str, verdict: Verdict) -> None:
    assert {classify(code, 200, {}, "slack").verdict for code in codes.split()} == {verdict}


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (429, "ratelimited", Verdict.RATE_LIMITED),
        (429, "<html>", Verdict.RATE_LIMITED),
        (500, "upstream connect error", Verdict.UNKNOWN),
        (503, "service_unavailable", Verdict.NOT_DELIVERED),
        (408, "", Verdict.UNKNOWN),
        (403, "<html>forbidden by a proxy", Verdict.REFUSED),
        (200, "Received a response in a non-JSON format: {", Verdict.UNKNOWN),
        (200, "", Verdict.UNKNOWN),
    ],
)
def it_knows_what_a_status_means(status: int, code: str, verdict: Verdict) -> None:
    assert classify(code, status, {}, "slack").verdict is verdict


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (URLError(ConnectionRefusedError(111, "refused")), Verdict.NOT_DELIVERED),
        (URLError(socket.gaierror(-2, "Name or service not known")), Verdict.NOT_DELIVERED),
        (URLError(ssl.SSLCertVerificationError(1, "self-signed")), Verdict.NOT_DELIVERED),
        (URLError(OSError(113, "No route to host")), Verdict.NOT_DELIVERED),
        (URLError(TimeoutError("timed out")), Verdict.UNKNOWN),
        (URLError(BrokenPipeError(32, "pipe")), Verdict.UNKNOWN),
        (TimeoutError("timed out"), Verdict.UNKNOWN),
        (ConnectionResetError(104, "reset"), Verdict.UNKNOWN),
        (RemoteDisconnected("closed"), Verdict.UNKNOWN),
        (AttributeError("list has no attribute get"), Verdict.UNKNOWN),
    ],
)
def it_takes_only_what_never_left_for_surely_not_delivered(error: Exception, verdict: Verdict) -> None:
    assert classify_exception(error).verdict is verdict


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("0", 1), ("-3", 1), ("999999", 3600), ("soon", 30), ("nan", 30), (None, 30)]
)
def it_waits_as_long_as_slack_asks_within_reason(header: str | None, seconds: float) -> None:
    headers = {} if header is None else {"retry-after": header}
    assert classify("ratelimited", 429, headers, "slack").retry_after == seconds


def it_says_what_a_person_can_do_about_every_refused_channel() -> None:
    for entry in (entry for entry in TAXONOMY if entry.verdict is Verdict.CHANNEL):
        for code in entry.codes:
            assert "kronos-health channel enable slack" in classify(code, 200, {}, "slack").advice


def it_lists_no_code_twice() -> None:
    codes = [code for entry in TAXONOMY for code in entry.codes]
    assert len(codes) == len(set(codes))
