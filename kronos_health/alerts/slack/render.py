"""A message in Slack's form: a headline, and Block Kit in a coloured attachment.

Slack's limits (docs.slack.dev/reference/block-kit): 50 blocks, 3,000 characters a section, 10 fields of 2,000, and
about 13,000 characters of blocks a message. Ours are lower, and what does not fit is counted. Every text is escaped,
verbatim (no link, no mention is made of it), and text that looks like a mention or a link is broken up besides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kronos_health.alerts.messages import headline
from kronos_health.alerts.plain import evidence_list, plain_text, when_and_how_often
from kronos_health.alerts.slack.buttons import actions_block
from kronos_health.alerts.standing import standing_lines
from kronos_health.alerts.text import clean, clean_line, without_middle
from kronos_health.domain.alerts import AlertKind, Message, Picture, TransitionKind
from kronos_health.domain.logs import Severity

MAX_BLOCKS, MAX_SECTION, MAX_TOTAL = 45, 2_900, 12_000
# Together below MAX_TOTAL, the headline counted twice (text and fallback).
_HEADLINE, _SUMMARY, _LABEL, _VALUE, _FIELDS, _EVIDENCE, _NEXT, _PLAIN = 400, 2_000, 60, 240, 12, 800, 1_000, 3_500
_STANDING, _ALT_TEXT = 300, 500
_LISTED = MAX_SECTION  # of a summary that lists several alerts: it takes the room of how one of them stands

_COLOURS = {Severity.CRITICAL: "#d72b3f", Severity.WARNING: "#e8a317", Severity.INFO: "#3b82c4"}
_GREEN = "#2eb67d"
_BREAK = "\u2060"  # word joiner: invisible, and neither a name nor a link goes on after it
_AT = re.compile(r"@(?=\w)")

# Where in Airflow's UI a message leads, other than to the page as a whole: the questions that wait for an answer.
_PAGES = {AlertKind.SWITCH_PROPOSED: ("/dags/kronos_switch/required_actions", "Answer in Airflow")}

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SlackPayload:
    """The content of a post: ``text`` is always set; ``attachments`` is empty in the plain form."""

    text: str
    attachments: tuple[dict[str, Any], ...] = ()


def escape(text: str) -> str:
    """``text`` so that Slack shows it as it is: no markup sequence, no mention, no link."""
    return escape_command(text).replace("://", f":{_BREAK}//")


def escape_command(text: str) -> str:
    """A command to be pasted: no markup and no mention either, but nothing invisible inside an address."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _AT.sub("@" + _BREAK, text)


def fit(text: str, limit: int, escaped_by: Callable[[str], str] = escape) -> tuple[str, int]:
    """``text`` escaped in at most ``limit`` characters, and how many of the original's were left out."""
    shown = text[:limit]
    while len(escaped := escaped_by(shown)) > limit:
        shown = shown[: len(shown) - max(1, (len(escaped) - limit) // 5)]
    return escaped, len(text) - len(shown)


def _fit_counted(text: str, limit: int) -> str:
    escaped, left_out = fit(text, limit - 40)
    return f"{escaped} … ({left_out:,} characters left out)" if left_out else escaped


def render(message: Message, page_url: str = "", reference: str = "", file_id: str = "") -> SlackPayload:
    """The rich form of ``message``; ``page_url``, when set, is linked below it.

    With ``reference``, its id in the outbox, it gets buttons; ``file_id`` is Slack's id of its picture.
    """
    text = _fit_counted(headline(message), _HEADLINE)
    attachment = {
        "color": _GREEN if message.has_ended else _COLOURS[message.severity],
        "fallback": text,
        "blocks": list(_blocks(message, page_url, reference, file_id)),
    }
    return SlackPayload(text, (attachment,) if attachment["blocks"] else ())


def render_plain(message: Message) -> SlackPayload:
    """The short plain form, for when Slack refuses the rich one."""
    return SlackPayload(_fit_counted(clean(plain_text(message, excerpt_limit=1_000)), _PLAIN))


def render_resolved_parent(parent: Message, resolved: Message, page_url: str = "", reference: str = "") -> SlackPayload:
    """What the first message of an episode becomes once it is over: green, with how long and how often."""
    over = replace(
        parent,
        transition=TransitionKind.RESOLVED,
        duration_seconds=resolved.duration_seconds,
        occurrences=resolved.occurrences,
        since=resolved.since,
        next_step=resolved.next_step,
    )
    return render(over, page_url, reference)


def _blocks(message: Message, page_url: str, reference: str, file_id: str) -> Iterator[Block]:
    if message.summary:
        yield _section(_fit_counted(message.summary, _LISTED if message.tells_several else _SUMMARY))
    if message.standing and (lines := standing_lines(message.standing)):
        yield _section("\n".join(_fit_counted(line, _STANDING) for line in lines))
    yield from _fields(message)
    if message.excerpt:
        yield from _excerpt(message.excerpt, message.excerpt_cut)
    if message.next_step:
        yield from _next_step(message.next_step)
    if message.picture and file_id:
        yield _image(message.picture, file_id)
    elif message.picture:
        yield _context(f"Chart: {_fit_counted(message.picture.alt_text, _ALT_TEXT)}")
    if message.evidence:
        yield _context(f"Evidence: {_fit_counted(evidence_list(message), _EVIDENCE)}")
    path, label = _PAGES.get(message.kind, ("", "Open the page"))
    address = _address(page_url.rstrip("/") + path if path else page_url)
    if reference:
        row = actions_block(message, reference, address, label)
        yield from (row,) if row["elements"] else ()
    elif page_url:
        yield _context(f"<{address}|{label}>")


def _image(picture: Picture, file_id: str) -> Block:
    return {
        "type": "image",
        "slack_file": {"id": file_id},
        "alt_text": _cut(picture.alt_text, _ALT_TEXT),
        "title": {"type": "plain_text", "text": _cut(picture.title, _ALT_TEXT)},
    }


def _cut(text: str, limit: int) -> str:
    """Plain text, which Slack reads no markup in; mentions are broken up all the same."""
    return fit(clean_line(text), limit)[0] or "-"


def _fields(message: Message) -> Iterator[Block]:
    pairs = [*when_and_how_often(message), *((fact.label, fact.value) for fact in message.facts)]
    if len(pairs) > _FIELDS:
        left_out = len(pairs) - (_FIELDS - 1)
        pairs = [*pairs[: _FIELDS - 1], ("More", f"{left_out} facts left out")]
    texts = [f"*{_fit_counted(label, _LABEL)}*\n{_fit_counted(value, _VALUE)}" for label, value in pairs]
    for chunk in _in_chunks(texts, 10):
        yield {"type": "section", "fields": [_mrkdwn(text) for text in chunk]}


def _in_chunks(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def _excerpt(excerpt: str, cut_before: int) -> Iterator[Block]:
    limit = MAX_SECTION - 10
    room = limit
    fenced = _fenced(excerpt)
    while len(fenced) > limit:  # escaping lengthens: give it less room, by at least what is over
        room -= max(1, (len(fenced) - limit) // 5)
        fenced = _fenced(without_middle(excerpt, room, cut_before)[0])
    yield _section(fenced)


def _next_step(command: str) -> Iterator[Block]:
    fenced, left_out = fit(command, _NEXT, lambda text: _fenced(text, escape_command))
    yield _section(f"*Next step*\n{fenced}" + (f" … ({left_out:,} characters left out)" if left_out else ""))


def _fenced(text: str, escaped_by: Callable[[str], str] = escape) -> str:
    """Text in a fence that it cannot end by itself."""
    return "```" + escaped_by(text).replace("``", f"`{_BREAK}`{_BREAK}") + "```"


def _address(url: str) -> str:
    return url.replace("|", "%7C").replace(">", "%3E").replace("<", "%3C")[:300]


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text)]}
