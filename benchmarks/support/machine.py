"""What a figure was measured on, in one line: without it no two figures can be compared."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def processor() -> str:
    """The processor's own name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def load() -> str:
    """How many programs wanted a processor in the last 1, 5 and 15 minutes, beside how many there are."""
    return f"load {' '.join(f'{value:.1f}' for value in os.getloadavg())} on {os.cpu_count()} cores"
