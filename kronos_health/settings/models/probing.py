"""How probes run, and on what series."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from kronos_health.settings.models.hours import Blackout
from kronos_health.settings.models.section import Count, Positive, Section


class Evaluation(Section):
    """The series that forecasts are scored on, and production's window."""

    csv: Path | None = Field(None, description="OHLCV file; default: a seeded synthetic series")
    rows: Count = 600
    synthetic_seed: int = 20251030
    lookback: Annotated[int, Field(ge=8)] = 256
    pred_len: Count = 1
    sample_count: Count = 8
    max_context: Annotated[int, Field(ge=8)] = 256


class Probe(Section):
    """How probes run."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    iterations: Count = 5
    predictions: Annotated[int, Field(ge=2)] = 4
    warmups: Annotated[tuple[Annotated[int, Field(ge=0, le=100)], ...], Field(max_length=50)] = Field(
        (0, 1, 2, 3, 5),
        description="warm-up calls of compiled variants before their predictions: each iteration takes the next number",
    )
    seed: int = 1000
    accuracy_windows: Annotated[int, Field(ge=0)] = Field(
        16,
        description="frozen windows on which logits are compared with a float64 copy; under 16 never pass, 0: none",
    )
    regimes: tuple[Literal["saturated", "growing"], ...] = ("saturated",)
    variants: tuple[str, ...] = ("eager", "compiled")
    targets: tuple[str, ...] = ("kronos",)
    rehearse: Literal["auto", "always", "never"] = Field("auto", description="auto: where there is no CUDA")
    rehearsal_iterations: Count = 5
    iteration_deadline_seconds: Positive = 900.0
    memory_limit_mb: Positive | None = Field(
        None, description="resident memory of the child's whole tree; None: 80 % of the machine's free memory"
    )
    min_free_gpu_mb: Positive = Field(4096.0, description="a probe is skipped when the GPU has less free")
    gpu_lock_wait_seconds: Annotated[float, Field(ge=0)] = 0.0
    gpu_lock_dir: Path | None = Field(
        None, description="folder of the lock file per GPU; None: <state_dir>/locks. Installations on a host share one"
    )
    nice: Annotated[int, Field(ge=0, le=19)] = Field(10, description="how far probes stand back for other programs")
    blackout: tuple[Blackout, ...] = Field((), description="windows in which no probe runs, e.g. market hours")
    threads: Count | None = None
    evaluation: Evaluation = Evaluation()
