"""The folder one probe works in, and the removal of those that dead probes left behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kronos_health.probe.environment import Folders
from kronos_health.probe.locks import HeldLock, LockBusy, acquire

_OWNER = "owner.lock"
_YOUNG_SECONDS = 60.0  # perhaps being made this moment
# Of another host, which may share the folder over a network, or of a container that is gone: whether its lock is held
# cannot be seen from here, but a living probe writes into its folder at every iteration.
_FOREIGN_SECONDS = 86_400.0


@contextlib.contextmanager
def workplace(state_dir: Path) -> Iterator[tuple[Folders, HeldLock]]:
    """Folders of a new probe under ``<state_dir>/probes``, removed at the end, and the lock that says it lives.

    What a SIGKILLed probe left there is removed first. Raises ``OSError`` when the folder cannot be written.
    """
    place = state_dir.absolute() / "probes"
    place.mkdir(parents=True, exist_ok=True)
    _sweep(place)
    work = Path(tempfile.mkdtemp(prefix=_own_prefix(), dir=place))
    with acquire(work / _OWNER, f"process {os.getpid()}") as lock:
        folders = Folders(state_dir.absolute(), work)
        folders.make()
        try:
            yield folders, lock
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _own_prefix() -> str:
    return f"probe-{re.sub(r'[^A-Za-z0-9.]', '_', socket.gethostname())[:64]}-"


def _sweep(place: Path) -> None:
    for folder in place.glob("probe-*"):
        patience = _YOUNG_SECONDS if folder.name.startswith(_own_prefix()) else _FOREIGN_SECONDS
        with contextlib.suppress(LockBusy, OSError):
            if time.time() - folder.stat().st_mtime < patience:
                continue
            with acquire(folder / _OWNER, "sweeping"):
                shutil.rmtree(folder, ignore_errors=True)
