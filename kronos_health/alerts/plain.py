"""A message as plain text: for consoles, for mail, and for Slack when it refuses the rich form."""

from __future__ import annotations

from collections.abc import Iterator

from kronos_health.alerts.messages import headline
from kronos_health.alerts.standing import standing_lines
from kronos_health.alerts.text import moment, times, without_middle
from kronos_health.domain.alerts import Message

_EVIDENCE_SHOWN = 10


def plain_text(message: Message, excerpt_limit: int = 2_000) -> str:
    """Every part of ``message`` on lines of its own; what was left out of the excerpt is counted."""
    return "\n".join(_lines(message, excerpt_limit))


def _lines(message: Message, excerpt_limit: int) -> Iterator[str]:
    yield headline(message)
    if message.summary:
        yield message.summary
    if message.standing:
        yield from standing_lines(message.standing)
    yield from (f"{label}: {value}" for label, value in when_and_how_often(message))
    yield from (f"{fact.label}: {fact.value}" for fact in message.facts)
    if message.excerpt:
        yield from _excerpt(message, message.excerpt, excerpt_limit)
    if message.picture:
        yield f"Chart: {message.picture.alt_text}"
    if message.evidence:
        yield f"Evidence: {evidence_list(message)}"
    if message.next_step:
        yield f"Next step: {message.next_step}"


def when_and_how_often(message: Message) -> tuple[tuple[str, str], ...]:
    """Since when and how often; a summary of a time (the digest) has no count."""
    since = (("Since", moment(message.since)),) if message.since else ()
    count = message.standing.occurrences if message.standing else message.occurrences
    return (*since, *((("Seen", times(count)),) if count else ()))


def evidence_list(message: Message) -> str:
    """The rows that prove it; what does not fit is counted."""
    shown, more = message.evidence[:_EVIDENCE_SHOWN], len(message.evidence) - _EVIDENCE_SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _excerpt(message: Message, excerpt: str, limit: int) -> Iterator[str]:
    shown, _left_out = without_middle(excerpt, limit, message.excerpt_cut)
    yield from (f"  | {line}" for line in shown.splitlines())
