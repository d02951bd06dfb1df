"""The order a worker is given, read from JSON and checked key by key. Unknown keys are ignored (forward compatible)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import BadInput
from .protocol import PROTOCOL_VERSION

KINDS = ("measured", "rehearsed")
REGIMES = ("saturated", "growing")
SIZES = ("auto", "tiny", "mini", "small", "base")
SEEDS_PER_ITERATION = 1000  # prediction k of iteration i is seeded with seed + 1000 i + k, whatever the variant


@dataclass(frozen=True)
class TargetSpec:
    """Which model to load, and how. Paths are absolute; ``options`` go to the loader."""

    name: str = "kronos"
    loader: str = "kronos"
    size: str = "auto"
    checkout: str | None = None
    weights: str = ""
    tokenizer: str = ""
    python_path: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class VariantSpec:
    """Which recipe to run the target by: the name of a built-in one or ``module:function``."""

    name: str = "eager"
    recipe: str = "eager"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationSpec:
    """The series and window to forecast; lengths in rows."""

    csv: str | None = None
    rows: int = 600
    synthetic_seed: int = 20251030
    lookback: int = 256
    pred_len: int = 1
    sample_count: int = 8
    max_context: int = 256


@dataclass(frozen=True)
class WorkerSpec:
    """One iteration: what this process loads, compiles and predicts, after so many calls to warm up."""

    kind: str = "measured"
    target: TargetSpec = field(default_factory=TargetSpec)
    variant: VariantSpec = field(default_factory=VariantSpec)
    device: str = "cpu"
    regime: str = "saturated"
    iteration: int = 0
    warmups: int = 0
    predictions: int = 4
    seed: int = 1000
    evaluation: EvaluationSpec = field(default_factory=EvaluationSpec)
    threads: int | None = None
    accuracy_windows: int = 0  # 0: logits are not compared

    @property
    def rehearsed(self) -> bool:
        """True when compiled code runs under the emulated lifetime rule instead of being compiled."""
        return self.kind == "rehearsed"

    @property
    def run_device(self) -> str:
        """Where the model runs: a rehearsal stays on the CPU."""
        return "cpu" if self.rehearsed else self.device

    def seed_of(self, prediction: int) -> int:
        """The seed of prediction ``prediction``: the same for every variant, so that forecasts can be paired."""
        return self.seed + SEEDS_PER_ITERATION * self.iteration + prediction


def read_spec(path: str) -> WorkerSpec:
    """Read and check the spec file at ``path``; raises :class:`BadInput` naming the key that is wrong."""
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"the spec {path} cannot be read as JSON: {error}") from error
    return parse_spec(raw)


def parse_spec(raw: Any) -> WorkerSpec:
    """Check a decoded spec; raises :class:`BadInput` naming the key that is wrong."""
    table = _table(raw, "the spec")
    protocol = table.get("protocol", PROTOCOL_VERSION)
    if protocol != PROTOCOL_VERSION:
        raise BadInput(
            f"the spec speaks protocol {protocol!r}, this worker {PROTOCOL_VERSION}: update the older of the two"
        )
    return WorkerSpec(
        kind=_one_of(table, "kind", KINDS),
        target=_target(_table(table.get("target", {}), "target")),
        variant=_variant(_table(table.get("variant", {}), "variant")),
        device=_device(table),
        regime=_one_of(table, "regime", REGIMES),
        iteration=_count(table, "iteration", 0, at_least=0),
        warmups=_count(table, "warmups", 0, at_least=0),
        predictions=_count(table, "predictions", 4),
        seed=_count(table, "seed", 1000, at_least=0),
        evaluation=_evaluation(_table(table.get("evaluation", {}), "evaluation")),
        threads=None if table.get("threads") is None else _count(table, "threads", 1),
        accuracy_windows=_count(table, "accuracy_windows", 0, at_least=0),
    )


def _target(table: Mapping[str, Any]) -> TargetSpec:
    loader = _text(table, "loader", "kronos", "target.")
    return TargetSpec(
        name=_text(table, "name", loader, "target."),
        loader=loader,
        size=_one_of(table, "size", SIZES, "target."),
        checkout=_text(table, "checkout", "", "target.") or None,
        weights=_text(table, "weights", "", "target."),
        tokenizer=_text(table, "tokenizer", "", "target."),
        python_path=tuple(str(path) for path in table.get("python_path") or ()),
        options=dict(_table(table.get("options") or {}, "target.options")),
    )


def _variant(table: Mapping[str, Any]) -> VariantSpec:
    recipe = _text(table, "recipe", "eager", "variant.")
    options = dict(_table(table.get("options") or {}, "variant.options"))
    return VariantSpec(name=_text(table, "name", recipe, "variant."), recipe=recipe, options=options)


def _evaluation(table: Mapping[str, Any]) -> EvaluationSpec:
    default = EvaluationSpec()
    counts = {
        key: _count(table, key, getattr(default, key), prefix="evaluation.")
        for key in ("rows", "lookback", "pred_len", "sample_count", "max_context")
    }
    seed = _count(table, "synthetic_seed", default.synthetic_seed, at_least=0, prefix="evaluation.")
    return EvaluationSpec(csv=_text(table, "csv", "", "evaluation.") or None, synthetic_seed=seed, **counts)


def _device(table: Mapping[str, Any]) -> str:
    device = _text(table, "device", "cpu")
    if device != "cpu" and device != "cuda" and not device.startswith("cuda:"):
        raise BadInput(f'device is {device!r} in the spec; use "cpu", "cuda" or "cuda:0"')
    return device


def _table(value: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{key} must be a JSON object, not {type(value).__name__}")
    return value


def _text(table: Mapping[str, Any], key: str, default: str, prefix: str = "") -> str:
    value = table.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise BadInput(f"{prefix}{key} must be text in the spec, not {value!r}")
    return value


def _one_of(table: Mapping[str, Any], key: str, choices: tuple[str, ...], prefix: str = "") -> str:
    value = _text(table, key, choices[0], prefix)
    if value not in choices:
        raise BadInput(f"{prefix}{key} is {value!r} in the spec; use one of {', '.join(choices)}")
    return value


def _count(table: Mapping[str, Any], key: str, default: int, *, at_least: int = 1, prefix: str = "") -> int:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise BadInput(f"{prefix}{key} must be a whole number of at least {at_least} in the spec, not {value!r}")
    return value
