"""Channel-neutral messages: made from an observation and the step it caused, kept as JSON, said in words."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Set
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any

from kronos_health.alerts.text import clean, clean_line, duration, more_times, shorten, without_middle
from kronos_health.domain.alerts import (
    Alert,
    AlertKind,
    AlertState,
    Fact,
    Message,
    Observation,
    ObservationState,
    Particulars,
    Picture,
    Standing,
    Transition,
    TransitionKind,
)
from kronos_health.domain.logs import Severity

EXCERPT_LIMIT = 8_000  # characters kept in the outbox; the finding itself keeps the record
_TITLE_LIMIT = 300
_TEXT_LIMIT = 4_000
_FACTS_LIMIT = 50

_ICONS = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}


# What these tell is good: that it ended is no relief.
_GOOD_NEWS = frozenset({AlertKind.CRITERION_MET, AlertKind.ALL_CRITERIA_MET})
_ENDS = {AlertKind.GRAPH_REUSE: "It is over once enough predictions have completed after the last one."}
_NOTES = {
    TransitionKind.WORSENED: "It is more severe than what was said before.",
    TransitionKind.FLAPPING: "It keeps coming and going. The next message comes when it has been stable.",
    TransitionKind.STEADIED: "It had been coming and going, and stays bad now.",
    TransitionKind.ESCALATED: "It is said here because nobody acknowledged it where it was said first. Whoever looks "
    "after it: kronos-health alerts ack {alert}",
}
_REMINDERS = {
    ObservationState.BAD: "Still so after {lasted}",
    ObservationState.GOOD: "Not over after {lasted}, though not seen again",
    ObservationState.UNKNOWN: "Began {lasted} ago, and cannot be told now",
}


def particulars_of(observation: Observation) -> Particulars:
    """What ``observation`` says, cleaned and bounded here, so that no channel and no row ever holds raw log text."""
    excerpt, excerpt_cut = without_middle(clean(observation.excerpt or ""), EXCERPT_LIMIT)
    return Particulars(
        summary=shorten(clean(observation.summary).strip(), _TEXT_LIMIT),
        next_step=shorten(clean(observation.next_step).strip(), _TEXT_LIMIT),
        facts=_facts(observation.facts),
        excerpt=excerpt or None,
        excerpt_cut=excerpt_cut,
        evidence=tuple(shorten(clean_line(item), _TITLE_LIMIT) for item in observation.evidence),
        inhibitors=observation.inhibitors,
    )


def compose(
    observation: Observation,
    transition: Transition,
    before: Alert | None,
    after: Alert,
    title: str,
    severity: Severity,
    last_bad: Particulars | None = None,
) -> Message:
    """What is to be said about ``transition``.

    ``title``, ``severity`` and ``last_bad`` are the alert's own: an observation that resolves one, or cannot see it,
    describes another state. What was wrong, with its evidence, is said in every message of the episode.
    """
    bad, resolved = observation.state is ObservationState.BAD, transition.kind is TransitionKind.RESOLVED
    withdrawn = resolved and observation.kind in _GOOD_NEWS  # what holds instead matters more than what held
    told = particulars_of(observation) if bad or last_bad is None or withdrawn else last_bad
    known = before.announced_occurrences if before and before.episode == after.episode else 0
    lasted = (transition.at - after.pending_since).total_seconds() if after.pending_since else None
    summary = told.summary if bad or last_bad is None else _summary_after(observation, transition, last_bad)
    return Message(
        title=shorten(clean_line(title), _TITLE_LIMIT),
        kind=observation.kind,
        transition=transition.kind,
        severity=severity,
        summary=_noted(transition, summary, observation.fingerprint),
        facts=(*told.facts, *_positives(after)),
        excerpt=told.excerpt,
        next_step=_afterwards(observation.kind) if resolved else told.next_step,
        evidence=told.evidence,
        episode=transition.episode,
        occurrences=after.occurrences,
        since=after.pending_since,
        duration_seconds=lasted if transition.kind is not TransitionKind.FIRED else None,
        new_occurrences=max(after.announced_occurrences - known, 0),
        excerpt_cut=told.excerpt_cut,
        seen=observation.state,
        picture=observation.picture,
    )


def _summary_after(observation: Observation, transition: Transition, last_bad: Particulars) -> str:
    """What is seen now, how it ends, and what was seen when it was last bad."""
    now = clean(observation.summary).strip()
    ends = _ENDS.get(observation.kind, "") if transition.kind is TransitionKind.REMINDED else ""
    before = f"What was seen: {last_bad.summary}" if last_bad.summary else ""
    return shorten("\n".join(filter(None, (f"{now} {ends}".strip(), before))), _TEXT_LIMIT)


def _noted(transition: Transition, summary: str, fingerprint: str) -> str:
    """The summary, after what the step itself has to say."""
    note = _NOTES.get(transition.kind, "").replace("{alert}", shlex.quote(fingerprint))
    return shorten("\n".join(filter(None, (note, summary))), _TEXT_LIMIT)


def _positives(alert: Alert) -> tuple[Fact, ...]:
    return (Fact("Predictions completed since", f"{alert.positives:,}"),) if alert.positives else ()


def _afterwards(kind: AlertKind) -> str:
    if kind in _GOOD_NEWS:
        return "kronos-health report  # why it no longer holds; was production switched for it, a person switches back"
    return f"kronos-health query alert_timeline --param kind={kind.value}  # nothing to do: this is how it went"


def _facts(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    shown = [
        Fact(shorten(clean_line(fact.label), _TITLE_LIMIT), shorten(clean_line(fact.value), _TITLE_LIMIT))
        for fact in facts[:_FACTS_LIMIT]
    ]
    more = len(facts) - len(shown)
    return (*shown, Fact("More", f"{more} facts left out")) if more else tuple(shown)


def fired_and_resolved(fired: Message, resolved: Message) -> Message:
    """One message for an alert that was over before anybody was told: what it was, and that it is over."""
    return replace(
        resolved,
        facts=resolved.facts or fired.facts,
        excerpt=resolved.excerpt or fired.excerpt,
        excerpt_cut=resolved.excerpt_cut if resolved.excerpt else fired.excerpt_cut,
        evidence=resolved.evidence or fired.evidence,
        together=True,
    )


def headline(message: Message) -> str:
    """The one line that says it all, with an icon for the eye and words for everybody else."""
    lasted = duration(message.duration_seconds or 0.0)
    match message.transition:
        case _ if message.has_ended:
            return f"{_how_it_ended(message)} after {lasted}: {message.title}"
        case TransitionKind.REMINDED:
            return f"{_ICONS[message.severity]} {_REMINDERS[message.seen].format(lasted=lasted)}: {message.title}"
        case TransitionKind.UPDATED:
            return f"{_ICONS[message.severity]} Seen {more_times(message.new_occurrences)}: {message.title}"
        case TransitionKind.WORSENED:
            return f"{_ICONS[message.severity]} Worse now ({message.severity.value}): {message.title}"
        case TransitionKind.FLAPPING:
            return f"🔁 Flapping: {message.title}"
        case TransitionKind.STEADIED:
            return f"{_ICONS[message.severity]} Flapping no more, and bad after {lasted}: {message.title}"
        case TransitionKind.ESCALATED:
            return f"🚨 Nobody has acknowledged this for {lasted}: {message.title}"
        case TransitionKind.NOTICE:
            return f"{'ℹ️' if message.severity is Severity.INFO else _ICONS[message.severity]} {message.title}"
        case _:
            return f"{_ICONS[message.severity]} {message.title}"


def _how_it_ended(message: Message) -> str:
    if message.over:
        return "✅ All over"
    if message.kind in _GOOD_NEWS:
        return "↩️ No longer so"
    return "✅ Fired and resolved" if message.together else "✅ Resolved"


def to_json(kept: Message | Particulars) -> str:
    """The message as the outbox keeps it, or the particulars as their alert does."""
    return json.dumps(asdict(kept), default=_plain, separators=(",", ":"), sort_keys=True)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a message cannot hold {type(value).__name__}")


def from_json(text: str) -> Message:
    """The message again; keys of a newer program are ignored, missing ones take their defaults.

    Raises ``ValueError`` for text that is no message.
    """
    values = _stored(text, {field.name for field in fields(Message)})
    try:
        return Message(**values)
    except TypeError as error:
        raise ValueError(f"not a stored message: {error}") from error


def particulars_from_json(text: str) -> Particulars:
    """The particulars again, on the same terms as :func:`from_json`."""
    return Particulars(**_stored(text, {field.name for field in fields(Particulars)}))


def _stored(text: str, known: Set[str]) -> dict[str, Any]:
    try:
        stored: Mapping[str, Any] = json.loads(text)
        return {name: _READERS.get(name, _same)(value) for name, value in stored.items() if name in known}
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"not a stored message: {error}") from error


def _same(value: Any) -> Any:
    return value


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _standing(values: Mapping[str, Any] | None) -> Standing | None:
    if values is None:
        return None
    moments = {name: _moment(values.get(name)) for name in ("acknowledged_at", "silenced_until")}
    known = {field.name for field in fields(Standing)}
    kept = {name: value for name, value in values.items() if name in known}
    return Standing(**(kept | moments | {"state": AlertState(values["state"])}))


_READERS: dict[str, Any] = {
    "kind": AlertKind,
    "transition": TransitionKind,
    "severity": Severity,
    "seen": ObservationState,
    "facts": lambda facts: tuple(Fact(**fact) for fact in facts),
    "evidence": tuple,
    "inhibitors": tuple,
    "since": _moment,
    "standing": _standing,
    "picture": lambda values: Picture(**values) if values else None,
}
