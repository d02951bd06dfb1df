"""Claiming the GPU: every no is a reason, and neighbours are noise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kronos_health.domain.probes import ProbeKind
from kronos_health.probe.claim import Skipped, choose_device, claimed_gpu
from kronos_health.probe.gpu import Gpu, GpuUnavailable, GpuWatch, NvmlGpu, called, foreign_processes, slowdown_words
from kronos_health.probe.interpreter import Interpreter
from kronos_health.settings.models import Probe
from tests.probe.gpu_on_paper import GpuOnPaper, finding

WITHOUT_CUDA = Interpreter("/x/python", "3.11.7", "2.13.0+cpu", cuda=False)
WITH_CUDA = Interpreter("/x/python", "3.11.7", "2.13.0", cuda=True)


def it_claims_a_gpu_for_one_probe_at_a_time(tmp_path: Path) -> None:
    gpu = GpuOnPaper()
    with claimed_gpu(Probe(), tmp_path, "process 7: kronos eager", finding(gpu)) as (claimed, lock):
        assert claimed is gpu
        assert lock.descriptor >= 0
        with (
            pytest.raises(Skipped, match="another probe has the GPU \\(process 7: kronos eager\\)"),
            claimed_gpu(Probe(), tmp_path, "me", finding(gpu)),
        ):
            pass
    with claimed_gpu(Probe(), tmp_path, "me", finding(gpu)):
        pass


def it_stays_away_from_a_gpu_without_room(tmp_path: Path) -> None:
    with (
        pytest.raises(Skipped, match=r"1,000 MiB free and probe\.min_free_gpu_mb asks for 4,096"),
        claimed_gpu(Probe(), tmp_path, "me", finding(GpuOnPaper(free=1000.0))),
    ):
        pass
    with claimed_gpu(Probe(min_free_gpu_mb=500.0), tmp_path, "me", finding(GpuOnPaper(free=1000.0))):
        pass  # and the lock was given back


def it_shares_its_lock_with_other_installations_where_they_name_one_folder(tmp_path: Path) -> None:
    shared, gpu = Probe(gpu_lock_dir=tmp_path / "shared"), GpuOnPaper()
    with (
        claimed_gpu(shared, tmp_path / "one", "process 7: kronos eager", finding(gpu)),
        pytest.raises(Skipped, match="another probe has the GPU"),
        claimed_gpu(shared, tmp_path / "other", "me", finding(gpu)),
    ):
        pass


def it_stays_away_from_a_gpu_it_cannot_lock(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    with (
        pytest.raises(Skipped, match=r"cannot be locked in .*a file .* in probe\.gpu_lock_dir"),
        claimed_gpu(Probe(gpu_lock_dir=tmp_path / "a file"), tmp_path, "me", finding(GpuOnPaper())),
    ):
        pass


def it_stays_away_from_a_gpu_it_cannot_look_at(tmp_path: Path) -> None:
    def none(_visible: str | None) -> Gpu:
        raise GpuUnavailable("the GPU 0 cannot be looked at")

    with pytest.raises(Skipped, match="cannot be looked at"), claimed_gpu(Probe(), tmp_path, "me", none):
        pass


def has_a_driver() -> bool:
    try:
        NvmlGpu.open(None)
    except GpuUnavailable:
        return False
    return True


@pytest.mark.skipif(has_a_driver(), reason="this machine has an NVIDIA driver")
def it_says_what_is_missing_where_there_is_no_driver() -> None:
    with pytest.raises(GpuUnavailable, match=r"NVML \(libnvidia-ml.so.1\) comes with NVIDIA's driver"):
        NvmlGpu.open(None)


@pytest.mark.gpu
def it_reads_a_real_gpu() -> None:
    gpu = NvmlGpu.open(None)
    assert gpu.uuid.startswith("GPU-")
    assert gpu.free_mb() > 0
    assert isinstance(gpu.processes(), frozenset)
    assert isinstance(gpu.slowdowns(), tuple)


@pytest.mark.parametrize(
    ("kind", "wanted", "interpreter", "device"),
    [
        (ProbeKind.MEASURED, "auto", WITH_CUDA, "cuda"),
        (ProbeKind.MEASURED, "auto", WITHOUT_CUDA, "cpu"),
        (ProbeKind.MEASURED, "cpu", WITH_CUDA, "cpu"),
        (ProbeKind.MEASURED, "cuda", WITH_CUDA, "cuda"),
        (ProbeKind.REHEARSED, "cuda", WITH_CUDA, "cpu"),
    ],
)
def it_chooses_the_device(kind: ProbeKind, wanted: str, interpreter: Interpreter, device: str) -> None:
    assert choose_device(kind, wanted, interpreter) == device


def it_skips_a_cuda_probe_where_torch_sees_none() -> None:
    with pytest.raises(Skipped, match=r'probe\.device = "cuda", but torch 2\.13\.0\+cpu of /x/python sees no CUDA'):
        choose_device(ProbeKind.MEASURED, "cuda", WITHOUT_CUDA)


@pytest.mark.parametrize(
    ("now", "own", "visible", "foreign"),
    [
        ({10}, {10}, {10}, ()),
        ({10, 99}, {10}, {10, 99}, (99,)),
        (set(), {10}, {10}, ()),
        ({5000}, {10}, {10}, ()),  # a container: our child by the host's number
        ({5000, 6000}, {10}, {10}, (5000,)),
        ({5000, 10}, {10}, {10}, (5000,)),
    ],
)
def it_tells_strangers_from_its_own(now: set[int], own: set[int], visible: set[int], foreign: tuple[int, ...]) -> None:
    assert foreign_processes(now, own, visible.__contains__) == foreign


def it_names_the_slowdowns_that_matter() -> None:
    assert slowdown_words(0x1 | 0x4) == ()  # idle, and power capping, which is normal under load
    assert slowdown_words(0x8 | 0x40) == ("hardware slowdown", "thermal slowdown (hardware)")


def it_never_takes_for_its_own_who_was_there_before() -> None:
    """In a container the driver may number by the host: only the order of arrival tells a neighbour from our child."""
    neighbour, child = 2**22 + 1, 2**22 + 2  # beyond the largest pid: seen by the driver, not from here
    gpu = GpuOnPaper(processes=frozenset({neighbour}))
    watch = GpuWatch(gpu)
    watch.look_before()
    gpu.running = frozenset({neighbour, child})
    watch.look(lambda: [os.getpid()])
    assert list(watch.noise) == [f"foreign process {neighbour} (not visible from here) on the GPU"]


def it_keeps_each_disturbance_once_and_looks_only_now_and_then() -> None:
    clock, here, above = [100.0], os.getpid(), os.getppid()  # two pids that exist
    gpu = GpuOnPaper(processes=frozenset({here, 10}), slow=("power brake",))
    watch = GpuWatch(gpu, lambda: clock[0])
    watch.look(lambda: [10])
    gpu.running = frozenset({above, 10})
    clock[0] += 0.5
    watch.look(lambda: [10])
    assert list(watch.noise) == [f"foreign process {called(here)} on the GPU", "the GPU was slowed down: power brake"]
    clock[0] += 5
    watch.look(lambda: [10])
    assert list(watch.noise)[2:] == [f"foreign process {called(above)} on the GPU"]


def it_goes_on_when_the_driver_stops_answering() -> None:
    class Silent(GpuOnPaper):
        def processes(self) -> frozenset[int]:
            raise GpuUnavailable("the GPU's driver does not tell who uses it (lost)")

    watch = GpuWatch(Silent())
    watch.look_before()
    watch.look(list)
    assert list(watch.noise) == ["the GPU's driver does not tell who uses it (lost)"]
