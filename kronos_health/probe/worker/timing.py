"""How a prediction is timed: by device events on CUDA, by the monotonic clock on CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


class ClockTimer:
    """Times work on the CPU."""

    method = "perf_counter"

    def time(self, work: Callable[[], Result]) -> tuple[Result, float]:
        """Run ``work``; its result and its duration in milliseconds."""
        begun = time.perf_counter_ns()
        result = work()
        return result, (time.perf_counter_ns() - begun) / 1e6


class CudaTimer:
    """Times work on a CUDA device from the first launch to the last result."""

    method = "cuda_event"

    def __init__(self, device: str) -> None:
        self._device = device

    def time(self, work: Callable[[], Result]) -> tuple[Result, float]:
        """Run ``work``; its result and its duration in milliseconds, everything before it having finished."""
        import torch

        torch.cuda.synchronize(self._device)
        event: Any = torch.cuda.Event
        begun, ended = event(enable_timing=True), event(enable_timing=True)
        with torch.cuda.device(self._device):
            begun.record()
            result = work()
            ended.record()
        torch.cuda.synchronize(self._device)
        return result, float(begun.elapsed_time(ended))


def timer_for(device: str) -> Any:
    """The timer for ``device``."""
    return CudaTimer(device) if device.startswith("cuda") else ClockTimer()
