"""How everything stands, in a few plain lines for a chat: the verdict, what is open, whether somebody watches."""

from __future__ import annotations

from collections.abc import Iterator

from kronos_health.alerts.text import clean, moment, shorten
from kronos_health.checks.context import Context
from kronos_health.domain.conversation import AskedProbe
from kronos_health.history import words
from kronos_health.history.facts import AlertFacts, StatusView
from kronos_health.history.status import build_status
from kronos_health.store import asked_probes
from kronos_health.store.database import reading

HELP = (
    "/kronos status: what runs, what is wrong, and whether I still watch.\n"
    "/kronos help: this.\n"
    "Under an alert: Acknowledge (you look after it, reminders stop), Silence (not a word until then, still recorded), "
    "Run a probe now (measures the models again), Open the page."
)
_ALERTS_SHOWN, _TITLE = 10, 160
_ICONS = {"critical": "🔴", "warning": "🟠", "info": "🔵"}


def status_text(context: Context) -> str:
    """The status as plain text, at most a screenful."""
    with reading(context.engine) as connection:
        view = build_status(connection, context.now(), context.settings.probe.targets)
        asked = asked_probes.recent(connection, 1)
    return clean("\n".join([*_verdicts(view), *_open(view), *_channels(view), *_asked(asked), *_pulse(view)]))


def _verdicts(view: StatusView) -> Iterator[str]:
    for target in view.targets:
        yield shorten(target.decision.sentence, 300) if target.decision else f"{target.name}: nothing was decided yet."


def _open(view: StatusView) -> Iterator[str]:
    if not view.alerts:
        yield "✅ No alert is open."
    for alert in view.alerts[:_ALERTS_SHOWN]:
        yield _line(alert)
    if len(view.alerts) > _ALERTS_SHOWN:
        yield f"… and {len(view.alerts) - _ALERTS_SHOWN} more"


def _line(alert: AlertFacts) -> str:
    since = f", since {moment(alert.since)}" if alert.since else ""
    better = ", getting better" if alert.state == "recovering" else ""
    blind = ", cannot be seen now" if alert.unknown_since else ""
    return f"{_ICONS.get(alert.severity, '🔵')} {shorten(alert.title, _TITLE)}{since}{better}{blind}"


def _channels(view: StatusView) -> Iterator[str]:
    for channel in view.channels:
        if channel.disabled_at:
            yield f"⚠️ Messages to {channel.channel} are refused since {moment(channel.disabled_at)}."


def _asked(asked: tuple[AskedProbe, ...]) -> Iterator[str]:
    for one in asked:
        came = shorten(one.outcome or "", 400) if one.finished_at else "it runs" if one.taken_at else "it waits"
        yield f"The last probe asked for, by {one.who} at {moment(one.asked_at)}: {came}."


def _pulse(view: StatusView) -> Iterator[str]:
    seen = [beat.started_at for beat in view.pulse]
    yield (
        f"Last look: {moment(max(seen))} ({words.counted(len(view.sources), 'log')} watched)."
        if seen
        else ("Nothing was looked at yet.")
    )
