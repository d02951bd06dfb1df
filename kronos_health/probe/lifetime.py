"""Tying a process to its parent's life."""

from __future__ import annotations

import os
import signal

from kronos_health.probe.guard import PR_SET_PDEATHSIG, prctl


def die_with_parent(parent: int | None = None) -> None:
    """Ask the kernel for SIGTERM when the parent process dies; for a task whose runner may be SIGKILLed.

    ``parent`` is the pid that is expected to be the parent (default: the present one). When it is gone already,
    SIGTERM comes at once. Raises ``OSError`` where the kernel refuses (not Linux).
    """
    expected = os.getppid() if parent is None else parent
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != expected:  # it died before the kernel was asked
        os.kill(os.getpid(), signal.SIGTERM)
