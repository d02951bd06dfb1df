"""Cuts a log into records: whole events, however many lines they have.

A record begins where :mod:`.lines` sees a start and goes on until the next one, so that carets, chained exceptions,
exception groups and multi-line messages stay whole. Where the open record has no header (plain ``print`` output), every
line that is not indented begins a record of its own, unless a traceback or an unfinished error message is going on.

What is decided about a record depends on nothing before its own first byte: reading on from any record's start gives
the same records as reading the whole log at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from kronos_health.logs.lines import (
    BARE,
    ENVELOPE,
    GLOG,
    HEADER,
    LINE_HEAD,
    OTHER,
    TRACEBACK,
    Bytes,
    Positions,
    classify,
    is_chain,
    is_footer,
    is_quiet,
    kind_of,
    repeats_prefix,
)

# A record is cut at its cap only when so much of what follows is there to look into: no message is lost in the cut.
LOOKAHEAD = 4096
_UNFINISHED_LINES = 8
_ERROR = re.compile(rb"\b\w*(?:Error|Exception|Warning)\b")
_FINISHED = (b".", b"!", b"?", b")", b"]", b"}", b"'", b'"', b">", b";")
_ENVELOPE = re.compile(rb"\A" + ENVELOPE)
_ANSI = re.compile(rb"\x1b\[[\d;]*m")


@dataclass(frozen=True, slots=True)
class Caps:
    """No record is longer: what is left of it is the next record, and the first part is flagged truncated."""

    bytes: int = 1024**2
    lines: int = 2000


@dataclass(frozen=True, slots=True)
class Split:
    """The closed records of a piece of a log; record ``i`` is ``[starts[i], ends[i])``.

    ``lines[i]`` is the number of line breaks before it. ``capped`` holds the indices of records cut at a cap.
    ``consumed`` bytes and ``consumed_lines`` line breaks belong to closed records; the open one starts there.
    """

    starts: Positions
    ends: Positions
    lines: Positions
    capped: frozenset[int]
    consumed: int
    consumed_lines: int


def split(data: bytes | bytearray | memoryview, *, final: bool, caps: Caps) -> Split:
    """Cut ``data``, which begins at a record's start, into records.

    Unless ``final``, the last record stays open. A last line without its line break is not read then; but if it begins
    with a header, the record before it has ended.
    """
    array = np.frombuffer(data, np.uint8)
    breaks = np.flatnonzero(array == 10)
    whole = int(breaks[-1]) + 1 if len(breaks) else 0
    if not final and whole and kind_of(array[whole : whole + LINE_HEAD].tobytes()) == HEADER:
        return split(memoryview(data)[:whole], final=True, caps=caps)
    end = len(array) if final or len(array) - whole > caps.bytes + LOOKAHEAD else whole
    starts = np.concatenate([np.zeros(1, np.int64), breaks + 1])
    starts = starts[starts < end]
    cutter = _Cutter(array, starts, classify(array, starts), end, final, caps)
    begins, lines, capped = cutter.cut()
    if final or not len(begins):
        consumed, count = end if len(begins) else 0, len(begins)
    else:
        consumed, count = int(begins[-1]), len(begins) - 1
    ends = np.append(begins[1:], end)[:count]
    return Split(
        begins[:count],
        ends,
        lines[:count],
        frozenset(np.searchsorted(begins, sorted(capped)).tolist()) if capped else frozenset(),
        consumed,
        int(np.searchsorted(breaks, consumed)),
    )


def plain_line(data: bytes) -> bytes:
    """The first line of ``data`` without colours, line break, and what stands around a program's own line."""
    return _ENVELOPE.sub(b"", _ANSI.sub(b"", data.split(b"\n", 1)[0]).rstrip(b"\r"))


@dataclass(slots=True)
class _Piece:
    """The record that is open while lines without a start of their own are gone through."""

    start: int
    line: int
    loose: bool  # it has no header: any line may begin the next one
    frames: bool = False  # inside a traceback, before its exception line
    raised: bool = False  # the traceback's exception line has been seen
    last: bytes = b""
    unfinished: int = 0


class _Cutter:
    """One cutting of one piece of a log: settles what cannot be decided for all lines at once."""

    def __init__(self, array: Bytes, starts: Positions, kinds: np.ndarray[Any, Any], end: int, final: bool, caps: Caps):
        self.array, self.starts, self.kinds = array, starts, kinds
        self.end, self.final, self.caps = end, final, caps
        self.headers = np.flatnonzero(kinds == HEADER)
        self.marked = np.flatnonzero(kinds != OTHER)
        self.begins = kinds == HEADER
        self.inner: list[tuple[int, int]] = []  # starts inside a line: (byte, line)
        self.capped: set[int] = set()  # first bytes of records that were cut
        self.open_from: int | None = None  # a cut must wait for more to look into
        self.piece: _Piece | None = None

    def cut(self) -> tuple[Positions, Positions, set[int]]:
        """First bytes and lines of all records, the open one included, and the first bytes of those cut."""
        if not len(self.starts):
            return self.starts, self.starts, set()
        for line in self._special():
            self._settle(line)
        self._check_caps()
        begins = np.flatnonzero(self.begins)
        lines, first = begins, self.starts[begins]
        if self.inner:
            extra = np.array(self.inner, np.int64)
            first, lines = np.append(first, extra[:, 0]), np.append(lines, extra[:, 1])
            order = np.argsort(first)
            first, lines = first[order], lines[order]
        if self.open_from is not None:
            known = first <= self.open_from
            first, lines = first[known], lines[known]
        return first, lines, self.capped

    def _special(self) -> list[int]:
        special = np.flatnonzero(self.kinds > HEADER).tolist()
        if self.kinds[0] == OTHER:
            special.insert(0, 0)
        return special

    def _text(self, line: int) -> bytes:
        start = int(self.starts[line])
        return plain_line(self.array[start : start + LINE_HEAD].tobytes())

    def _line_end(self, line: int) -> int:
        return int(self.starts[line + 1]) if line + 1 < len(self.starts) else self.end

    def _settle(self, line: int) -> None:
        """Decide whether the special ``line`` begins a record, and go through the headless lines after it."""
        kind = int(self.kinds[line])
        piece = self._open_at(line)
        continues = piece is not None and self._continues(kind, line, piece)
        if piece is None or not continues:
            self.begins[line] = True
            piece = _Piece(int(self.starts[line]), line, loose=kind in {OTHER, TRACEBACK, BARE})
        if kind == TRACEBACK:
            piece.frames, piece.raised = True, False
        piece.last = self._text(line)
        self._extend(piece, line, self._stop(line))
        self.piece = piece

    def _open_at(self, line: int) -> _Piece | None:
        """The record that is open just before ``line``, cut at its caps where it is longer."""
        if line == 0:
            return None
        index = int(np.searchsorted(self.headers, line)) - 1
        header = int(self.headers[index]) if index >= 0 else -1
        if self.piece is not None and self.piece.line >= header:
            return self.piece
        piece = _Piece(int(self.starts[header]), header, loose=False)
        self._extend(piece, header, line)
        return piece

    def _continues(self, kind: int, line: int, piece: _Piece) -> bool:
        if kind == GLOG:
            first = self.array[piece.start : piece.start + LINE_HEAD].tobytes().split(b"\n", 1)[0]
            return repeats_prefix(first, self.array[int(self.starts[line]) :][:LINE_HEAD].tobytes())
        if kind != TRACEBACK:
            return False
        if piece.frames or piece.raised:
            return is_chain(piece.last)
        return not is_quiet(self._text(piece.line))

    def _stop(self, line: int) -> int:
        """The next line that is a start or must be settled."""
        index = int(np.searchsorted(self.marked, line, side="right"))
        return int(self.marked[index]) if index < len(self.marked) else len(self.starts)

    def _extend(self, piece: _Piece, line: int, stop: int) -> None:
        """Give ``piece`` the lines from ``line`` up to ``stop``, beginning new ones where they must."""
        while line < stop:
            if self._cap(piece, line):
                continue
            line += 1
            if line < stop and self._begins_anew(piece, line):
                self.begins[line] = True
                self._restart(piece, int(self.starts[line]), line)
                piece.last = self._text(line)

    def _cap(self, piece: _Piece, line: int) -> bool:
        """Cut ``piece`` before or within ``line`` if it would pass a cap."""
        start = int(self.starts[line])
        if self._line_end(line) - piece.start > self.caps.bytes:
            cut = start if start > piece.start else self._inside(piece.start)
        elif line - piece.line >= self.caps.lines:
            cut = start
        else:
            return False
        if not self.final and len(self.array) - cut < LOOKAHEAD:
            self.open_from = min(piece.start, piece.start if self.open_from is None else self.open_from)
        self.capped.add(piece.start)
        if cut == start:
            self.begins[line] = True
        else:
            self.inner.append((cut, line))
        self._restart(piece, cut, line)
        return True

    def _inside(self, start: int) -> int:
        """Where to cut a single line that is too long: at the cap, or before a UTF-8 character that straddles it."""
        cut = start + self.caps.bytes
        for back in range(4):
            if cut - back > start and self.array[cut - back] & 0xC0 != 0x80:
                return cut - back
        return cut

    def _restart(self, piece: _Piece, start: int, line: int) -> None:
        piece.start, piece.line, piece.loose = start, line, True
        piece.frames = piece.raised = False
        piece.last, piece.unfinished = b"", 0

    def _begins_anew(self, piece: _Piece, line: int) -> bool:
        """Whether a line without a start of its own begins a record all the same: only after a headless one."""
        text = self._text(line)
        if not text.strip():
            return False
        indented = text[:1] in b" \t|+\x00"
        chained, previous = is_chain(piece.last), piece.last
        piece.last = text
        if not piece.loose or indented or is_chain(text) or is_footer(text):
            return False
        if piece.frames:
            piece.frames, piece.raised = False, True  # the exception line
            return False
        if chained:
            return False
        if piece.raised or piece.unfinished or _ERROR.search(previous):
            piece.unfinished += 1
            return previous.rstrip().endswith(_FINISHED) or piece.unfinished > _UNFINISHED_LINES
        return True

    def _check_caps(self) -> None:
        """Cut the records that are too long among those that needed no settling."""
        begins = np.flatnonzero(self.begins)
        first = self.starts[begins]
        long = (np.diff(np.append(first, self.end)) > self.caps.bytes) | (
            np.diff(np.append(begins, len(self.starts))) > self.caps.lines
        )
        for index in np.flatnonzero(long).tolist():
            line = int(begins[index])
            stop = int(begins[index + 1]) if index + 1 < len(begins) else len(self.starts)
            if int(self.starts[line]) not in self.capped:
                self._extend(_Piece(int(self.starts[line]), line, loose=False), line, stop)
