"""When COMPILED may be proposed, and when a figure counts as worse."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kronos_health.settings.models.section import Count, Positive, Section


class Revisit(Section):
    """When COMPILED may be proposed."""

    required_iterations: Count = Field(5, description="criterion 3: N of N")
    accuracy_margin: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="non-inferiority margin, share of naive error"
    )
    minimum_pairs: Annotated[int, Field(ge=2)] = 12
    minimum_speed_up: Positive = 1.1
    maximum_memory_ratio: Positive = 1.5
    stale_after_days: Positive = 7.0


class Regression(Section):
    """When a figure of passing probes got worse."""

    minimum_sample: Annotated[int, Field(ge=3)] = Field(6, description="probes before it that a figure is held against")
    window: Annotated[int, Field(ge=3)] = Field(30, description="the newest so many of them are looked at")
    threshold: Positive = Field(5.0, description="robust standard deviations from their median")
    minimum_change: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.05, description="smaller changes of latency or memory are none, as a share"
    )
    minimum_compile_change: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="the same of compile times, which scatter more"
    )
    accepted_after: Annotated[int, Field(ge=3)] = Field(
        30, description="after so many probes at a worse level it is the new normal"
    )
    count_disturbed: bool = Field(
        False, description="true: probes flagged as noisy count, e.g. where production always shares the GPU"
    )
