"""The records of a block that hold a hit, without cutting the whole block into records.

What is decided about a record depends on nothing before its own first byte, and a header always begins one (see
:mod:`.records`). So only the *stretch* around a hit is cut, from the last header before it to the next one after it.
That is the same as cutting all there is, but for records that are too long and hold no hit: a block in which headers
are so far apart that there may be one is left to :func:`.records.split`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kronos_health.logs.levels import glog_errors
from kronos_health.logs.lines import HEADER, LINE_HEAD, OTHER, TRACEBACK, Bytes, Positions, is_quiet, kind_of
from kronos_health.logs.records import Caps, plain_line, split

_STEP = 1024
_CHUNKS = (64 * 1024, 16 * 1024)
_PIECE = 256 * 1024  # what is gone through at once: few calls, and still in the processor's cache
_TRIES = 64  # lines looked at for a header
_FIRST = np.zeros(1, np.int64)
HEADS = 200  # of the records before one that carries no time


@dataclass(frozen=True, slots=True)
class Survey:
    """A block up to ``end``, which is the start of its last header: line breaks per chunk, and whether all is ASCII.

    ``glog`` are the lines that may be glog's errors, see :func:`.levels.glog_errors`; ``line_breaks`` are all of them,
    where they were asked for.
    """

    data: memoryview
    end: int
    chunk: int
    breaks: tuple[int, ...]  # before each chunk, and at last all
    ascii: bool
    glog: Positions
    line_breaks: Positions | None = None

    def line_of(self, position: int) -> int:
        """How many line breaks stand before ``position``."""
        index = position // self.chunk
        array = np.frombuffer(self.data[index * self.chunk : position], np.uint8)
        return self.breaks[index] + int(np.count_nonzero(array == 10))


def survey(data: memoryview, caps: Caps, *, line_breaks: bool = False) -> Survey | None:
    """What is to be known of ``data``, which begins at a record's start; ``None`` where it must be cut as a whole."""
    end = last_header(data)
    if end <= 0:
        return None
    tries = (_surveyed(data, end, chunk, caps, line_breaks) for chunk in _CHUNKS)
    return next((found for found in tries if found is not None), None)


def _surveyed(data: memoryview, end: int, chunk: int, caps: Caps, line_breaks: bool) -> Survey | None:
    array, chunk = np.frombuffer(data, np.uint8), min(chunk, caps.bytes // 2)
    # Between the headers of two chunks that follow each other lies less than both of them.
    if chunk < LINE_HEAD or not all(_has_header(data, at, at + chunk) for at in range(0, end - chunk, chunk)):
        return None
    step = max(_PIECE // chunk, 1) * chunk
    counts, plain, marked, found, same = [0], True, [_FIRST], [], np.empty(step, np.bool_)
    for start in range(0, end, step):
        piece = array[start : min(start + step, end)]
        breaks = np.equal(piece, 10, out=same[: len(piece)])
        plain = plain and int(piece.max()) < 128
        if line_breaks:
            at = np.flatnonzero(breaks)
            here = np.diff(np.searchsorted(at, np.arange(0, len(piece) + chunk, chunk))).tolist()
            found.append(at + start)
            marked.append(found[-1] + 1)
        else:
            here = [int(np.count_nonzero(breaks[inner : inner + chunk])) for inner in range(0, len(piece), chunk)]
            marked.append(_perhaps_glog(piece, breaks) + start)
        counts += here
    if any(last + here >= caps.lines for last, here in itertools.pairwise(counts)):
        return None
    lines = np.concatenate(marked)
    lines = lines[lines < end]
    glog = lines[glog_errors(array, lines)]
    total = tuple(itertools.accumulate(counts))
    return Survey(data, end, chunk, total, plain, glog, np.concatenate(found) if line_breaks else None)


def _perhaps_glog(piece: Bytes, breaks: np.ndarray[Any, np.dtype[np.bool_]]) -> Positions:
    """Where lines begin with E or F, which is what glog writes before errors; one that ends the piece always."""
    last = bool(breaks[-1])
    breaks[:-1] &= piece[1:] - np.uint8(69) < 2
    at = np.flatnonzero(breaks[:-1]) + 1
    return np.append(at, len(piece)) if last else at


def _has_header(data: memoryview, start: int, end: int) -> bool:
    """Whether a header is found soon after ``start``, which may be anywhere in a line."""
    for _ in range(_TRIES):
        start = next_line(data, start, end)
        if start >= end:
            return False
        if kind_at(data, start) == HEADER:
            return True
    return False


def last_header(data: memoryview) -> int:
    """Where the last line begins that is a header, torn or not; -1 where it is not near the end."""
    start = len(data)
    for _ in range(_TRIES):
        start = line_start(data, start, 0)
        if start < len(data) and kind_at(data, start) == HEADER:
            return start
        if start == 0:
            break
        start -= 1
    return -1


def kind_at(data: memoryview, start: int) -> int:
    """The kind of the line that begins at ``start``."""
    return kind_of(bytes(data[start : start + LINE_HEAD]))


def line_start(data: memoryview, position: int, floor: int) -> int:
    """Where the line begins that ``position`` is in, at least ``floor``."""
    while position > floor:
        begin = max(position - _STEP, floor)
        found = bytes(data[begin:position]).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        position = begin
    return floor


def next_line(data: memoryview, position: int, end: int) -> int:
    """Where the line after the one that ``position`` is in begins, at most ``end``."""
    while position < end:
        found = bytes(data[position : min(position + _STEP, end)]).find(b"\n")
        if found >= 0:
            return position + found + 1
        position += _STEP
    return end


def stretch(data: memoryview, position: int, floor: int, end: int) -> tuple[int, int]:
    """From the header before ``position`` to the one after it; ``floor`` is a record's start, ``end`` a header."""
    start = line_start(data, position, floor)
    while start > floor and kind_at(data, start) != HEADER:
        start = line_start(data, start - 1, floor)
    stop = next_line(data, position, end)
    while stop < end and kind_at(data, stop) != HEADER:
        stop = next_line(data, stop, end)
    return start, stop


def is_one_record(data: memoryview, start: int, end: int, caps: Caps) -> bool:
    """Whether a stretch is surely a single record: a header, lines that continue it, and at most its traceback."""
    if end - start > caps.bytes or kind_at(data, start) != HEADER:
        return False
    tracebacks = 0
    for count, line in enumerate(_lines_after(data, start, end), start=1):
        kind = OTHER if data[line] == 32 and data[min(line + 2, end - 1)] != 43 else kind_at(data, line)
        tracebacks += kind == TRACEBACK
        if kind not in {OTHER, TRACEBACK} or tracebacks > 1 or count >= caps.lines:
            return False
    return not tracebacks or not is_quiet(plain_line(bytes(data[start : start + LINE_HEAD])))


def _lines_after(data: memoryview, start: int, end: int) -> Iterator[int]:
    while (start := next_line(data, start, end)) < end:
        yield start


def heads_before(data: memoryview, position: int, caps: Caps) -> list[bytes]:
    """First lines of the records before ``position``, a record's start; nearest first, 200 at most."""
    start, headers = position, 0
    while start > 0 and headers < HEADS:
        start = line_start(data, start - 1, 0)
        headers += kind_at(data, start) == HEADER
    starts = split(data[start:position], final=True, caps=caps).starts[::-1][:HEADS]
    return [first_line(data, start + begin) for begin in starts.tolist()]


def first_line(data: memoryview, start: int) -> bytes:
    """The first line of the record that begins at ``start``, as far as a time may stand in it."""
    return bytes(data[start : start + 200]).split(b"\n", 1)[0]


def last_record(data: memoryview, end: int, caps: Caps) -> int:
    """Where the record begins that ends at ``end``, a header's start."""
    start, stop = stretch(data, end - 1, 0, end)
    if is_one_record(data, start, stop, caps):
        return start
    return start + int(split(data[start:stop], final=True, caps=caps).starts[-1])
