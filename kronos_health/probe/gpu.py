"""The GPU, as NVIDIA's own library (NVML) tells it: is there room, who else is on it, does it slow itself down.

NVML reads; it needs neither torch nor a CUDA context, so looking costs the GPU nothing. Production runs on the same
GPU, so another process is no reason to stay away: too little free memory is, and a neighbour makes the figures noisy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

LOOK_EVERY_SECONDS = 2.0
# Names of NVML's nvmlClocksEventReason bits that mean "slower than it could be"; power capping under load is normal.
_SLOWDOWNS = {
    0x08: "hardware slowdown",
    0x20: "thermal slowdown (software)",
    0x40: "thermal slowdown (hardware)",
    0x80: "power brake",
}


class GpuUnavailable(Exception):
    """No GPU can be looked at; the text says why and what to do."""


class Gpu(Protocol):
    """One GPU. Figures in MiB; processes by pid as the driver numbers them."""

    @property
    def uuid(self) -> str:
        """The GPU's own name, the same for every program and container."""

    def free_mb(self) -> float:
        """Free device memory."""

    def processes(self) -> frozenset[int]:
        """Who has a context on it."""

    def slowdowns(self) -> tuple[str, ...]:
        """Why it runs slower than it could, now."""


FindGpu = Callable[[str | None], Gpu]  # takes CUDA_VISIBLE_DEVICES; raises GpuUnavailable


class NvmlGpu:
    """The GPU that CUDA device 0 of a child with this environment will be."""

    def __init__(self, handle: Any, nvml: Any) -> None:
        self._handle, self._nvml = handle, nvml

    @classmethod
    def open(cls, visible: str | None) -> NvmlGpu:
        """``visible`` is CUDA_VISIBLE_DEVICES: its first entry, an index or a UUID, is the one.

        Raises :class:`GpuUnavailable` when NVML cannot be loaded, or the device is not there.
        """
        import pynvml

        first = (visible or "0").split(",")[0].strip()
        try:
            pynvml.nvmlInit()
            return cls(_find(pynvml, first), pynvml)
        except pynvml.NVMLError as error:
            raise GpuUnavailable(
                f"the GPU {first} cannot be looked at ({error}), so its free memory is unknown. "
                "NVML (libnvidia-ml.so.1) comes with NVIDIA's driver; a container needs NVIDIA_DRIVER_CAPABILITIES=all."
            ) from error

    @property
    def uuid(self) -> str:
        """The GPU's UUID."""
        return str(self._nvml.nvmlDeviceGetUUID(self._handle))

    def free_mb(self) -> float:
        """Free device memory in MiB. Raises :class:`GpuUnavailable` when the driver does not answer."""
        try:
            return float(self._nvml.nvmlDeviceGetMemoryInfo(self._handle).free) / 1024 / 1024
        except self._nvml.NVMLError as error:
            raise GpuUnavailable(f"the GPU's driver does not tell its free memory ({error})") from error

    def processes(self) -> frozenset[int]:
        """Processes with a compute context; in a container the driver may hide them or number them its own way.

        Raises :class:`GpuUnavailable` when the driver does not answer.
        """
        try:
            running = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        except self._nvml.NVMLError as error:
            raise GpuUnavailable(f"the GPU's driver does not tell who uses it ({error})") from error
        return frozenset(int(process.pid) for process in running)

    def slowdowns(self) -> tuple[str, ...]:
        """Why the clocks are lower than they could be."""
        try:
            bits = int(self._nvml.nvmlDeviceGetCurrentClocksEventReasons(self._handle))
        except self._nvml.NVMLError:  # not every GPU tells
            return ()
        return slowdown_words(bits)


def _find(nvml: Any, first: str) -> Any:
    if first.isdigit():
        return nvml.nvmlDeviceGetHandleByIndex(int(first))
    if first.startswith("MIG-"):
        return nvml.nvmlDeviceGetHandleByUUID(first)
    for index in range(nvml.nvmlDeviceGetCount()):  # CUDA takes the beginning of a UUID too
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        if str(nvml.nvmlDeviceGetUUID(handle)).startswith(first):
            return handle
    raise nvml.NVMLError(nvml.NVML_ERROR_NOT_FOUND)


def slowdown_words(bits: int) -> tuple[str, ...]:
    """The words for the bits that matter."""
    return tuple(word for bit, word in _SLOWDOWNS.items() if bits & bit)


def foreign_processes(
    now: Iterable[int], own: Iterable[int], exists: Callable[[int], bool] = lambda pid: Path(f"/proc/{pid}").exists()
) -> tuple[int, ...]:
    """Who of ``now`` does not belong to the probe.

    In a container the driver may number processes by the host: a pid that does not exist here cannot be told from our
    own child's, so one such pid is taken for it unless our child is listed by its own number.
    """
    strangers = sorted(set(now) - set(own))
    unknown = [pid for pid in strangers if not exists(pid)]
    if unknown and not set(now) & set(own):
        strangers.remove(unknown[-1])
    return tuple(strangers)


def called(pid: int) -> str:
    """A process for people: its number, and its program's name where this machine knows it."""
    try:
        return f"{pid} ({Path(f'/proc/{pid}/comm').read_text().strip()})"
    except OSError:  # of another container, or it has ended
        return f"{pid} (not visible from here)"


class GpuWatch:
    """Looks at the GPU before a child starts and now and then while it runs, and keeps what disturbs its figures."""

    def __init__(self, gpu: Gpu, clock: Callable[[], float] = time.monotonic) -> None:
        self._gpu, self._clock = gpu, clock
        self._looked_at = float("-inf")
        self._before: frozenset[int] = frozenset()
        self.noise: dict[str, None] = {}  # a set that keeps its order

    def look_before(self) -> None:
        """Note who is there before the child is: nothing of ours runs yet, so that none of them can be taken for it."""
        try:
            self._before = self._gpu.processes()
        except GpuUnavailable as error:
            self.noise[str(error)] = None
        self._note(sorted(self._before))

    def look(self, own: Callable[[], Iterable[int]]) -> None:
        """Look, when the last look is long enough ago; ``own`` gives the pids of the probe's processes."""
        if self._clock() - self._looked_at < LOOK_EVERY_SECONDS:
            return
        self._looked_at = self._clock()
        try:
            strangers = foreign_processes(self._gpu.processes() - self._before, own())
        except GpuUnavailable as error:
            self.noise[str(error)] = None
            return
        self._note(strangers)
        for word in self._gpu.slowdowns():
            self.noise[f"the GPU was slowed down: {word}"] = None

    def _note(self, strangers: Iterable[int]) -> None:
        for pid in strangers:
            self.noise[f"foreign process {called(pid)} on the GPU"] = None
