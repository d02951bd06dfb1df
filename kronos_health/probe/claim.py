"""Whether a probe may run now, and where: device, lock and room on the GPU. Every no is a reason for people."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from kronos_health.domain.probes import ProbeKind
from kronos_health.probe.blackout import closed_until, until_in_words
from kronos_health.probe.gpu import FindGpu, Gpu, GpuUnavailable, NvmlGpu
from kronos_health.probe.interpreter import Interpreter, inspect
from kronos_health.probe.locks import HeldLock, LockBusy, acquire
from kronos_health.settings.models import Probe, Target


class Skipped(Exception):
    """The probe does not run now; the text says why. Nothing is wrong with the model or the target."""


class Postponed(Skipped):
    """The clock stands in a blackout window; the probe may run from ``until`` (aware UTC) on."""

    def __init__(self, reason: str, until: datetime) -> None:
        super().__init__(reason)
        self.until = until


def require_open(probe: Probe, kind: ProbeKind, now: datetime) -> None:
    """Raise :class:`Postponed` while a window of ``probe.blackout`` that counts for ``kind`` holds ``now``."""
    windows = [window for window in probe.blackout if kind is ProbeKind.MEASURED or window.rehearsals]
    until = closed_until(windows, now)
    if until is not None:
        raise Postponed(
            f"[[probe.blackout]] leaves the machine to production {until_in_words(windows, now, until)}. "
            "It runs when a schedule falls outside, or now by hand: kronos-health probe --ignore-blackout",
            until,
        )


def target_device(name: str, target: Target, probe: Probe, state_dir: Path) -> str:
    """``cuda`` or ``cpu``: where a measured probe of target ``name`` would run (setting ``probe.device``).

    Raises ``TargetProblem`` when its interpreter cannot be used; asks it once per process.
    """
    if probe.device != "auto":
        return probe.device
    return "cuda" if inspect(name, target, state_dir).cuda else "cpu"


def choose_device(kind: ProbeKind, wanted: str, interpreter: Interpreter) -> str:
    """``cuda`` or ``cpu``; a rehearsal stays on the CPU. Raises :class:`Skipped` when CUDA is wanted and not seen."""
    if kind is ProbeKind.REHEARSED or wanted == "cpu":
        return "cpu"
    if interpreter.cuda:
        return "cuda"
    if wanted == "cuda":
        raise Skipped(
            f'probe.device = "cuda", but torch {interpreter.torch} of {interpreter.path} sees no CUDA device. '
            'Check the driver and CUDA_VISIBLE_DEVICES, or set probe.device = "auto".'
        )
    return "cpu"


@contextlib.contextmanager
def claimed_gpu(
    probe: Probe, state_dir: Path, note: str, find: FindGpu = NvmlGpu.open
) -> Iterator[tuple[Gpu, HeldLock]]:
    """The GPU, locked against other probes and with enough memory free.

    Raises :class:`Skipped` when it cannot be looked at, stays taken for ``gpu_lock_wait_seconds``, or is too full.
    """
    try:
        gpu = find(os.environ.get("CUDA_VISIBLE_DEVICES"))
    except GpuUnavailable as error:
        raise Skipped(str(error)) from error
    # Named by the GPU, so that hosts which share the folder over a network do not wait for each other's.
    folder = probe.gpu_lock_dir or state_dir / "locks"
    try:
        lock = acquire(folder / f"gpu-{gpu.uuid}.lock", note, probe.gpu_lock_wait_seconds)
    except LockBusy as error:
        raise Skipped(f"another probe has the GPU ({error}). It runs at the next schedule.") from error
    except OSError as error:
        raise Skipped(
            f"the GPU cannot be locked in {folder} ({error}). "
            "Name a folder on a disk of this host in probe.gpu_lock_dir."
        ) from error
    with lock:
        require_room(gpu, probe.min_free_gpu_mb)
        yield gpu, lock


def require_room(gpu: Gpu, wanted_mb: float) -> None:
    """Raise :class:`Skipped` unless the GPU has ``wanted_mb`` MiB free."""
    try:
        free = gpu.free_mb()
    except GpuUnavailable as error:
        raise Skipped(str(error)) from error
    if free < wanted_mb:
        raise Skipped(
            f"the GPU has {free:,.0f} MiB free and probe.min_free_gpu_mb asks for {wanted_mb:,.0f}: "
            "production goes first. It runs when there is room."
        )
