"""Reads one file on from an offset: blocks, records, hits. What is in the hits is the caller's."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kronos_health.logs.content import Content
from kronos_health.logs.generation import LONGEST_TAIL, TAIL_LENGTH
from kronos_health.logs.levels import glog_errors
from kronos_health.logs.lines import Positions
from kronos_health.logs.matcher import Matcher
from kronos_health.logs.records import LOOKAHEAD, Caps, Split, split
from kronos_health.logs.stretches import (
    HEADS,
    Survey,
    first_line,
    heads_before,
    is_one_record,
    last_record,
    stretch,
    survey,
)

_SMALLEST_BLOCK = 4 * 1024**2
_ZERO = np.zeros(1, np.int64)
_NONE = np.empty(0, np.int64)
_LOST = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record with a hit. ``raw`` holds a little of what follows where it was cut; ``own`` bytes are its own.

    ``before`` gives the first lines of the records before it, nearest first: for the time of one that carries none.
    """

    start: int
    end: int
    line: int
    raw: bytes
    own: int
    truncated: bool
    before: Callable[[], list[bytes]]


@dataclass(slots=True)
class Budget:
    """What one scan may still read; ``clock`` is monotonic."""

    bytes: int
    deadline: float
    events: int
    clock: Callable[[], float]

    def spent(self) -> bool:
        """Whether to stop before the next block."""
        return self.bytes <= 0 or self.events <= 0 or self.clock() >= self.deadline


@dataclass(slots=True)
class Progress:
    """How far a file was read. ``tail`` is what stands before ``offset``; ``stopped`` by the budget, not by the end."""

    offset: int
    line: int
    tail: bytes = b""
    bytes: int = 0
    lines: int = 0
    records: int = 0
    undecodable: int = 0
    truncated: int = 0
    stopped: bool = False
    ended: bool = False


Take = Callable[[RawRecord], int]


class Bulk(Protocol):
    """Takes records that are one plain line each, many at once."""

    def wants_line_breaks(self, hits: Positions) -> bool:
        """Whether so many ``hits`` are read faster where the survey says where all lines of the block end."""
        ...

    def read(self, surveyed: Survey, hits: Positions, offset: int) -> tuple[Positions, int]:
        """Read what stands at ``hits``; returns those that are left for :data:`Take`, and how many records were read.

        ``offset`` is the block's place in the file.
        """
        ...

    def keep(self) -> int:
        """Add what was read to what was taken one by one of the same block; returns how many events that makes."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read. ``take`` gets each record with a hit and returns how many events it stored of it.

    ``closes`` is asked at the end of the file whether the last record has ended; with ``whole_lines`` it has not while
    its last line has no line break. With ``counts_records`` every record is cut out to be counted; without, only those
    around hits are, which is several times faster and gives the same for each of them.
    """

    content: Content
    matcher: Matcher
    caps: Caps
    encoding: str
    take: Take
    closes: Callable[[], bool]
    whole_lines: bool
    counts_records: bool = True
    bulk: Bulk | None = None

    def run(self, progress: Progress, budget: Budget) -> None:
        """Read on until the end of the file or of the budget; at least one block is read."""
        with _collector_at_rest():
            self._run(progress, budget)

    def _run(self, progress: Progress, budget: Budget) -> None:
        block = max(_SMALLEST_BLOCK, 4 * (self.caps.bytes + LOOKAHEAD))
        while True:
            data = self.content.read(progress.offset, block)
            at_end = len(data) < block
            torn = self.whole_lines and len(data) > 0 and data[-1] != 10
            final = at_end and not torn and self.closes()
            begin = progress.offset
            surveyed = self._near(data, progress, budget)
            if surveyed is None or at_end:
                self._take_all(data, 0 if surveyed is None else surveyed.end, final, progress, budget)
            budget.bytes -= progress.offset - begin
            if at_end:
                progress.ended = final
                return
            if budget.spent():
                progress.stopped = True
                return

    def _take_all(self, block: memoryview, start: int, final: bool, progress: Progress, budget: Budget) -> None:
        """Cut what stands from ``start`` on into records, and take those with a hit."""
        data = block[start:]
        pieces = split(data, final=final, caps=self.caps)
        cut = _Cut(data, 0, pieces, progress.line, lambda: heads_before(block, start, self.caps))
        glog = (
            pieces.starts[glog_errors(np.frombuffer(data, np.uint8), pieces.starts)] if self.matcher.errors else _NONE
        )
        self._take_records(cut, self._hits(data, pieces), glog, progress, budget)
        self._advance(data, pieces, progress)

    def _near(self, data: memoryview, progress: Progress, budget: Budget) -> Survey | None:
        """Take the records with a hit up to the last header, and cut no others; ``None``: that cannot be done."""
        if self.counts_records or self.matcher.exhaustive:
            return None
        hits = self.matcher.hits(data)
        surveyed = survey(data, self.caps, line_breaks=self.bulk is not None and self.bulk.wants_line_breaks(hits))
        if surveyed is not None:
            self._take_near(surveyed, hits[hits < surveyed.end], progress, budget)
            self._pass(surveyed, progress)
        return surveyed

    def _take_near(self, surveyed: Survey, hits: Positions, progress: Progress, budget: Budget) -> None:
        glog = surveyed.glog if self.matcher.errors else _NONE
        bulk = self.bulk if len(hits) else None
        if bulk is not None:
            hits, taken = bulk.read(surveyed, hits, progress.offset)
            progress.records += taken
        done = 0
        for hit in np.union1d(hits, glog).tolist():
            if hit >= done:
                start, done = stretch(surveyed.data, hit, done, surveyed.end)
                cut = self._cut(surveyed, start, done, progress)
                self._take_records(cut, _between(hits, start, done), _between(glog, start, done), progress, budget)
        if bulk is not None:
            budget.events -= bulk.keep()

    def _cut(self, surveyed: Survey, start: int, end: int, progress: Progress) -> _Cut:
        data = surveyed.data
        if is_one_record(data, start, end, self.caps):
            pieces = _whole(end - start)
        else:
            pieces = split(data[start:end], final=True, caps=self.caps)
        progress.truncated += len(pieces.capped)
        line = progress.line + surveyed.line_of(start)
        return _Cut(data, start, pieces, line, lambda: heads_before(data, start, self.caps))

    def _pass(self, surveyed: Survey, progress: Progress) -> None:
        """Go on to where the surveyed part ends."""
        data, end = surveyed.data, surveyed.end
        _keep_tail(data[:end], last_record(data, end, self.caps), progress)
        progress.offset += end
        progress.line += surveyed.breaks[-1]
        progress.bytes += end
        progress.lines += surveyed.breaks[-1]
        if not surveyed.ascii:
            progress.undecodable += undecodable(data[:end], self.encoding)

    def _take_records(self, cut: _Cut, hits: Positions, glog: Positions, progress: Progress, budget: Budget) -> None:
        """Take the records of ``cut`` that hold one of ``hits``, or begin at one of ``glog``; all lie within it."""
        starts = cut.pieces.starts
        found = np.searchsorted(starts, hits - cut.start, side="right") - 1
        if len(glog):
            found = np.append(found, np.flatnonzero(np.isin(starts, glog - cut.start)))
        for index in np.unique(found).tolist():
            progress.records += not self.counts_records
            budget.events -= self.take(cut.record(index, progress.offset))

    def _hits(self, data: memoryview, pieces: Split) -> Positions:
        if self.matcher.exhaustive or not len(pieces.starts):
            return pieces.starts
        hits = self.matcher.hits(data[: pieces.consumed + LOOKAHEAD])
        return hits[hits < pieces.consumed]

    def _advance(self, data: memoryview, pieces: Split, progress: Progress) -> None:
        consumed = data[: pieces.consumed]
        progress.offset += pieces.consumed
        progress.line += pieces.consumed_lines
        if len(pieces.starts):
            _keep_tail(consumed, int(pieces.starts[-1]), progress)
        progress.bytes += pieces.consumed
        progress.lines += pieces.consumed_lines + int(len(consumed) > 0 and _unterminated(consumed, pieces))
        progress.records += len(pieces.starts) if self.counts_records else 0
        progress.truncated += sum(index < len(pieces.starts) for index in pieces.capped)
        progress.undecodable += undecodable(consumed, self.encoding)


@dataclass(frozen=True, slots=True)
class _Cut:
    """Part of a block, from ``start`` on, cut into records. ``line`` is how many lines of the file stand before it.

    ``before`` gives the first lines of the records before it, nearest first.
    """

    data: memoryview
    start: int
    pieces: Split
    line: int
    before: Callable[[], list[bytes]]

    def record(self, index: int, offset: int) -> RawRecord:
        """Record ``index``; ``offset`` is the block's place in the file."""
        start, end = self.start + int(self.pieces.starts[index]), self.start + int(self.pieces.ends[index])
        capped = index in self.pieces.capped
        return RawRecord(
            offset + start,
            offset + end,
            self.line + int(self.pieces.lines[index]) + 1,
            bytes(self.data[start : end + LOOKAHEAD if capped else end]),
            end - start,
            capped,
            lambda: self._heads(index),
        )

    def _heads(self, index: int) -> list[bytes]:
        starts = self.pieces.starts[max(index - HEADS, 0) : index][::-1].tolist()
        heads = [first_line(self.data, self.start + start) for start in starts]
        return heads if len(heads) == HEADS else [*heads, *self.before()][:HEADS]


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Without looks for cyclic garbage: a block's many hits are none, and would be gone through again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _between(positions: Positions, start: int, end: int) -> Positions:
    """Those of the ascending ``positions`` that lie in [start, end)."""
    first, last = np.searchsorted(positions, (start, end))
    return positions[first:last]


def _whole(length: int) -> Split:
    """A single record of ``length`` bytes."""
    return Split(_ZERO, np.array([length]), _ZERO, frozenset(), length, 0)


def _keep_tail(consumed: memoryview, last: int, progress: Progress) -> None:
    """Remember the end of what was consumed, whose last record begins at ``last``."""
    length = min(max(len(consumed) - last, TAIL_LENGTH), LONGEST_TAIL)
    progress.tail = (progress.tail + bytes(consumed[-length:]))[-length:]


def _unterminated(consumed: memoryview, pieces: Split) -> bool:
    """Whether the last line counts although its line break is missing: only at the very end of a file."""
    last = len(pieces.starts) - 1
    return consumed[-1] != 10 and last not in pieces.capped


def undecodable(data: memoryview, encoding: str) -> int:
    """How many bytes of ``data`` are not valid in ``encoding``."""
    if not len(data) or int(np.frombuffer(data, np.uint8).max()) < 128:
        return 0  # every encoding that is read here extends ASCII
    raw = bytes(data)
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return len(_LOST.findall(raw.decode(encoding, errors="surrogateescape")))
    return 0
