"""The decompressed content of one opened file, at any offset.

Files are read with ``pread`` and not mapped: a log that is truncated while it is mapped kills the reader (SIGBUS), and
``copytruncate`` does just that. Reading into one warm buffer costs little beside it.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Callable
from typing import IO, Protocol, cast

import zstandard

from kronos_health.logs.errors import LogProblem

_CHUNK = 1024 * 1024
_MAGIC = {b"\x1f\x8b\x08": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2"}
_DAMAGE = (OSError, ValueError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


class Content(Protocol):
    """Bytes of one file as they were when it was opened; offsets count decompressed bytes.

    ``known_size`` is the decompressed size, ``None`` while it is not known. ``damage`` says why the content breaks off
    before its end: a compressed file that is still being written, or one that is broken.
    """

    @property
    def compression(self) -> str | None:
        """``None``: not at all."""
        ...

    @property
    def known_size(self) -> int | None:
        """See above."""
        ...

    @property
    def damage(self) -> str | None:
        """See above."""
        ...

    def read(self, offset: int, length: int) -> memoryview:
        """At most ``length`` bytes from ``offset``; fewer only at the end. Valid until the next call."""
        ...


class PlainContent:
    """An uncompressed file, up to ``size`` bytes: what is written after it was opened is the next scan's."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.compression: str | None = None
        self.known_size: int | None = size
        self.damage: str | None = None
        self._descriptor, self._size, self._buffer = descriptor, size, bytearray()

    def read(self, offset: int, length: int) -> memoryview:
        """See :class:`Content`."""
        wanted = max(min(length, self._size - offset), 0)
        if len(self._buffer) < wanted:
            self._buffer = bytearray(wanted)
        view, got = memoryview(self._buffer)[:wanted], 0
        while got < wanted:
            count = os.preadv(self._descriptor, [view[got:]], offset + got)
            if count == 0:  # truncated since it was opened
                break
            got += count
        return view[:got]


class StreamContent:
    """A compressed file. Reading on is cheap; reading before what is kept begins again from the start.

    ``from_start`` gives the file at its beginning.
    """

    def __init__(self, from_start: Callable[[], IO[bytes]], compression: str) -> None:
        self.compression: str | None = compression
        self.known_size: int | None = None
        self.damage: str | None = None
        self._from_start = from_start
        self._restart()

    def _restart(self) -> None:
        self._reader = _reader(self._from_start(), cast(str, self.compression))
        self._start, self._kept, self._ended = 0, bytearray(), False

    def read(self, offset: int, length: int) -> memoryview:
        """See :class:`Content`."""
        if offset < self._start:
            self._restart()
        while not self._ended and self._start + len(self._kept) < offset + length:
            self._more()
            # What lies well before the offset is not asked for again; a little is, to prove where reading goes on.
            surplus = min(offset - self._start - _CHUNK, len(self._kept))
            if surplus > 0:
                del self._kept[:surplus]
                self._start += surplus
        begin = max(offset - self._start, 0)
        return memoryview(bytes(self._kept[begin : begin + length]))

    def _more(self) -> None:
        try:
            data = self._reader.read1(_CHUNK)
        except EOFError:
            data, self.damage = b"", "it breaks off before its end"
        except _DAMAGE as error:
            data, self.damage = b"", f"it is damaged ({error})"
        self._kept += data
        if not data:
            self._ended, self.known_size = True, self._start + len(self._kept)


class _Reader(Protocol):
    def read1(self, size: int = ..., /) -> bytes: ...


def _reader(file: IO[bytes], compression: str) -> _Reader:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=file, mode="rb")
    if compression == "bzip2":
        return bz2.BZ2File(file)
    if compression == "xz":
        return lzma.LZMAFile(file)
    return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)


def compression_of(head: bytes) -> str | None:
    """How a file that begins with ``head`` is compressed, by its magic number; ``None``: not at all.

    Raises :class:`LogProblem` for a compression that is not read here.
    """
    if head.startswith(b"\x04\x22\x4d\x18"):
        raise LogProblem("is compressed with lz4, which is not read here; let logrotate use gzip, zstd, xz or bzip2")
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
