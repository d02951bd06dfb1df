"""A busy machine marks the figures that were taken on it."""

from __future__ import annotations

import pytest

from kronos_health.probe.noise import CpuSnapshot, cpu_noise

BEFORE = CpuSnapshot(at=0.0, busy=1000.0, stolen=50.0, own=10.0, cores=2)


@pytest.mark.parametrize(
    ("busy", "stolen", "own", "reasons"),
    [
        (1020.0, 50.0, 30.0, ()),  # all 20 s of it our own
        (1023.0, 50.0, 30.0, ()),  # a little of others
        (1020.0, 50.0, 20.0, ("other programs used 50% of the processors during iteration 3",)),
        (1010.0, 58.0, 20.0, ("the hypervisor took 40% of the processors during iteration 3",)),
    ],
)
def it_knows_others_from_its_own(busy: float, stolen: float, own: float, reasons: tuple[str, ...]) -> None:
    after = CpuSnapshot(at=10.0, busy=busy, stolen=stolen, own=own, cores=2)
    assert cpu_noise(BEFORE, after, iteration=3) == reasons


def it_says_nothing_of_no_time() -> None:
    assert cpu_noise(BEFORE, BEFORE, iteration=1) == ()


def it_reads_the_machine() -> None:
    one, other = CpuSnapshot.take(), CpuSnapshot.take()
    assert one.cores >= 1
    assert other.at >= one.at
    assert other.busy >= one.busy > 0
