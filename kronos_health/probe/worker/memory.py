"""Peak memory of this process and of its share of the device, in MiB.

``VmHWM`` is reset through ``/proc/self/clear_refs`` (proc(5): writing 5), since it would include what the interpreter
needed before. ``ru_maxrss`` is only the fallback: a child inherits its parent's.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any

MIB = 1024 * 1024


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
