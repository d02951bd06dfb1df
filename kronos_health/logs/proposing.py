"""A ready catalogue entry for an error that no signature knows: what varies is generalised, its example a comment."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from kronos_health.domain.logs import Severity
from kronos_health.logs.entries import Entry, signature
from kronos_health.logs.errors import CatalogueError
from kronos_health.logs.text import RecordText
from kronos_health.logs.unknown import general, message_of, parts

_PATTERNS = {
    "secret": r"\S+",
    "quoted": r"""(?:'[^'\n]*'|"[^"\n]*")""",
    "symbol": r"[A-Z][A-Z0-9/_-]+",
    "time": r"\d{4}-\d\d-\d\d[ T][\d:.,]+",
    "id": r"[0-9a-fA-F-]{36}",
    "hex": r"(?:0x)?[0-9a-fA-F]+",
    "path": r"[\w./@+-]+",
    "number": r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?",
    "space": " ",  # in a catalogue, any white space
}
_LONGEST = 200
_TITLE_CHARS = 100
_EXAMPLE_LINES = 12
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_WORD = re.compile(r"[!-~]{4,}")


@dataclass(frozen=True, slots=True)
class Seen:
    """A kind of error as it is stored: ``record`` is an example, secrets masked."""

    fingerprint: str
    source: str
    record: str
    count: int
    first_at: datetime
    last_at: datetime


def propose(seen: Seen, taken: Collection[str]) -> str:
    """The TOML of a signature that finds ``seen``, under a name that is not in ``taken``.

    Raises :class:`CatalogueError` where the error says nothing that a signature could hold on to.
    """
    text = RecordText(seen.record)
    message = _shortened(message_of(text))
    pieces = list(parts(message))
    words = [word for kind, piece in pieces if kind is None for word in _WORD.findall(piece)]
    if not words:
        raise CatalogueError(
            f"{seen.fingerprint}: {message!r} holds no word that every such line has; write one by hand."
        )
    name = _name(words, taken)
    title = _one_line(general(message))[:_TITLE_CHARS] or name
    table: dict[str, object] = {
        "name": name,
        "severity": Severity.WARNING.value,
        "title": title,
        "literals": [max(words, key=len)],
        "regex": ["".join(_PATTERNS[kind] if kind else re.escape(piece) for kind, piece in pieces)],
    }
    if signature(Entry("proposal", name, table, "name")).find(text.searched) is None:
        raise CatalogueError(
            f"{seen.fingerprint}: no expression of its own words finds {message!r}; write one by hand."
        )
    return "\n".join(
        (*_comment(seen), "[[signatures]]", *(f"{key} = {_toml(value)}" for key, value in table.items()), "")
    )


def _shortened(message: str) -> str:
    """The first line, cut between words: what comes late in a message varies most."""
    line = message.split("\n", 1)[0].strip()
    return line if len(line) <= _LONGEST else line[:_LONGEST].rsplit(" ", 1)[0]


def _name(words: Collection[str], taken: Collection[str]) -> str:
    cleaned = [re.sub(r"\W+", "_", word, flags=re.ASCII).strip("_").lower() for word in words]
    name = "_".join([word for word in cleaned if word][:5])[:48].strip("_")
    if not name or not name[0].isalpha():
        name = f"error_{name}".rstrip("_")
    number, unique = 2, name
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique


def _comment(seen: Seen) -> list[str]:
    times = "once" if seen.count == 1 else f"{seen.count:,} times"
    lines = _CONTROL.sub("", seen.record.replace("\r", "\n")).split("\n")
    shown = [line[:300] for line in lines[:_EXAMPLE_LINES]]
    more = [f"… {len(lines) - _EXAMPLE_LINES} more lines"] if len(lines) > _EXAMPLE_LINES else []
    when = f"{seen.first_at:%Y-%m-%d %H:%M} to {seen.last_at:%Y-%m-%d %H:%M} UTC"
    return [
        f"# Proposed for {seen.fingerprint}: seen {times} in {_one_line(seen.source)}, {when}. An example:",
        *(f"#   {line}".rstrip() for line in (*shown, *more)),
    ]


def _one_line(text: str) -> str:
    return " ".join(_CONTROL.sub("", text).split())


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    text = str(value)
    if "\\" in text and "'" not in text and not _CONTROL.search(text):
        return f"'{text}'"  # a literal text, in which backslashes are backslashes
    return _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(text, ensure_ascii=False))
