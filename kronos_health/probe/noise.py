"""Who else used the processors while an iteration ran: the figures of a busy machine are marked, not hidden."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass

import psutil

NOISY_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class CpuSnapshot:
    """Seconds: wall time, the machine's busy and stolen processor time, and what our ended children used of it."""

    at: float
    busy: float
    stolen: float
    own: float
    cores: int

    @classmethod
    def take(cls) -> CpuSnapshot:
        """The state now; children count once they have ended."""
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        stolen = getattr(times, "steal", 0.0)
        guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # contained in user and nice
        ours = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
        return cls(
            at=time.monotonic(),
            busy=sum(times) - idle - guest - stolen,
            stolen=stolen,
            own=sum(usage.ru_utime + usage.ru_stime for usage in ours),
            cores=os.cpu_count() or 1,
        )


def cpu_noise(before: CpuSnapshot, after: CpuSnapshot, iteration: int) -> tuple[str, ...]:
    """Reasons to distrust the times of an iteration on the CPU: other programs, or a hypervisor that took a share."""
    capacity = (after.at - before.at) * after.cores
    if capacity <= 0:
        return ()
    others = (after.busy - before.busy - (after.own - before.own)) / capacity
    stolen = (after.stolen - before.stolen) / capacity
    reasons = []
    if others > NOISY_SHARE:
        reasons.append(f"other programs used {others:.0%} of the processors during iteration {iteration}")
    if stolen > NOISY_SHARE:
        reasons.append(f"the hypervisor took {stolen:.0%} of the processors during iteration {iteration}")
    return tuple(reasons)
