"""Slack's Web API through slack_sdk, with its retries off: a call ends in an answer or in a verdict, once.

With its default handlers the library posts again when an answer is lost, which Slack shows twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from kronos_health.alerts.channels import Outcome, Verdict
from kronos_health.alerts.slack.errors import classify, classify_exception
from kronos_health.alerts.text import clean_line

Answer = Mapping[str, Any]


def quiet_logger() -> logging.Logger:
    """Every failure is returned and stored; the library's own lines would only repeat it on stderr."""
    logger = logging.getLogger("kronos_health.alerts.slack.sdk")
    logger.setLevel(logging.CRITICAL)
    return logger


def honour_no_proxy(client: Any, url: str) -> None:
    """slack_sdk takes a proxy from the environment but not the exceptions from it (``NO_PROXY``)."""
    host = urlsplit(url).hostname
    if host and proxy_bypass(host):
        client.proxy = None


class SlackClient:
    """Calls methods of the Web API for the channel named ``name``; ``timeout_seconds`` bounds each wait."""

    def __init__(self, name: str, token: str, base_url: str = "", timeout_seconds: float = 10.0) -> None:
        self._name = name
        self.timeout_seconds = timeout_seconds
        self._web = WebClient(
            token=token,
            base_url=base_url or WebClient.BASE_URL,
            timeout=timeout_seconds,  # type: ignore[arg-type]  # handed to urllib, which takes fractions
            retry_handlers=[],
            logger=quiet_logger(),
        )
        honour_no_proxy(self._web, self._web.base_url)

    def call(
        self, method: str, *, json: dict[str, Any] | None = None, params: dict[str, Any] | None = None
    ) -> Answer | Outcome:
        """The answer of a call that succeeded, or the outcome of one that did not."""
        try:
            response = (
                self._web.api_call(method, json=json)
                if json is not None
                else self._web.api_call(method, http_verb="GET", params=params or {})
            )
        except SlackApiError as error:
            return self._refused(error.response)
        except Exception as error:  # a verdict for everything: what cannot be told is unknown
            return classify_exception(error)
        data = response.data
        if not isinstance(data, dict):
            return Outcome(Verdict.UNKNOWN, error="an answer that is not Slack's")
        return data | {"_scopes": _header(response.headers, "x-oauth-scopes")}

    def _refused(self, response: Any) -> Outcome:
        data = response.data if isinstance(response.data, dict) else {}
        needed = clean_line(str(data.get("needed", "")))[:200]
        return classify(
            str(data.get("error", "")),
            response.status_code,
            response.headers,
            self._name,
            detail=f"needs {needed}" if needed else "",
        )


def _header(headers: Mapping[str, str], wanted: str) -> str:
    return next((value for name, value in headers.items() if name.lower() == wanted), "")
