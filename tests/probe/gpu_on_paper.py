"""A GPU for machines that have none."""

from __future__ import annotations

from collections.abc import Callable

from kronos_health.probe.gpu import Gpu


class GpuOnPaper:
    """A GPU in memory: machines that test this have none, and what is decided from its figures is what is tested."""

    uuid = "GPU-1234"

    def __init__(
        self, free: float = 10_000.0, processes: frozenset[int] = frozenset(), slow: tuple[str, ...] = ()
    ) -> None:
        self.free, self.running, self.slow = free, processes, slow

    def free_mb(self) -> float:
        return self.free

    def processes(self) -> frozenset[int]:
        return self.running

    def slowdowns(self) -> tuple[str, ...]:
        return self.slow


def finding(gpu: Gpu) -> Callable[[str | None], Gpu]:
    return lambda _visible: gpu
