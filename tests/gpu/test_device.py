"""Care for production on a real device: NVML's figures, the lock, room, and neighbours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kronos_health.domain.probes import Outcome
from kronos_health.probe.gpu import NvmlGpu
from kronos_health.probe.locks import LockBusy, acquire
from tests.gpu.conftest import RunProbe

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]

HELD_MB = 1024
_NEIGHBOUR = f"""
import sys, torch
held = torch.zeros({HELD_MB} * 1024 * 256, device="cuda")
torch.cuda.synchronize()
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def neighbour() -> Iterator[int]:
    """Another program that holds :data:`HELD_MB` MiB of the device; its pid."""
    process = subprocess.Popen([sys.executable, "-c", _NEIGHBOUR], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


def it_reads_free_memory_and_sees_a_neighbour_take_it(gpu: NvmlGpu) -> None:
    before, others = gpu.free_mb(), gpu.processes()
    with neighbour() as pid:
        taken, now = before - gpu.free_mb(), gpu.processes()
    assert taken > 0.9 * HELD_MB
    assert pid in now or len(now) >= len(others)  # in a container the driver may number or hide processes


def it_names_the_same_device_as_torch(gpu: NvmlGpu) -> None:
    import torch

    name = str(torch.cuda.get_device_properties(0).uuid)
    assert gpu.uuid.removeprefix("GPU-").startswith(name.removeprefix("GPU-"))


def it_locks_the_device_by_its_own_name(gpu: NvmlGpu, probing: RunProbe, tmp_path: Path) -> None:
    with acquire(tmp_path / f"gpu-{gpu.uuid}.lock", "somebody else"):
        result = probing("eager", gpu_lock_dir=tmp_path)
    assert result.outcome is Outcome.SKIPPED
    assert "another probe has the GPU" in (result.skipped_reason or "")
    assert "somebody else" in (result.skipped_reason or "")


def it_holds_the_lock_while_it_probes_and_frees_it_after(gpu: NvmlGpu, probing: RunProbe, tmp_path: Path) -> None:
    assert probing("eager", gpu_lock_dir=tmp_path).outcome is Outcome.PASSED
    lock = tmp_path / f"gpu-{gpu.uuid}.lock"
    assert lock.exists()
    try:
        with acquire(lock, "the test"):
            pass
    except LockBusy:
        pytest.fail("the lock outlived its probe")


def it_stays_away_from_a_full_device(gpu: NvmlGpu, probing: RunProbe) -> None:
    result = probing("eager", min_free_gpu_mb=gpu.free_mb() + 100_000)
    assert result.outcome is Outcome.SKIPPED
    assert "production goes first" in (result.skipped_reason or "")


def it_flags_a_neighbour_where_the_driver_shows_any(gpu: NvmlGpu, probing: RunProbe) -> None:
    with neighbour():
        shown = gpu.processes()
        result = probing("eager")
    if not shown:
        pytest.skip(f"the driver shows no processes here (container of pid {os.getpid()})")
    assert any("foreign process" in reason for reason in result.noise)
