"""Reads one file on from an offset: blocks, records, hits. What is in the hits is the caller's."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kronos_health.logs.content import Content
from kronos_health.logs.generation import LONGEST_TAIL, TAIL_LENGTH
from kronos_health.logs.levels import glog_errors
from kronos_health.logs.lines import Positions
from kronos_health.logs.matcher import Matcher
from kronos_health.logs.records import LOOKAHEAD, Caps, Split, split

_SMALLEST_BLOCK = 4 * 1024**2
_LOOK_BACK = 200
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


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read. ``take`` gets each record with a hit and returns how many events it stored of it.

    ``closes`` is asked at the end of the file whether the last record has ended; with ``whole_lines`` it has not while
    its last line has no line break.
    """

    content: Content
    matcher: Matcher
    caps: Caps
    encoding: str
    take: Take
    closes: Callable[[], bool]
    whole_lines: bool

    def run(self, progress: Progress, budget: Budget) -> None:
        """Read on until the end of the file or of the budget; at least one block is read."""
        block = max(_SMALLEST_BLOCK, 4 * (self.caps.bytes + LOOKAHEAD))
        while True:
            data = self.content.read(progress.offset, block)
            at_end = len(data) < block
            torn = self.whole_lines and len(data) > 0 and data[-1] != 10
            final = at_end and not torn and self.closes()
            pieces = split(data, final=final, caps=self.caps)
            self._take_hits(data, pieces, progress, budget)
            self._advance(data, pieces, progress)
            budget.bytes -= pieces.consumed
            if at_end:
                progress.ended = final
                return
            if budget.spent():
                progress.stopped = True
                return

    def _take_hits(self, data: memoryview, pieces: Split, progress: Progress, budget: Budget) -> None:
        for index in self._hit_records(data, pieces).tolist():
            start, end = int(pieces.starts[index]), int(pieces.ends[index])
            capped = index in pieces.capped
            record = RawRecord(
                progress.offset + start,
                progress.offset + end,
                progress.line + int(pieces.lines[index]) + 1,
                bytes(data[start : end + LOOKAHEAD if capped else end]),
                end - start,
                capped,
                lambda index=index: _heads(data, pieces, index),  # type: ignore[misc]
            )
            budget.events -= self.take(record)

    def _hit_records(self, data: memoryview, pieces: Split) -> Positions:
        if not len(pieces.starts):
            return pieces.starts
        if self.matcher.exhaustive:
            return np.arange(len(pieces.starts))
        hits = self.matcher.hits(data[: pieces.consumed + LOOKAHEAD])
        hits = hits[hits < pieces.consumed]
        found = np.searchsorted(pieces.starts, hits, side="right") - 1
        if self.matcher.errors:
            found = np.append(found, glog_errors(np.frombuffer(data, np.uint8), pieces.starts))
        return np.unique(found)

    def _advance(self, data: memoryview, pieces: Split, progress: Progress) -> None:
        consumed = data[: pieces.consumed]
        progress.offset += pieces.consumed
        progress.line += pieces.consumed_lines
        if len(pieces.starts):
            last = pieces.consumed - int(pieces.starts[-1])
            length = min(max(last, TAIL_LENGTH), LONGEST_TAIL)
            progress.tail = (progress.tail + bytes(consumed[-length:]))[-length:]
        progress.bytes += pieces.consumed
        progress.lines += pieces.consumed_lines + int(len(consumed) > 0 and _unterminated(consumed, pieces))
        progress.records += len(pieces.starts)
        progress.truncated += sum(index < len(pieces.starts) for index in pieces.capped)
        progress.undecodable += undecodable(consumed, self.encoding)


def _unterminated(consumed: memoryview, pieces: Split) -> bool:
    """Whether the last line counts although its line break is missing: only at the very end of a file."""
    last = len(pieces.starts) - 1
    return consumed[-1] != 10 and last not in pieces.capped


def _heads(data: memoryview, pieces: Split, index: int) -> list[bytes]:
    """First lines of the records before ``index``, nearest first."""
    starts = pieces.starts[max(index - _LOOK_BACK, 0) : index][::-1].tolist()
    return [bytes(data[start : start + 200]).split(b"\n", 1)[0] for start in starts]


def undecodable(data: memoryview, encoding: str) -> int:
    """How many bytes of ``data`` are not valid in ``encoding``."""
    if not (np.frombuffer(data, np.uint8) > 127).any():
        return 0  # every encoding that is read here extends ASCII
    raw = bytes(data)
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return len(_LOST.findall(raw.decode(encoding, errors="surrogateescape")))
    return 0
