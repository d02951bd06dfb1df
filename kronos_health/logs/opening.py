"""Opens a log once: what it is, how big it was then, and whether it is text at all."""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kronos_health.logs.content import Content, PlainContent, StreamContent, compression_of
from kronos_health.logs.errors import LogProblem, NoLog

HEAD_LENGTH = 1024
_SAMPLE = 64 * 1024
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r\x0b\x0c\x1b\x08")
_MOST_CONTROLS = 0.03


@dataclass(slots=True)
class OpenLog:
    """An opened file. ``head`` is its first 1024 bytes at most, decompressed; ``size`` counts bytes on disk."""

    path: Path | str
    live: bool
    descriptor: int
    device: int
    inode: int | None
    size: int
    modified_ns: int
    content: Content
    head: bytes
    named: bool = True  # like the log; otherwise it only counts where its content proves it
    mark: str | None = None  # what a storage says of its content
    grows: bool = True  # its program may be writing on in it

    @property
    def address(self) -> str:
        """Where it is, without links."""
        return os.path.realpath(self.path)

    def unchanged(self) -> bool:
        """Whether nothing was written to it since it was opened."""
        status = os.fstat(self.descriptor)
        return status.st_size == self.size and status.st_mtime_ns == self.modified_ns

    def close(self) -> None:
        """Let the file go."""
        os.close(self.descriptor)


@contextmanager
def opened(path: Path, *, live: bool = True) -> Iterator[OpenLog]:
    """``path`` opened for reading, closed at the end.

    Raises :class:`LogProblem` with one line when it cannot be read, ``FileNotFoundError`` when it is not there.
    """
    log = open_log(path, live=live)
    try:
        yield log
    finally:
        log.close()


def open_log(path: Path, *, live: bool) -> OpenLog:
    """As :func:`opened`; the caller closes ``descriptor``."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LogProblem(f"{path} cannot be opened ({error.strerror}). {_remedy(error)}") from error
    try:
        return _described(path, live, descriptor)
    except OSError as error:
        os.close(descriptor)
        raise LogProblem(f"{path} cannot be read ({error.strerror}). {_remedy(error)}") from error
    except LogProblem:
        os.close(descriptor)
        raise


def _remedy(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"Let user id {os.geteuid()} read it, for instance through a group."
    return "Check the path and the disk; reading goes on where it stopped."


def _described(path: Path, live: bool, descriptor: int) -> OpenLog:
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise LogProblem(f"{path} is a directory. Name the log file itself.")
    if not stat.S_ISREG(status.st_mode):
        raise LogProblem(f"{path} is no regular file (a pipe or a device). Name a log file.")
    try:
        compression = compression_of(os.pread(descriptor, 8, 0))
    except LogProblem as problem:
        raise LogProblem(f"{path} {problem}.") from problem
    content: Content = (
        StreamContent(lambda: _from_start(descriptor), compression)
        if compression
        else PlainContent(descriptor, status.st_size)
    )
    head = bytes(content.read(0, HEAD_LENGTH))
    return OpenLog(
        path, live, descriptor, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, content, head
    )


def _from_start(descriptor: int) -> IO[bytes]:
    # Its own file position: the descriptor is shared with nobody while this is read.
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.fdopen(descriptor, "rb", closefd=False)


def check_text(log: OpenLog) -> None:
    """Return if ``log`` looks like text. Raises :class:`NoLog` for binary files, ``LogProblem`` for UTF-16 or 32."""
    sample = bytes(log.content.read(0, _SAMPLE))
    wide = _wide_encoding(sample)
    if wide:
        raise LogProblem(
            f"{log.path} is {wide} text, which is not read here. Let the program write UTF-8; nothing was skipped."
        )
    # A program that kept its position when its log was truncated leaves a hole, which reads as NUL: no binary file.
    text = sample.lstrip(b"\0")
    if text and sum(text.count(byte) for byte in _CONTROLS) > _MOST_CONTROLS * len(text):
        raise NoLog(f"{log.path} is a binary file, not a text log. Name the log file itself.")


def _wide_encoding(sample: bytes) -> str | None:
    for mark, name in (
        (codecs.BOM_UTF32_LE, "UTF-32"),
        (codecs.BOM_UTF32_BE, "UTF-32"),
        (codecs.BOM_UTF16_LE, "UTF-16"),
        (codecs.BOM_UTF16_BE, "UTF-16"),
    ):
        if sample.startswith(mark) and mark.strip(b"\0"):
            return name
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = max(len(sample) // 2, 1)
    if len(sample) >= 4 and max(even, odd) > 0.4 * half and min(even, odd) < 0.05 * half:
        return "UTF-16"
    return None


def check_encoding(encoding: str) -> None:
    """Return if logs in ``encoding`` can be read: every ASCII byte means itself. Raises :class:`LogProblem`."""
    plain = bytes(range(128))
    try:
        if plain.decode(encoding) == plain.decode("ascii"):
            return
        reason = "is not an extension of ASCII; have the program write UTF-8"
    except LookupError:
        reason = "is no encoding known here; write a name such as utf-8 or latin-1"
    except UnicodeDecodeError:
        reason = "is not an extension of ASCII; have the program write UTF-8"
    raise LogProblem(f"encoding {encoding!r} {reason}.")
