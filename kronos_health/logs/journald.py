"""Reads as text what ``journalctl -o export`` and ``-o json`` write, and docker's ``json-file``: a message per entry.

The text of an entry takes exactly as many bytes as the entry itself, filled up with NUL, which no reader sees: offsets
are those of the file, and a cursor goes on in it as in any log. Formats: systemd's "Journal Export Formats"
(https://systemd.io/JOURNAL_EXPORT_FORMATS/).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from kronos_health.logs.content import Content
from kronos_health.logs.errors import LogProblem
from kronos_health.logs.generation import LONGEST_TAIL
from kronos_health.logs.lines import OTHER, kind_of
from kronos_health.logs.opening import OpenLog
from kronos_health.logs.records import Caps, split

_FIELDS = (
    b"MESSAGE", b"__REALTIME_TIMESTAMP", b"_HOSTNAME", b"_SYSTEMD_UNIT", b"_SYSTEMD_USER_UNIT", b"SYSLOG_IDENTIFIER",
    b"_COMM", b"_PID", b"_TRANSPORT", b"_STREAM_ID",
)  # fmt: skip
_LINES = re.compile(rb"(?:[A-Z_][A-Z0-9_]*=[^\n]*\n)+")
_PLAIN = re.compile(_LINES.pattern + rb"\n")
_WANTED = re.compile(rb"^(%b)=([^\n]*)" % b"|".join(_FIELDS), re.MULTILINE)
_NAME = re.compile(rb"[A-Z_][A-Z0-9_]{0,63}")
_START = re.compile(rb"[A-Z_][A-Z0-9_]*(?:[=\n]|\Z)|\{|\n")
_NEXT = re.compile(rb"\n\n(?=[A-Z_][A-Z0-9_]*=)|\n(?=\{\")")
_BEGINNING = re.compile(rb"\s*(?:[A-Z_][A-Z0-9_]*[=\n]|\{)")
_DOCKER = re.compile(rb'\{"log": ?"')
_OPEN = b"2000-01-01 00:00 "  # looks like the header of a record whose rest is not read yet


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry at ``[start, end)`` of what was parsed; ``fields`` are those that are needed."""

    start: int
    end: int
    fields: dict[bytes, bytes]

    @property
    def message(self) -> bytes:
        """Its text, which ends with a line break."""
        return self.fields.get(b"MESSAGE", b"").rstrip(b"\n") + b"\n"

    @property
    def stream(self) -> tuple[bytes, ...] | None:
        """Where a program's own lines come from; ``None``: the entry is a whole message."""
        if self.fields.get(b"_TRANSPORT", b"stdout") != b"stdout":
            return None
        return tuple(self.fields.get(name, b"") for name in (b"_STREAM_ID", b"_HOSTNAME", b"_PID", b"_SYSTEMD_UNIT"))


def check_journal(log: OpenLog) -> None:
    """Return if ``log`` begins like an export of the journal. Raises :class:`LogProblem`."""
    if not _BEGINNING.match(log.head):
        raise LogProblem(
            f"{log.path} is no export of the journal. Write it with journalctl -o export or -o json, or remove "
            "format from its source."
        )


def is_enveloped(log: OpenLog) -> bool:
    """Whether ``log`` is one of docker's ``json-file``, which nobody has to say."""
    return _DOCKER.match(log.head) is not None


class JournalText:
    """The text of a journal's export, at the offsets of its entries.

    ``tail`` is what stands before the first offset that is read. With ``whole_entries`` one whose end is missing is not
    read yet.
    """

    def __init__(self, content: Content, tail: bytes, *, whole_entries: bool) -> None:
        self._content, self._whole = content, whole_entries
        self._before, self._offset, self._raw = tail, -1, b""

    @property
    def compression(self) -> str | None:
        """See :class:`Content`."""
        return self._content.compression

    @property
    def known_size(self) -> int | None:
        """See :class:`Content`."""
        return self._content.known_size

    @property
    def damage(self) -> str | None:
        """See :class:`Content`."""
        return self._content.damage

    def read(self, offset: int, length: int) -> memoryview:
        """At most ``length`` bytes of text from ``offset``, where an entry begins; at the end only whole entries."""
        self._before = self.before(offset, LONGEST_TAIL)
        self._offset, self._raw = offset, bytes(self._content.read(offset, length))
        return memoryview(self._text(more=len(self._raw) == length))

    def before(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes of the file itself before ``offset``, which was read last."""
        if self._offset < 0:
            return self._before[-length:] if length else b""
        known = self._before + self._raw[: offset - self._offset]
        return known[-length:] if length else b""

    def _text(self, *, more: bool) -> bytes:
        raw, position, text = self._raw, 0, b""
        if raw and not _START.match(raw):  # within an entry that was longer than what is read at once
            found = _NEXT.search(raw)
            if not found and self._whole and not more:
                return b""
            position = found.end() if found else len(raw)
            text = b"\0" * (position - 1) + (b"\n" if found else b"\0")
        entries = list(_joined(_entries(raw, position)))
        text += b"".join(_rendered(entries))
        rest = len(raw) - len(text)
        if rest and more:
            text += _placeholder(raw, len(text)) if not entries else (_OPEN[:rest]).ljust(rest, b"\0")
        elif rest and not self._whole:
            text += _placeholder(raw, len(text))
        return text


def _placeholder(raw: bytes, start: int) -> bytes:
    """What is known of an entry whose end is missing."""
    fields = dict(_fields(raw, start, [])) or {b"MESSAGE": raw[start:]}
    return _one(Entry(start, len(raw), fields), begins=True)


def _entries(raw: bytes, position: int) -> Iterator[Entry]:
    """The whole entries of ``raw`` from ``position``."""
    while position < len(raw):
        plain = _PLAIN.match(raw, position)
        if plain:
            entry = Entry(position, plain.end(), dict(_WANTED.findall(raw, position, plain.end())))
        elif raw[position] in b"{\n":
            end = raw.find(b"\n", position) + 1
            if not end:
                return
            entry = Entry(position, end, _of_json(raw[position:end]))
        else:
            ends: list[int] = []
            fields = dict(_fields(raw, position, ends))
            if not ends:
                return
            entry = Entry(position, ends[0], fields)
        yield entry
        position = entry.end


def _joined(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Entries with those put together that are parts of one line; a line whose end is missing is left out."""
    part: Entry | None = None
    for entry in entries:
        if part is not None and part.stream == entry.stream:
            fields = {**entry.fields, b"MESSAGE": part.fields[b"MESSAGE"] + entry.fields.get(b"MESSAGE", b"")}
            entry = Entry(part.start, entry.end, fields)
        elif part is not None:
            yield part
        part = entry if b"PART" in entry.fields else None
        if part is None:
            yield entry


def _fields(raw: bytes, position: int, ends: list[int]) -> Iterator[tuple[bytes, bytes]]:
    """The needed fields of the entry at ``position``, also binary ones; its end goes into ``ends`` if it is there."""
    while True:
        lines = _LINES.match(raw, position)
        if lines:
            yield from _WANTED.findall(raw, position, lines.end())
            position = lines.end()
        stop = raw.find(b"\n", position)
        if stop < 0:
            return
        name, position = raw[position:stop], stop + 1
        if not name:
            ends.append(position)
            return
        if not _NAME.fullmatch(name):
            continue  # no field at all: passed over
        begin = position + 8
        position = begin + int.from_bytes(raw[position:begin], "little") + 1
        if name in _FIELDS:
            yield name, raw[begin : position - 1]
        if position > len(raw):
            return


def _of_json(line: bytes) -> dict[bytes, bytes]:
    try:
        values = json.loads(line) if line.strip() else {}
    except ValueError:
        return {b"MESSAGE": line}
    if not isinstance(values, dict):
        return {b"MESSAGE": line}
    if "log" in values and "stream" in values:
        return _of_docker(values)
    found = {name: _bytes(values[key]) for name in _FIELDS if values.get(key := name.decode()) is not None}
    return found or {b"MESSAGE": line}


def _of_docker(values: Mapping[str, Any]) -> dict[bytes, bytes]:
    """A line of docker's ``json-file``: a piece of a line where its text does not end with a line break."""
    text = _bytes(values["log"])
    fields = {b"MESSAGE": text, b"_STREAM_ID": _bytes(values.get("stream", "")), b"DOCKER": b"1"}
    with suppress(ValueError, TypeError):
        at = datetime.fromisoformat(str(values.get("time")))
        fields[b"__REALTIME_TIMESTAMP"] = str(int(at.timestamp() * 1e6)).encode()
    return fields if text.endswith(b"\n") else {**fields, b"PART": b"1"}


def _bytes(value: Any) -> bytes:
    """A value of the JSON format: text, a list of bytes where it is none, or a list of several values."""
    if isinstance(value, list):
        with suppress(TypeError, ValueError):
            return bytes(value)
        return _bytes(value[0]) if value else b""
    return str(value).encode(errors="replace")


def _rendered(entries: list[Entry]) -> Iterator[bytes]:
    """The text of each entry; one that goes on with the record of the entry before it carries no header."""
    run: list[Entry] = []
    last: tuple[bytes, ...] | None = None
    for entry in entries:
        stream = entry.stream
        if run and (stream is None or stream != last):
            yield from _run(run)
            run = []
        run.append(entry)
        last = stream
    yield from _run(run)


def _run(run: list[Entry]) -> Iterator[bytes]:
    """Entries of one stream, cut into records as a log of these lines would be."""
    begins = {0}
    if len(run) > 1:
        begins = set(split(b"".join(entry.message for entry in run), final=True, caps=Caps()).starts.tolist())
    place = 0
    for entry in run:
        yield _one(entry, begins=place in begins)
        place += len(entry.message)


def _one(entry: Entry, *, begins: bool) -> bytes:
    length = entry.end - entry.start
    if not entry.fields:
        return b"\n".rjust(length, b"\0")
    # NUL hides the beginning of a line from the search for records: all of this is one.
    lines = entry.message[:-1].split(b"\n")
    joined = b"\n".join(b"\0" + line if kind_of(line) != OTHER else line for line in lines[1:])
    text = _header(entry.fields) + lines[0] if begins else b"\0" + lines[0]
    text = text + b"\n" + joined if len(lines) > 1 else text
    return text[: length - 1].ljust(length - 1, b"\0") + b"\n"


def _header(fields: dict[bytes, bytes]) -> bytes:
    written = fields.get(b"__REALTIME_TIMESTAMP", b"")
    at = b"%b.%bZ" % (_second(written[:-6]), written[-6:].rjust(6, b"0"))
    if b"DOCKER" in fields:
        return at + b" "
    names = (b"_SYSTEMD_UNIT", b"_SYSTEMD_USER_UNIT", b"SYSLOG_IDENTIFIER", b"_COMM")
    name = next((fields[key] for key in names if fields.get(key)), b"journal")
    pid = b"[%b]" % fields[b"_PID"] if fields.get(b"_PID") else b""
    return b"%b %b %b%b: " % (at, fields.get(b"_HOSTNAME") or b"-", name, pid)


@lru_cache(maxsize=1024)
def _second(since_epoch: bytes) -> bytes:
    """The date and time of a second; what is none is before any time that counts."""
    with suppress(ValueError, OverflowError, OSError):
        return f"{datetime.fromtimestamp(int(since_epoch), UTC):%Y-%m-%dT%H:%M:%S}".encode()
    return b"1970-01-01T00:00:00"
