"""Production's settings file on disk: read it with its fingerprint, replace it whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_LARGEST_FILE = 1024**2  # bytes; a settings file is a screenful
_TEMPORARY = ".kronos-health-"


class FileTrouble(Exception):
    """The file cannot be read or replaced; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds. Bytes that are no UTF-8 survive the way through ``text`` and back."""

    text: str

    @property
    def data(self) -> bytes:
        """The bytes."""
        return self.text.encode("utf-8", "surrogateescape")

    @property
    def sha256(self) -> str:
        """The fingerprint, by which it is known later whether the file still is what a person saw."""
        return hashlib.sha256(self.data).hexdigest()


def read(path: Path) -> Content:
    """What ``path`` holds; a link is followed. Raises :class:`FileTrouble`."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise FileTrouble(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > _LARGEST_FILE or b"\0" in data:
        raise FileTrouble(f"{path} is no settings file (binary, or larger than 1 MiB)")
    return Content(data.decode("utf-8", "surrogateescape"))


def backup_path(path: Path, at: datetime, switch_id: str) -> Path:
    """Where the content before the change of ``switch_id`` is kept: beside the file, the same at every try."""
    real = path.resolve()
    return real.with_name(f"{real.name}.{at:%Y%m%dT%H%M%SZ}.{switch_id[-6:]}.bak")


def replace(path: Path, before: Content, after: Content, backup: Path) -> None:
    """Make ``path`` hold ``after``, and ``backup`` hold ``before``: each of them whole, or as it was.

    A link stays one: what it points to is replaced. Mode, owner and extended attributes stay. Raises
    :class:`FileTrouble` with the file as it was, also where another user's file could not be given back to its owner.

    Between the last look at the file and its replacement lies less than a millisecond, in which an editor's write
    would be lost; POSIX has no way to close that.
    """
    try:
        real = path.resolve(strict=True)
        _put(backup, before.data, like=real)
        _put(real, after.data, like=real, only_over=before)
    except OSError as error:
        named = error.filename or path
        raise FileTrouble(f"{path} cannot be replaced: {error.strerror or error} ({named})") from error


def _put(path: Path, data: bytes, like: Path, only_over: Content | None = None) -> None:
    """Write beside, make sure of it on disk, rename over, make sure of the folder: a crash leaves old or new."""
    descriptor, name = tempfile.mkstemp(prefix=f"{_TEMPORARY}{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            shutil.copystat(like, temporary)  # mode and extended attributes
            os.utime(temporary)
            _same_owner(file.fileno(), like)
            os.fsync(file.fileno())
        if only_over is not None and read(path) != only_over:
            raise FileTrouble(f"{path} was changed just now by somebody else")
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)
    _sweep(path)


def _same_owner(descriptor: int, like: Path) -> None:
    own, wanted = os.fstat(descriptor), like.stat()
    if (own.st_uid, own.st_gid) != (wanted.st_uid, wanted.st_gid):
        os.fchown(descriptor, wanted.st_uid, wanted.st_gid)
        os.fchmod(descriptor, wanted.st_mode & 0o7777)  # a change of owner clears bits


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(path: Path) -> None:
    """Remove what earlier tries left behind that were killed."""
    for left in path.parent.glob(f"{_TEMPORARY}{path.name}.*"):
        with suppress(OSError):
            left.unlink()
