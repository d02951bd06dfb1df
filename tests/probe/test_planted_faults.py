"""Planted faults, each found and named: the real worker under the real supervisor, as in production.

docs/outcomes.md lists them. Compiled ones are traced for real, but no code is generated.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kronos_health.domain.probes import Outcome, ProbeKind, ProbeResult, ProbeSpec
from kronos_health.probe.supervisor import run_probe
from kronos_health.probe.variants import find_variant
from kronos_health.settings.models import Probe, Target

pytestmark = pytest.mark.timeout(900)  # several processes that import torch, on a machine that may be busy

PLANTED = Path(__file__).parent / "worker" / "planted"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
MEASURED, REHEARSED = ProbeKind.MEASURED, ProbeKind.REHEARSED
# What is planted: target, its fault, the variant, kind, predictions.
FAULTS: dict[str, tuple[str, str, str, ProbeKind, int]] = {
    "nothing": ("bins:make", "", "bins:faithful", MEASURED, 4),
    "SIGSEGV": ("toys:make", "segfault", "eager", MEASURED, 2),
    "out of memory": ("toys:make", "torch memory", "eager", MEASURED, 2),
    "NaN forecast": ("toys:make", "nan", "eager", MEASURED, 2),
    "NaN in logits only": ("bins:make", "", "bins:wrong_only_on_other_windows", MEASURED, 2),
    "leak of 50 MB": ("bins:make", "leak", "eager", MEASURED, 4),
    "silent overwrite": ("toys:make", "keeps an output", "compiled", REHEARSED, 5),
    "graph reuse": ("toys:make", "gives its output away", "compiled", REHEARSED, 5),
    "fallback to eager": ("bins:make", "", "bins:falls_back", MEASURED, 2),
    "compiler breaks": ("toys:make", "", "toys:broken_recipe", MEASURED, 2),
    "bad settings": ("toys:make_nothing", "", "eager", MEASURED, 2),
}


def probed(folder: Path, planted: tuple[str, str, str, ProbeKind, int], deadline: float = 600.0) -> ProbeResult:
    loader, fault, variant, kind, predictions = planted
    spec = ProbeSpec("toy", variant, kind=kind, iterations=1, predictions=predictions, accuracy_windows=16)
    target = Target(loader=loader, python_path=(PLANTED,), options={"fault": fault} if fault else {})
    probe = Probe(device="cpu", iteration_deadline_seconds=deadline)
    return run_probe(spec, find_variant(variant), target, probe, folder / "state", lambda: NOW)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ProbeResult]:
    folder = tmp_path_factory.mktemp("planted")
    with ThreadPoolExecutor(2) as pool:
        started = {
            name: pool.submit(probed, folder / str(number), planted)
            for number, (name, planted) in enumerate(FAULTS.items())
        }
        return {name: future.result() for name, future in started.items()}


Named = Callable[[str, Outcome, str], Any]


@pytest.fixture
def named(results: dict[str, ProbeResult]) -> Named:
    def check(fault: str, outcome: Outcome, words: str) -> ProbeResult:
        result = results[fault]
        assert result.outcome is outcome, result.failure
        assert result.failure is not None
        assert words in result.failure.message
        return result

    return check


def it_passes_where_nothing_is_wrong(results: dict[str, ProbeResult]) -> None:
    result = results["nothing"]
    assert result.outcome is Outcome.PASSED, result.failure
    told = result.iterations[0].logits
    assert told is not None
    assert (told.windows, told.heads[0].finite) == (16, True)
    assert all(one.rss_mb and one.device_mb is None for one in result.iterations[0].predictions)


def it_names_a_crash(named: Named) -> None:
    result = named("SIGSEGV", Outcome.CRASHED, "ended by SIGSEGV while predicting (0 of 2 done)")
    assert result.failure.frame.function == "_segmentation_fault"


def it_names_an_out_of_memory(named: Named) -> None:
    named("out of memory", Outcome.OUT_OF_MEMORY, "can't allocate memory")


def it_names_a_forecast_that_is_not_finite(named: Named) -> None:
    named("NaN forecast", Outcome.ACCURACY, "the forecast is not finite: nan")


def it_names_logits_that_are_not_finite_though_every_forecast_is(named: Named) -> None:
    result = named("NaN in logits only", Outcome.ACCURACY, "the logits of returns are not finite on frozen windows")
    assert all(one.value is not None and one.error is None for one in result.iterations[0].predictions)


def it_names_a_leak(named: Named) -> None:
    result = named("leak of 50 MB", Outcome.MEMORY_LEAK, "with every one of 4 predictions")
    grown = float(result.failure.message.partition("at least ")[2].partition(" MiB")[0])
    assert 40 <= grown <= 60


def it_names_a_silent_overwrite(named: Named) -> None:
    named("silent overwrite", Outcome.SILENT_OVERWRITE, "output 0 of Layers.scale changed while being kept")


def it_names_a_graph_reuse(named: Named) -> None:
    result = named("graph reuse", Outcome.GRAPH_REUSE, "has been overwritten by a subsequent run")
    assert result.failure.frame.code == "return (history * self.weight).sum(-1)"


def it_names_a_fallback_to_eager(named: Named) -> None:
    named("fallback to eager", Outcome.DEGRADED_TO_EAGER, "the recompile limit was hit after")


def it_names_a_compiler_that_breaks(named: Named) -> None:
    named("compiler breaks", Outcome.COMPILE_ERROR, "planted in the compiler")


def it_names_settings_that_cannot_be_used(named: Named) -> None:
    named("bad settings", Outcome.WORKER_ERROR, "has no callable make_nothing")


@pytest.mark.slow
def it_names_a_hang_in_the_compiler_and_since_when(tmp_path: Path) -> None:
    """The deadline leaves a busy machine time to import torch first."""
    planted = ("bins:make", "", "bins:hangs_in_the_compiler", MEASURED, 2)
    result = probed(tmp_path, planted, deadline=90.0)
    assert result.outcome is Outcome.TIMEOUT, result.failure
    assert result.failure is not None
    assert "while compiling, since " in result.failure.message
