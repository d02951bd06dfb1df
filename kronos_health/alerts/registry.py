"""The channels that the settings allow, ready to send."""

from __future__ import annotations

from typing import TextIO

from kronos_health.alerts.by_apprise import PREFIX, AppriseChannel
from kronos_health.alerts.channels import Channel
from kronos_health.alerts.console import ConsoleChannel
from kronos_health.alerts.routing import is_set_up
from kronos_health.settings.models import Settings


def open_channels(settings: Settings, stream: TextIO | None = None) -> dict[str, Channel]:
    """Every channel that is set up, by name; the console, writing to ``stream``, is always among them.

    A channel that is set up but not in ``alerts.channels`` still delivers what was queued for it before.
    """
    opened: dict[str, Channel] = {"console": ConsoleChannel(stream)}
    slack = settings.slack
    if is_set_up("slack", settings):
        # Here, not above: a set-up without Slack need not load its library.
        from kronos_health.alerts.slack.channel import SlackChannel
        from kronos_health.alerts.slack.client import SlackClient

        client = SlackClient("slack", slack.token.get_secret_value(), slack.base_url, slack.timeout_seconds)
        interactive = bool(slack.app_token.get_secret_value())
        opened["slack"] = SlackChannel(client, slack.channel, settings.page_url, interactive)
    if is_set_up("slack_webhook", settings):
        from kronos_health.alerts.slack.webhook import WebhookChannel

        url = slack.webhook_url.get_secret_value()
        opened["slack_webhook"] = WebhookChannel(url, slack.timeout_seconds, settings.page_url)
    for name, address in settings.apprise.urls.items():
        if is_set_up(f"{PREFIX}{name}", settings):
            opened[f"{PREFIX}{name}"] = AppriseChannel(
                f"{PREFIX}{name}", address.get_secret_value(), settings.apprise.timeout_seconds, settings.page_url
            )
    return opened
