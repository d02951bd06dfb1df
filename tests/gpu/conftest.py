"""Real probes on a real CUDA device; without one, every test here says so and is skipped."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kronos_health.domain.probes import EvaluationSpec, ProbeKind, ProbeResult, ProbeSpec
from kronos_health.probe.gpu import NvmlGpu
from kronos_health.probe.plan import smaller
from kronos_health.probe.supervisor import run_probe
from kronos_health.probe.variants import find_variant
from kronos_health.settings.models import Probe, Target

PLANTED = Path(__file__).parent / "planted"
RunProbe = Callable[..., ProbeResult]


@pytest.fixture(scope="session", autouse=True)
def cuda() -> None:
    """Here, not at import: collecting on a machine without CUDA must not cost the import of torch."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip(f"there is no CUDA device here (torch {torch.__version__} sees none): run this on a GPU host")


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gpu") / "state"


@pytest.fixture
def gpu() -> NvmlGpu:
    return NvmlGpu.open(os.environ.get("CUDA_VISIBLE_DEVICES"))


@pytest.fixture(scope="session")
def probing(state: Path) -> RunProbe:
    """``probing(variant, target=…, …)``: one fresh iteration on CUDA of a small Kronos, or of another target."""

    def run(
        variant: str, target: Target | None = None, kind: ProbeKind = ProbeKind.MEASURED, **probe: Any
    ) -> ProbeResult:
        evaluation = smaller(EvaluationSpec()) if kind is ProbeKind.REHEARSED else EvaluationSpec()
        spec = ProbeSpec("kronos", variant, kind=kind, iterations=1, evaluation=evaluation)
        settings = Probe(device="cuda", **({"min_free_gpu_mb": 1024.0} | probe))
        wanted = target or Target(size="mini")
        return run_probe(spec, find_variant(variant), wanted, settings, state, lambda: datetime.now(UTC))

    return run


@pytest.fixture(scope="session")
def measured(probing: RunProbe) -> Callable[[str], ProbeResult]:
    """The variant on CUDA, probed once however many tests ask."""
    return cache(lambda variant: probing(variant))


@pytest.fixture(scope="session")
def rehearsed(probing: RunProbe) -> Callable[[str], ProbeResult]:
    """The variant under the emulated rule, once."""
    return cache(lambda variant: probing(variant, kind=ProbeKind.REHEARSED))
