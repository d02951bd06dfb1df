"""Who measures, in a form that another process can look up: does that process still live?"""

from __future__ import annotations

import socket
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import psutil

from kronos_health.domain.campaigns import Holder

LEASE = timedelta(seconds=60)  # a holder elsewhere that gave no sign of life for so long is taken for dead
SIGN_OF_LIFE = timedelta(seconds=10)
_CLOCK_TOLERANCE_SECONDS = 2.0  # the start of a process is computed from the boot, whose time a clock change moves


def this_process() -> Holder:
    """The process that asks."""
    process = psutil.Process()
    return Holder(_machine(), process.pid, process.create_time())


def lives(holder: Holder, alive_at: datetime | None, now: datetime) -> bool:
    """Whether ``holder`` still measures: looked up on its own machine, judged by its last sign of life elsewhere."""
    if holder.machine == _machine():
        return _runs(holder)
    return alive_at is not None and now - alive_at < LEASE


def _runs(holder: Holder) -> bool:
    try:
        process = psutil.Process(holder.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(process.create_time() - holder.started) < _CLOCK_TOLERANCE_SECONDS
    except psutil.NoSuchProcess:
        return False


@cache
def _machine() -> str:
    """Host, boot and process namespace: a process number means something only within all three."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    booted = boot.read_text(encoding="ascii").strip() if boot.exists() else "unknown"
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = "unknown"
    return f"{socket.gethostname()} {booted} {namespace}"
