"""Follows one live file from its end on and says when something new in it looks critical. Keeps nothing open.

This is a lookout, no reader: what it misses the next scan finds, and what it reports wrongly costs one scan.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kronos_health.logs.catalogue import Catalogue
from kronos_health.logs.discovery import discover
from kronos_health.logs.entries import Signature
from kronos_health.logs.matcher import Matcher
from kronos_health.logs.places import Log

BLOCK = 1024**2
TOO_FAR = 256 * 1024**2  # so far behind, a scan is quicker at it than a lookout
_LEAVING_LOOKS = 120  # a program may go on writing into the file that was renamed under it, for a minute or so


class Literals:
    """The fixed texts of signatures in one encoding: any of them in new bytes is a reason to scan."""

    def __init__(self, signatures: Iterable[Signature], encoding: str) -> None:
        wanted = tuple(item for item in signatures if item.literals)
        texts = [text.encode(encoding, errors="replace") for item in wanted for text in item.literals or ()]
        self.overlap = max((len(text) for text in texts), default=1) - 1
        self._matcher = Matcher(Catalogue(wanted, ()), encoding) if wanted else None

    def stand_in(self, block: bytes) -> bool:
        """Whether one of them stands in ``block``."""
        return self._matcher is not None and len(self._matcher.hits(memoryview(block))) > 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look brought: whether to scan, how many bytes were read and are left, and what is in the way."""

    hit: bool = False
    read: int = 0
    left: int = 0
    problem: str | None = None


@dataclass(slots=True)
class _Place:
    """How far a file was looked at; ``carry`` are the last bytes before, for a text written in two parts."""

    device: int
    inode: int
    offset: int
    carry: bytes = b""

    def is_in(self, status: os.stat_result) -> bool:
        return (self.device, self.inode) == (status.st_dev, status.st_ino)


class Tail:
    """A path and how far what is written there was looked at.

    A file that is there at the first look begins at its end, ``from_start`` or one that appears later at its beginning.
    """

    def __init__(self, path: Path, literals: Literals, *, from_start: bool = False) -> None:
        self.path = path
        self._literals, self._from_start = literals, from_start
        self._place: _Place | None = None
        self._leaving: tuple[Path, _Place, int] | None = None  # the renamed file, how far, looks left

    def look(self, most: int) -> Seen:
        """Look at what is new, at most ``most`` bytes of it. Never raises ``OSError``."""
        try:
            status = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            self._from_start = True
            return Seen(hit=self._look_at_leaving(most))  # between two names, or gone: whoever lists files says so
        except OSError as error:
            return Seen(problem=f"cannot be looked at ({error.strerror})")
        if not stat.S_ISREG(status.st_mode):
            return Seen(problem="is no regular file")
        place, unsure = self._settled(status)
        seen = self._advance(self.path, place, status.st_size, most)
        return Seen(seen.hit or unsure or self._look_at_leaving(most), seen.read, seen.left, seen.problem)

    def _settled(self, status: os.stat_result) -> tuple[_Place, bool]:
        """The place in the file that is there now, and whether bytes of the one before may have gone unseen."""
        before = self._place
        if before is not None and before.is_in(status):
            truncated = status.st_size < before.offset
            if truncated:
                before.offset, before.carry = 0, b""
            return before, truncated
        begin = 0 if before is not None or self._from_start else status.st_size
        self._place = _Place(status.st_dev, status.st_ino, begin)
        return self._place, before is not None and not self._leave(before)

    def _leave(self, place: _Place) -> bool:
        """Go on looking at the renamed file for a while; false where it is not found beside the live one."""
        try:
            candidates = discover(Log(self.path))
        except OSError:
            return False
        for item in candidates:
            if not item.live and (item.device, item.inode) == (place.device, place.inode):
                self._leaving = (item.path, place, _LEAVING_LOOKS)
                return True
        return False

    def _look_at_leaving(self, most: int) -> bool:
        if self._leaving is None:
            return False
        path, place, looks = self._leaving
        self._leaving = (path, place, looks - 1) if looks > 1 else None
        try:
            status = path.stat()
        except OSError:
            status = None
        if status is None or not place.is_in(status):  # renamed on, compressed, removed
            self._leaving = None
            return True
        return self._advance(path, place, status.st_size, most).hit

    def _advance(self, path: Path, place: _Place, size: int, most: int) -> Seen:
        if size <= place.offset:
            return Seen()
        if size - place.offset > TOO_FAR:
            self._skip(place, size)
            return Seen(hit=True)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return Seen(left=1)  # renamed this moment
        except OSError as error:
            return Seen(problem=f"cannot be opened ({error.strerror}); user id {os.geteuid()} must be let in")
        try:
            if not place.is_in(os.fstat(descriptor)):
                return Seen(left=1)
            return self._read(descriptor, place, size, min(size, place.offset + most))
        except OSError as error:
            return Seen(problem=f"cannot be read ({error.strerror})")
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int, place: _Place, size: int, end: int) -> Seen:
        begin = place.offset
        while place.offset < end:
            data = os.pread(descriptor, min(BLOCK, end - place.offset), place.offset)
            if not data:
                break  # truncated this moment: the next look sees it
            place.offset += len(data)
            block = place.carry + data
            place.carry = block[len(block) - min(self._literals.overlap, len(block)) :]
            if self._literals.stand_in(block):
                read = place.offset - begin
                if place.offset < size:
                    self._skip(place, size)  # the scan reads at least as far
                return Seen(hit=True, read=read)
        return Seen(read=place.offset - begin, left=size - place.offset)

    def _skip(self, place: _Place, size: int) -> None:
        """Go to the end, short of what may be the first part of a text."""
        place.offset, place.carry = max(place.offset, size - self._literals.overlap), b""
