"""Peak memory of this process and of its share of the device, in MiB.

``VmHWM`` is reset through ``/proc/self/clear_refs`` (proc(5): writing 5), since it would include what the interpreter
needed before. ``ru_maxrss`` is only the fallback: a child inherits its parent's.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
NOTICEABLE_MB = 8.0


@dataclass(frozen=True)
class Held:
    """What the process holds at one moment, in MiB; ``None`` where it cannot be told."""

    rss_mb: float | None = None
    device_mb: float | None = None


def held(device: str, before: Held) -> Held:
    """What is held now. Where that grew noticeably, garbage is collected first: what only waits for that is no leak."""
    now = _held(device)
    if _grew(before.rss_mb, now.rss_mb) or _grew(before.device_mb, now.device_mb):
        gc.collect()
        now = _held(device)
    return now


def _grew(before: float | None, now: float | None) -> bool:
    return before is not None and now is not None and now - before > NOTICEABLE_MB


def _held(device: str) -> Held:
    torch = sys.modules.get("torch")
    on_device = torch is not None and device.startswith("cuda") and torch.cuda.is_initialized()
    return Held(_rss_mb(), torch.cuda.memory_allocated(device) / MIB if torch is not None and on_device else None)


def _rss_mb() -> float | None:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def reset_peak() -> None:
    """Forget the peak of resident memory so far, where the kernel lets us."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return  # not Linux, or forbidden: the peak then counts from the start of the process


def peak_rss_mb() -> float | None:
    """Peak resident memory of this process since :func:`reset_peak`."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    return peak / (MIB if sys.platform == "darwin" else 1024)


def figures(device: str) -> dict[str, Any]:
    """The fields of the memory event; device figures are null on CPU."""
    told: dict[str, Any] = {
        "rss_peak_mb": peak_rss_mb(),
        "device_allocated_mb": None,
        "device_reserved_mb": None,
        "device_process_mb": None,
    }
    torch = sys.modules.get("torch")
    if torch is not None and device.startswith("cuda") and torch.cuda.is_initialized():
        told["device_allocated_mb"] = torch.cuda.max_memory_allocated(device) / MIB
        told["device_reserved_mb"] = torch.cuda.max_memory_reserved(device) / MIB
        told["device_process_mb"] = _process_mb(str(torch.cuda.get_device_properties(device).uuid))
    return told


def _process_mb(uuid: str) -> float | None:
    """What the driver says this process holds on the GPU now; null without NVML, or where pids are hidden."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
        for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle):
            if process.pid == os.getpid() and process.usedGpuMemory is not None:
                return float(process.usedGpuMemory) / MIB
    except pynvml.NVMLError:
        return None
    return None
