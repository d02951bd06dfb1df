"""Which channels a message goes to."""

from __future__ import annotations

from kronos_health.alerts.by_apprise import PREFIX
from kronos_health.domain.alerts import AlertKind, Message, TransitionKind
from kronos_health.settings.models import Settings


def routes(message: Message, settings: Settings) -> tuple[str, ...]:
    """The channels for ``message``, each once. Without token and webhook the console holds every message.

    That the checker is unhealthy is said by the second route at once: what is broken may be the first.
    """
    names = settings.alerts.channels
    if message.transition is TransitionKind.ESCALATED and settings.alerts.escalate_channel:
        names = (settings.alerts.escalate_channel,)
    usable: list[str] = [name if is_set_up(name, settings) else "console" for name in names] or ["console"]
    if message.kind is AlertKind.CHECKER_UNHEALTHY:
        usable.append(second_route(usable[0], settings))
    return tuple(dict.fromkeys(usable))


def is_set_up(name: str, settings: Settings) -> bool:
    """Whether the settings hold what the channel needs."""
    if name == "slack":
        return bool(settings.slack.token.get_secret_value() and settings.slack.channel)
    if name == "slack_webhook":
        return bool(settings.slack.webhook_url.get_secret_value())
    if name.startswith(PREFIX):
        url = settings.apprise.urls.get(name.removeprefix(PREFIX))
        return url is not None and bool(url.get_secret_value())
    return name == "console"


def second_route(name: str, settings: Settings) -> str:
    """Where messages go while ``name`` is refused; the console when the fallback is that very channel."""
    fallback = settings.alerts.fallback
    return fallback if fallback != name and is_set_up(fallback, settings) else "console"
