"""Slack by incoming webhook: no threads, no updates, and nothing can be read back.

The promise is weaker than a token's: at least once. When an answer is lost, the message is sent again and may be
shown twice; it is never dropped.
"""

from __future__ import annotations

from slack_sdk.webhook import WebhookClient

from kronos_health.alerts.channels import Channel, Outcome, Parcel, Verdict
from kronos_health.alerts.slack.client import honour_no_proxy, quiet_logger
from kronos_health.alerts.slack.errors import classify, classify_exception
from kronos_health.alerts.slack.render import render, render_plain


class WebhookChannel(Channel):
    """Posts every message on its own to the channel the webhook was made for."""

    name = "slack_webhook"
    pace_seconds = 1.0

    def __init__(self, url: str, timeout_seconds: float = 10.0, page_url: str = "") -> None:
        self._page_url = page_url
        self._hook = WebhookClient(
            url,
            timeout=timeout_seconds,  # type: ignore[arg-type]  # handed to urllib, which takes fractions
            retry_handlers=[],
            logger=quiet_logger(),
        )
        honour_no_proxy(self._hook, url)

    def send(self, parcel: Parcel) -> Outcome:
        """Post the message; the answer to a success is the word ``ok``."""
        payload = render_plain(parcel.message) if parcel.plain else render(parcel.message, self._page_url)
        try:
            answer = self._hook.send(
                text=payload.text, attachments=payload.attachments or None, unfurl_links=False, unfurl_media=False
            )
        except Exception as error:  # a verdict for everything: what cannot be told is unknown
            return _without_address(classify_exception(error))
        body = answer.body.strip()
        if answer.status_code == 200 and body == "ok":
            return Outcome(Verdict.DELIVERED)
        return classify(body[:100], answer.status_code, dict(answer.headers.items()), self.name)


def _without_address(outcome: Outcome) -> Outcome:
    """The address is a secret, and an error about it may quote it."""
    if "//" in outcome.error:
        return Outcome(outcome.verdict, error="the webhook's address cannot be used; see slack.webhook_url")
    return outcome
