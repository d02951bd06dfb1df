"""Whether processes have ended. Ending takes the kernel a moment, also after SIGKILL and after the last pipe closed."""

from __future__ import annotations

import os
import signal
import time

import psutil


def gone(pids: list[int], seconds: float = 5.0) -> bool:
    """True when none of them lives (a zombie waits for its parent only and does nothing)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(_lives(pid) for pid in pids):
            return True
        time.sleep(0.02)
    for pid in pids:  # leave nothing behind, whatever the test finds
        if _lives(pid):
            os.kill(pid, signal.SIGKILL)
    return False


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
