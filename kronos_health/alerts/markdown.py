"""A message as Markdown (CommonMark), for services that render it and for mail, where it becomes HTML.

What came from a log is data: outside code every character that could be markup is escaped and no mention is left whole;
code stands in a fence that its text cannot end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kronos_health.alerts.messages import headline
from kronos_health.alerts.plain import evidence_list, when_and_how_often
from kronos_health.alerts.text import without_middle
from kronos_health.domain.alerts import Message

_MARKUP = re.compile(r"([!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])")
_BREAK = "\u2060"  # word joiner: invisible, and neither a name nor a link goes on after it
_BACKTICKS = re.compile(r"`{3,}")


def markdown(message: Message, page_url: str = "", excerpt_limit: int = 2_000) -> str:
    """Everything below the headline, which is the title of its own in every service."""
    return "\n\n".join(_parts(message, page_url, excerpt_limit))


def escape(text: str) -> str:
    """``text`` so that it is shown as it is: no markup, no HTML, no link, no mention."""
    return _MARKUP.sub(r"\\\1", text).replace("\\@", f"\\@{_BREAK}").replace("\\:\\/\\/", f"\\:{_BREAK}\\/\\/")


def title(message: Message) -> str:
    """The headline in one line, with no mention in it; services show it as plain text."""
    return " ".join(headline(message).split()).replace("@", f"@{_BREAK}")


def _parts(message: Message, page_url: str, excerpt_limit: int) -> Iterator[str]:
    if message.summary:
        yield escape(message.summary)
    pairs = [*when_and_how_often(message), *((fact.label, fact.value) for fact in message.facts)]
    if pairs:
        yield "\n".join(f"- **{escape(label)}**: {escape(_line(value))}" for label, value in pairs)
    if message.excerpt:
        shown, _left_out = without_middle(message.excerpt, excerpt_limit, message.excerpt_cut)
        yield _fenced(shown)
    if message.next_step:
        yield f"**Next step**\n\n{_fenced(message.next_step)}"
    if message.evidence:
        yield f"Evidence: {escape(evidence_list(message))}"
    if page_url:
        yield f"Page: <{page_url}>" if page_url.startswith(("http://", "https://")) else f"Page: {escape(page_url)}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _fenced(text: str) -> str:
    """Text in a fence longer than any row of backticks in it."""
    longest = max((len(found) for found in _BACKTICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"
