"""One message that lists many, each as it stands now: pure.

As it is posted it lists what its messages said. Later each line shows how its alert stands, the most severe of those
that last is said in full, and once the last one has ended the message is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kronos_health.alerts.messages import headline
from kronos_health.alerts.policy_step import rank
from kronos_health.alerts.text import clean_line, moment, shorten
from kronos_health.domain.alerts import AlertState, Message, Standing, TransitionKind

LISTED = 20
# Characters: of the head, of a list with whole titles, of a title in a longer one, of a person's name.
_HEAD, _LIST, _TITLE, _WHO = 300, 2_400, 60, 40

Episode = tuple[str, int]  # fingerprint and number


@dataclass(frozen=True, slots=True)
class Told:
    """A message that another one tells, and the episode it belongs to."""

    episode: Episode
    message: Message

    @property
    def is_news(self) -> bool:
        """Whether it has no life cycle: news never ends, and keeps nothing open."""
        return self.message.transition is TransitionKind.NOTICE


@dataclass(frozen=True, slots=True)
class Stand:
    """How an episode stands; ``ended_at`` once it is over. ``occurrences`` of 0: as many as were told."""

    standing: Standing
    ended_at: datetime | None = None


Stands = Mapping[Episode, Stand]


def listed(told: Sequence[Told], title: str) -> Message:
    """The message that lists all as they were told, and says the most severe in full."""
    return replace(_listed(told, title, {}), transition=TransitionKind.GROUPED)


def listed_anew(told: Sequence[Told], title: str, stands: Stands, afterwards: str) -> Message:
    """The same while its alerts stand as ``stands`` says; ``afterwards`` is its next step once all are over."""
    message = replace(_listed(told, title, stands), transition=TransitionKind.REFRESHED)
    open_ = [stand.standing for stand in stands.values() if stand.ended_at is None]
    if open_ or not stands:
        return replace(message, taken=bool(open_) and all(one.acknowledged_by for one in open_))
    begun = min((one.message.since for one in told if not one.is_news and one.message.since), default=None)
    ended = max(stand.ended_at for stand in stands.values() if stand.ended_at)
    lasted = (ended - begun).total_seconds() if begun else None
    return replace(message, over=True, duration_seconds=lasted, next_step=afterwards)


def _listed(told: Sequence[Told], title: str, stands: Stands) -> Message:
    messages = [one.message for one in told]
    lasting = [one.message for one in told if not _has_ended(one, stands)]
    lead = max(lasting or messages, key=lambda message: rank(message.severity))
    lines = [*_lines(told, stands), *_more(told[LISTED:], stands)]
    return replace(
        lead,
        title=shorten(clean_line(title), _HEAD),
        summary="\n".join([*lines, "", f"{lead.title}:", lead.summary]) if lead.summary else "\n".join(lines),
        occurrences=_occurrences(told, stands),
        since=min((message.since for message in messages if message.since), default=None),
        evidence=tuple(dict.fromkeys(item for message in messages for item in message.evidence)),
    )


def _has_ended(one: Told, stands: Stands) -> bool:
    stand = stands.get(one.episode)
    return stand is not None and stand.ended_at is not None


def _occurrences(told: Sequence[Told], stands: Stands) -> int:
    """How often all of them were seen; several messages of one episode count the same thing."""
    seen = {episode: stand.standing.occurrences for episode, stand in stands.items()}
    for one in told:
        seen[one.episode] = max(seen.get(one.episode, 0), one.message.occurrences)
    return sum(seen.values())


def _lines(told: Sequence[Told], stands: Stands) -> list[str]:
    """A line each, with shorter titles where they would leave no room for how things stand."""
    shown = [_line(one, stand) for one, stand in _with_stands(told, stands)]
    if sum(map(len, shown)) <= _LIST:
        return shown
    return [_line(replace(one, message=_short(one.message)), stand) for one, stand in _with_stands(told, stands)]


def _short(message: Message) -> Message:
    title = message.title
    if len(title) > _TITLE:  # what it is about stands at its end
        title = f"{title[: _TITLE // 2].rstrip()} … {title[3 - _TITLE // 2 :].lstrip()}"
    return replace(message, title=title)


def _with_stands(told: Sequence[Told], stands: Stands) -> Iterator[tuple[Told, Stand | None]]:
    """The first lines; an episode stands on its first one, and nowhere where its end is a line of its own."""
    said = {one.episode for one in told if one.message.transition is TransitionKind.RESOLVED}
    for one in told[:LISTED]:
        yield one, stands.get(one.episode) if one.episode not in said else None
        said.add(one.episode)


def _line(one: Told, stand: Stand | None) -> str:
    if stand is None:
        return f"• {headline(one.message)}"
    if stand.ended_at is not None:
        since = one.message.since
        lasted = (stand.ended_at - since).total_seconds() if since else None
        return f"• {headline(replace(one.message, transition=TransitionKind.RESOLVED, duration_seconds=lasted))}"
    return " · ".join((f"• {headline(one.message)}", *_words(stand.standing)))


def _words(standing: Standing) -> Iterator[str]:
    if standing.state is AlertState.RECOVERING:
        yield "🌤️ getting better"
    if standing.acknowledged_by:
        yield f"👀 {shorten(clean_line(standing.acknowledged_by), _WHO)}"
    if standing.silenced_until:
        yield f"🔕 until {moment(standing.silenced_until)}"


def _more(unlisted: Sequence[Told], stands: Stands) -> Iterator[str]:
    if not unlisted:
        return
    over = sum(_has_ended(one, stands) for one in unlisted)
    yield f"and {len(unlisted)} more{f', {over} of them over' if over else ''}: kronos-health alerts"
