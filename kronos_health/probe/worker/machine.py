"""What this process runs on: the fields of the environment event, from which the parent makes the fingerprint."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from pathlib import Path
from typing import Any

from .targets.contract import Description


def describe(device: str, target: Description, timing_method: str) -> dict[str, Any]:
    """The fields of the environment event; null for what this machine does not have."""
    import torch

    on_cuda = device.startswith("cuda")
    return {
        "device": "cuda" if on_cuda else "cpu",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda if on_cuda else None,
        "triton": _triton_version() if on_cuda else None,
        "driver": _driver_version() if on_cuda else None,
        "gpu": torch.cuda.get_device_name(device) if on_cuda else None,
        "host": platform.node(),
        "target_revision": target.revision,
        "weights_revision": target.weights_revision,
        "dtype": target.dtype,
        "model_shape": target.shape,
        "timing_method": timing_method,
    }


def _triton_version() -> str | None:
    for name in ("triton", "pytorch-triton"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _driver_version() -> str | None:
    """From the kernel module; ``NVRM version: ... 550.54.15 ...``."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"\b\d{3,}\.\d+(?:\.\d+)?\b", text)
    return found.group() if found else None
