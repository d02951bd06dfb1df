"""Errors that no signature knows, told apart by kind: where they were raised and what they say, without what varies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import replace
from datetime import datetime

from kronos_health.domain.logs import ErrorKind
from kronos_health.logs.fingerprint import RAISED, VARIES, VERSION, fingerprint
from kronos_health.logs.levels import after_level
from kronos_health.logs.masking import MASK, mask
from kronos_health.logs.text import RecordText

UNKNOWN = "unknown_error"
MORE_KINDS = "more kinds of errors than are told apart in one scan"
_MESSAGE_CHARS = 300
_RAISED_CHARS = 128
_REMEMBERED = 10_000
_JSON_MESSAGE = re.compile(r"\"(?:message|msg|event|error)\"\s{0,3}:\s{0,3}\"(?P<message>(?:[^\"\\]|\\.){1,2000})")
# What varies beside numbers, times, ids and paths: quoted texts and what is traded.
_PARAMETERS = re.compile(
    rf"(?P<secret>{re.escape(MASK)})"
    r"|(?P<quoted>(?<![\w])'[^'\n]{0,80}'(?!\w)|(?<![\w])\"[^\"\n]{0,80}\"(?!\w))"
    r"|(?P<symbol>\b[A-Z][A-Z0-9]{1,9}[-/_]?(?:USDT|USDC|USD|EUR|GBP|NZD|BTC)\b)"
    rf"|{VARIES.pattern}"
)


def message_of(text: RecordText) -> str:
    """What an error says: the exception's own line where it carries a traceback, else the line after its level."""
    lines = text.searched.split("\n")
    if "(most recent call last):" in text.searched:
        raised = [line.strip(" |") for line in lines if RAISED.match(line)]
        if raised:
            return raised[-1][:_MESSAGE_CHARS]
    if lines[0].startswith("{"):
        found = _JSON_MESSAGE.search(lines[0])
        return (found["message"] if found else lines[0])[:_MESSAGE_CHARS]
    first = after_level(lines[0]).strip()
    # A program may log an empty line or a heading, and what it has to say after it.
    return next((line for line in (first, *map(str.strip, lines[1:])) if line), lines[0])[:_MESSAGE_CHARS]


def parts(message: str) -> Iterator[tuple[str | None, str]]:
    """``message`` cut into what varies, with its kind, and what does not, with ``None``."""
    end = 0
    for found in _PARAMETERS.finditer(message):
        if found.start() > end:
            yield None, message[end : found.start()]
        yield found.lastgroup, found.group()
        end = found.end()
    if end < len(message):
        yield None, message[end:]


def general(message: str) -> str:
    """``message`` with all that varies named by its kind."""
    return "".join(_shown(kind, text) for kind, text in parts(message)).strip()


def _shown(kind: str | None, text: str) -> str:
    if kind is None:
        return text
    return " " if kind == "space" else text if kind == "secret" else f"<{kind}>"


def kind_of(text: RecordText, masked: MutableMapping[str, str] | None = None) -> tuple[str, str]:
    """Fingerprint and general message of an error, secrets masked.

    ``masked`` remembers what was masked before: errors that differ in what varies only are masked once.
    """
    said = message_of(text)
    unmasked = general(said)
    message = masked.get(unmasked) if masked is not None else None
    if message is None:
        message = general(mask(said))  # masked first: half a token would not be known as one
        if masked is not None and len(masked) < _REMEMBERED:
            masked[unmasked] = message
    return fingerprint(UNKNOWN, text.unprefixed, message), message


def new_kind(identity: str, message: str, text: RecordText, record: str, line: int, at: datetime) -> ErrorKind:
    """The first of its kind; ``record`` is its text, secrets masked."""
    raised = RAISED.findall(text.unprefixed)
    return ErrorKind(
        fingerprint=identity,
        fingerprint_version=VERSION,
        raised=raised[-1].rsplit(".", 1)[-1][:_RAISED_CHARS] if raised else None,
        message=message,
        record=record,
        line=line,
        count=0,
        first_at=at,
        last_at=at,
    )


def seen_again(kind: ErrorKind, at: datetime, count: int = 1) -> ErrorKind:
    """``kind`` counted ``count`` times more, the last time at ``at``."""
    return replace(kind, count=kind.count + count, first_at=min(kind.first_at, at), last_at=max(kind.last_at, at))


def merged(kinds: Iterable[ErrorKind]) -> tuple[ErrorKind, ...]:
    """One per fingerprint, the most frequent first."""
    together: dict[str, ErrorKind] = {}
    for kind in kinds:
        known = together.get(kind.fingerprint)
        if known is None:
            together[kind.fingerprint] = kind
        else:
            together[kind.fingerprint] = replace(
                known,
                count=known.count + kind.count,
                first_at=min(known.first_at, kind.first_at),
                last_at=max(known.last_at, kind.last_at),
            )
    return tuple(sorted(together.values(), key=lambda kind: (-kind.count, kind.fingerprint)))
