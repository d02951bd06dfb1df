"""The models under watch, and the environments made to try them in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from kronos_health.settings.models.section import Count, Positive, Section
from kronos_health.settings.models.switching import plain_variables

TOTO = "toto"
LOADERS = ("kronos", "kronos_checkout", "production_wrapper", TOTO)
# How production is told to run a target compiled, by loader.
_COMPILED_ENV = {
    **{loader: {"KRONOS_COMPILE": "1"} for loader in ("kronos", "kronos_checkout", "production_wrapper")},
    TOTO: {"TOTO_DISABLE_COMPILE": "0"},
}
_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class TargetCriteria(Section):
    """What running compiled must reach for this target, beside criteria 3 and 4. ``None``: as the loader has it."""

    recompiles_below: Count | None = Field(None, description="fewer recompilations than this in every process")
    minimum_speed_up: Positive | None = Field(None, description="times as fast as eager, steady state")
    maximum_cudagraph_skips: Annotated[int, Field(ge=0)] | None = Field(
        None, description="CUDA graphs that torch may skip in a process"
    )


# The team's, of 2025-10-30: below 10 recompilations, twice as fast, and no CUDA graph skipped.
_CRITERIA = {TOTO: TargetCriteria(recompiles_below=10, minimum_speed_up=2.0, maximum_cudagraph_skips=0)}


class Target(Section):
    """A model under watch."""

    loader: str = Field(
        "kronos",
        description="kronos (sktime copy), kronos_checkout (upstream checkout), production_wrapper, toto, or "
        "module:factory",
    )
    size: Literal["auto", "mini", "small", "base", "tiny"] = Field(
        "auto", description="auto: mini on CPU, base on CUDA; Toto comes as tiny and base"
    )
    checkout: Path | None = Field(None, description="checkout of upstream Kronos, or of production for its wrapper")
    weights: str = Field("", description="local folder or hub id; empty: seeded random weights")
    tokenizer: str = Field("", description="local folder or hub id of the tokenizer")
    interpreter: Path | None = Field(
        None, description="python that has torch and the model; default: this one, for Toto one made for it"
    )
    python_path: tuple[Path, ...] = Field((), description="folders put on the child's sys.path for module:factory")
    options: dict[str, str] = Field(default_factory=dict, description="handed to the factory as keyword arguments")
    queue: str = Field("", description="Airflow worker queue that has its GPU")
    requirements: tuple[str, ...] = Field(
        (), description="what a made environment needs besides torch; default: what the loader needs"
    )
    compiled_env: dict[str, str] | None = Field(
        None, description="variables by which production runs it compiled; default: by the loader"
    )
    criteria: TargetCriteria = TargetCriteria()

    @field_validator("compiled_env")
    @classmethod
    def _plain_compiled_env(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        return value if value is None else plain_variables(value)

    @field_validator("loader")
    @classmethod
    def _is_a_loader(cls, value: str) -> str:
        if value not in LOADERS and not _FACTORY.fullmatch(value):
            raise ValueError("is no loader")
        return value

    @property
    def criteria_in_force(self) -> TargetCriteria:
        """The criteria beside 3 and 4, each as set, else the loader's own; ``None`` is then not asked for."""
        own = _CRITERIA.get(self.loader, TargetCriteria())
        return own.model_copy(update=self.criteria.model_dump(exclude_none=True))

    @property
    def compiled_env_in_force(self) -> dict[str, str]:
        """The variables that switch it to compiled, as set, else the loader's own; none where neither says."""
        return dict(_COMPILED_ENV.get(self.loader, {})) if self.compiled_env is None else dict(self.compiled_env)


class Candidates(Section):
    """Environments other than production's, made to try targets in."""

    automatic: bool = Field(True, description="whether news that the upstream watch sees is probed by itself")
    variants: tuple[str, ...] = Field(
        (), description="what is tried with news; empty: eager, stock, and every mitigation that keeps CUDA graphs"
    )
    attempts: Count = Field(3, description="how often news is tried while probing itself fails")
    keep_days: Positive = Field(30.0, description="an environment or checkout not used for so long is removed")
    budget_mb: Positive = Field(20_000.0, description="disk space for all of them; the longest unused go first")
    index: str = Field("", description="package index asked beside pip's own, e.g. one with CPU builds of torch")
    cuda_packages: Literal["auto", "allow", "refuse"] = Field(
        "auto", description="whether pip may bring gigabytes of CUDA libraries; auto: where there is a GPU"
    )
    make_deadline_seconds: Positive = Field(3600.0, description="then making an environment is given up")

    @field_validator("index")
    @classmethod
    def _without_password(cls, value: str) -> str:
        if "@" in value.partition("://")[2].partition("/")[0]:
            raise ValueError("must carry no user or password: those belong into pip's own configuration")
        return value
