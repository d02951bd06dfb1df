"""Which generation of a log an opened file is: decided by content, with inode and path as hints only.

A file continues a known generation when its beginning has the hash that was stored (over at most 1024 bytes) and the
bytes before the stored offset have theirs: 256 of them, and the whole last record where that is longer, since
tracebacks of one error end alike and only their headers tell them apart. The longest matching offset wins. So a
renamed, copied or compressed file goes on where reading stopped, and a file that took over a name or an inode starts
anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kronos_health.domain.logs import Generation
from kronos_health.logs.opening import HEAD_LENGTH, OpenLog

TAIL_LENGTH = 256
LONGEST_TAIL = 16 * 1024
_FIRST_STEP, _LARGEST_STEP = 4 * 1024, 4 * 1024**2  # bytes compared at once


@dataclass(frozen=True, slots=True)
class Assignment:
    """An opened file and the generation it is; ``None``: a new one."""

    log: OpenLog
    generation: Generation | None


def sha256(data: bytes | memoryview) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def hint_of(host: str, device: int, inode: int | None, size: int, modified_ns: int) -> str:
    """What a file looks like from outside; equal while nothing was written to it."""
    return f"{sha256(host.encode())[:8]}:{device}:{inode}:{size}:{modified_ns}"


def fits(generation: Generation, log: OpenLog) -> bool:
    """Whether ``log`` continues ``generation``: equal beginning, and equal bytes before the offset."""
    if generation.head_length > len(log.head) or sha256(log.head[: generation.head_length]) != generation.head_sha256:
        return False
    return _continues(generation, log)


def _continues(generation: Generation, log: OpenLog) -> bool:
    tail = log.content.read(generation.offset - generation.tail_length, generation.tail_length)
    return len(tail) == generation.tail_length and sha256(tail) == generation.tail_sha256


def assign(logs: Iterable[OpenLog], known: Sequence[Generation]) -> tuple[Assignment, ...]:
    """Give each file its generation, each generation one file. Files that only repeat another one are left out."""
    distinct = _distinct([log for log in logs if log.head], known)
    pairs = sorted(_pairs(distinct, known), key=lambda pair: (-pair[0].offset, *_hints(*pair)))
    taken: dict[int, Generation] = {}  # by the log's id()
    owned: set[str] = set()
    for generation, log in pairs:
        if id(log) not in taken and generation.id not in owned:
            taken[id(log)] = generation
            owned.add(generation.id)
    return tuple(Assignment(log, taken.get(id(log))) for log in distinct if log.named or id(log) in taken)


def _distinct(logs: Sequence[OpenLog], known: Sequence[Generation]) -> list[OpenLog]:
    """``logs`` without those all of whose content is in another: copies, whole or under way, and empty beginnings."""
    kept: list[OpenLog] = []
    # Of two equal files the one that is likelier to stay is kept.
    for log in sorted(logs, key=lambda log: (log.content.compression is not None, not log.live)):
        if not any(_repeats(log, other) and not _written_again(log, other, known) for other in kept):
            kept = [other for other in kept if not _repeats(other, log) or _written_again(other, log, known)]
            kept.append(log)
    return kept


def _pairs(logs: Sequence[OpenLog], known: Sequence[Generation]) -> Iterator[tuple[Generation, OpenLog]]:
    by_head: dict[tuple[int, str], list[Generation]] = {}
    for generation in known:
        by_head.setdefault((generation.head_length, generation.head_sha256), []).append(generation)
    lengths = sorted({length for length, _ in by_head})
    for log in logs:
        for length in lengths:
            if length <= len(log.head):
                for generation in by_head.get((length, sha256(log.head[:length])), ()):
                    if _continues(generation, log):
                        yield generation, log


def _written_again(log: OpenLog, other: OpenLog, known: Sequence[Generation]) -> bool:
    """Whether a live file was surely written anew although it repeats another: all of that had been read before.

    A program without time stamps writes the same again after a rotation; no rotation copies what is long read into the
    live file. The inode tells which of the two was read; alone it would not do, since inodes are used again.
    """
    return log.live and any(
        other.inode == generation.inode != log.inode and log.size <= generation.offset and fits(generation, other)
        for generation in known
    )


def _hints(generation: Generation, log: OpenLog) -> tuple[bool, bool, int]:
    """Sorts the likelier of two files with the same content first."""
    return log.inode != generation.inode, log.address != generation.path, -log.size


def _repeats(log: OpenLog, other: OpenLog) -> bool:
    """Whether ``log`` holds nothing that ``other`` does not: a copy, or a file being compressed."""
    if not other.head.startswith(log.head[: len(other.head)]):
        return False
    if len(log.head) < HEAD_LENGTH:
        return len(log.head) <= len(other.head)
    # Files that begin alike are rare, and mostly copies that will be gone by the next scan: compare all there is.
    offset, step = 0, _FIRST_STEP
    while True:
        mine = bytes(log.content.read(offset, step))
        if mine != bytes(other.content.read(offset, len(mine))):
            return False
        if len(mine) < step:
            return True
        offset, step = offset + step, min(2 * step, _LARGEST_STEP)


def new_generation(identifier: str, source: str, log: OpenLog, now: datetime) -> Generation:
    """A generation of which nothing has been read."""
    return Generation(
        id=identifier,
        source=source,
        path=log.address,
        inode=log.inode,
        compression=log.content.compression,
        head_sha256=sha256(log.head),
        head_length=len(log.head),
        tail_sha256=sha256(b""),
        tail_length=0,
        offset=0,
        line=0,
        size_seen=0,
        first_seen_at=now,
        last_seen_at=now,
    )


def seen_in(generation: Generation, log: OpenLog) -> Generation:
    """``generation`` with what its file says of it: where it is now, and a longer beginning where there is one."""
    return replace(
        generation,
        path=log.address,
        inode=log.inode,
        compression=log.content.compression,
        head_sha256=sha256(log.head),
        head_length=len(log.head),
        gone_at=None,
    )


def proves(log: OpenLog, head: bytes, tail: bytes, offset: int) -> bool:
    """Whether what was read is still there: a file truncated and written again meanwhile is another generation."""
    if log.content.compression is not None:
        return True
    begin = log.content.read(0, len(head))
    if bytes(begin) != head:
        return False
    return bytes(log.content.read(offset - len(tail), len(tail))) == tail


def remembered_paths(known: Iterable[Generation]) -> tuple[Path, ...]:
    """Where unfinished generations were last seen: a link that was turned elsewhere leaves its old file behind."""
    return tuple(Path(generation.path) for generation in known if not generation.finished)
