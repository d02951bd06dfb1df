"""What the notes expect of CUDA, asked of a device: stock breaks, the mitigated variants hold and replay graphs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.support.variant_table import agreement
from kronos_health.domain.probes import Outcome, ProbeResult
from kronos_health.probe.variants import BUILT_IN
from kronos_health.settings.models import Target
from tests.gpu.conftest import PLANTED, RunProbe

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(900)]

Results = Callable[[str], ProbeResult]
MITIGATED = ("compiled_static_rope_clone", "compiled_static_rope_mark_step", "compiled_whole_step")
COMPILED = [variant.name for variant in BUILT_IN if variant.compiled]


def _passed(result: ProbeResult) -> ProbeResult:
    assert result.outcome is Outcome.PASSED, result.failure or result.skipped_reason
    return result


def it_runs_eager_and_measures_the_device(measured: Results) -> None:
    result = _passed(measured("eager"))
    assert result.environment is not None
    assert (result.environment.device, result.environment.timing_method) == ("cuda", "cuda_event")
    assert result.environment.gpu
    assert result.environment.driver
    assert (result.iterations[0].memory.device_allocated_mb or 0) > 0


def it_reproduces_the_error_of_production_with_stock(measured: Results) -> None:
    result = measured("compiled")
    assert result.outcome is Outcome.GRAPH_REUSE, result.failure
    assert result.failure is not None
    assert "accessing tensor output of CUDAGraphs that has been overwritten" in result.failure.message
    assert result.failure.frame is not None
    assert result.failure.frame.file.endswith(("module.py", "kronos.py"))


@pytest.mark.parametrize("variant", MITIGATED)
def it_passes_and_replays_with_a_mitigation(variant: str, measured: Results) -> None:
    counted = _passed(measured(variant)).iterations[0].counters
    assert (counted.cudagraph_replays or 0) > 0
    assert (counted.cudagraph_skips, counted.recompile_limit_hits) == (0, 0)


def it_passes_without_replays_where_no_graphs_are_wanted(measured: Results) -> None:
    counted = _passed(measured("compiled_no_cudagraphs")).iterations[0].counters
    assert not counted.cudagraph_replays
    assert counted.frames_ok == counted.frames_total > 0


@pytest.mark.parametrize("variant", COMPILED)
def it_is_rehearsed_as_it_ends_on_cuda(variant: str, measured: Results, rehearsed: Results) -> None:
    device, emulated = measured(variant), rehearsed(variant)
    agrees = agreement(device.outcome, emulated.outcome)
    if agrees is None:
        pytest.skip(f"no verdict on the lifetime rule: {device.outcome} on CUDA, {emulated.outcome} rehearsed")
    assert agrees, f"{device.outcome} on CUDA ({device.failure}), {emulated.outcome} rehearsed ({emulated.failure})"


class DescribeOutputsThatAreKept:
    target = Target(loader="graphs:make", python_path=(PLANTED,))

    def it_sees_a_silent_overwrite(self, probing: RunProbe) -> None:
        result = probing("graphs:without_trees", self.target)
        assert result.outcome is Outcome.SILENT_OVERWRITE, result.failure
        assert result.failure is not None
        assert "changed while being kept" in result.failure.message

    def it_sees_torchs_own_refusal_where_outputs_are_guarded(self, probing: RunProbe) -> None:
        assert probing("graphs:with_trees", self.target).outcome is Outcome.GRAPH_REUSE
