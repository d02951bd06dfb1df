"""Bounded reading of what a child writes, however much and whatever it is."""

from __future__ import annotations

import os

MAX_LINE_BYTES = 256 * 1024
MAX_STREAM_BYTES = 8 * 1024 * 1024
TAIL_BYTES = 16 * 1024
_CHUNK_BYTES = 64 * 1024


def read_available(descriptor: int) -> bytes | None:
    """Up to 64 KiB from a non-blocking descriptor: ``b""`` at its end, ``None`` when nothing is there now."""
    try:
        return os.read(descriptor, _CHUNK_BYTES)
    except BlockingIOError:
        return None


class Lines:
    """Splits a stream into lines: none longer than ``max_line`` is kept, and none at all beyond ``max_total`` bytes.

    ``dropped`` counts lines that were too long; ``truncated`` says that the total was exceeded. Memory stays bounded.
    """

    def __init__(self, max_line: int = MAX_LINE_BYTES, max_total: int = MAX_STREAM_BYTES) -> None:
        self.max_line, self.max_total = max_line, max_total
        self.dropped = 0
        self.total = 0
        self._buffer = bytearray()
        self._skipping = False

    @property
    def truncated(self) -> bool:
        """True when the stream was longer than ``max_total``."""
        return self.total > self.max_total

    def feed(self, chunk: bytes) -> list[bytes]:
        """The complete lines that ``chunk`` ends, without their line ends."""
        room = max(self.max_total - self.total, 0)
        self.total += len(chunk)
        self._buffer += chunk[:room]
        *complete, rest = self._buffer.split(b"\n")
        self._buffer = rest
        lines = [bytes(line) for line in complete if self._keep(line)]
        if len(self._buffer) > self.max_line:
            self._skipping = True
            self._buffer.clear()
        return lines

    def rest(self) -> bytes:
        """What followed the last line end: the half line of a child that died while writing."""
        return bytes(self._buffer)

    def _keep(self, line: bytearray) -> bool:
        if self._skipping or len(line) > self.max_line:
            self._skipping = False  # the line end of the long line was met
            self.dropped += 1
            return False
        return bool(line.strip())


class Tail:
    """The last ``size`` bytes of a stream as text, starting at a line."""

    def __init__(self, size: int = TAIL_BYTES) -> None:
        self._size = size
        self._bytes = b""
        self._cut = False

    def feed(self, chunk: bytes) -> None:
        """Append ``chunk``, forget what is older than the tail."""
        joined = self._bytes + chunk
        self._cut = self._cut or len(joined) > self._size
        self._bytes = joined[-self._size :]

    def text(self) -> str:
        """The tail; bytes that are not UTF-8 are replaced, NUL is removed."""
        data = self._bytes
        if self._cut and b"\n" in data:
            data = data.partition(b"\n")[2]
        return data.decode("utf-8", "replace").replace("\x00", "")
