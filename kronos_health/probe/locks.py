"""Locks between processes that a dead process cannot keep and a living grandchild does not lose.

``flock`` belongs to the open file, so handing the descriptor to the guard keeps the lock until the guard has ended
everything, even when the process that took it is SIGKILLed: a retry beside a zombie finds the GPU taken. (filelock does
the same locking, but keeps its descriptor to itself.)

Between hosts that share a folder over a network, ``flock`` may hold or not, by how it is mounted. Nothing here needs
it to: a GPU's lock carries the GPU's own name, and a probe's folder that of its host. Where a file system refuses to
lock at all, that is an error that says so, never a lock that is not one.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_POLL_SECONDS = 0.1


class LockBusy(Exception):
    """Somebody else holds the lock; the text says who, as they wrote it down."""


class HeldLock:
    """A lock that is held until :meth:`release`; a context manager. ``descriptor`` may be handed to a child."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def release(self) -> None:
        """Give the lock back, also for those who inherited the descriptor. Twice is no error."""
        if self.descriptor >= 0:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            os.close(self.descriptor)
            self.descriptor = -1

    def leave_to_inheritors(self) -> None:
        """Close our end only: the lock is free when the last process that inherited it has ended."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> HeldLock:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release()


def acquire(path: Path, note: str, wait_seconds: float = 0.0, shared: bool = False) -> HeldLock:
    """Take the lock file ``path`` and write ``note`` (who holds it) into it.

    With ``shared`` many may hold it at once, but nobody who asks for it alone. Raises :class:`LockBusy` when it is not
    free within ``wait_seconds``, ``OSError`` when the file cannot be made or its
    file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 500, 0).decode("utf-8", "replace").strip()
                os.close(descriptor)
                raise LockBusy(holder or "another process") from None
        except OSError as error:
            os.close(descriptor)
            raise OSError(error.errno, f"its file system has no locks: {error.strerror}", str(path)) from error
        time.sleep(_POLL_SECONDS)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, note.encode(), 0)
    return HeldLock(descriptor)
