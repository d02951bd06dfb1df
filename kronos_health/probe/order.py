"""The order for a worker (protocol version 1), made from settings: everything it may know, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kronos_health.domain.probes import ProbeKind, ProbeSpec
from kronos_health.probe.events import PROTOCOL_VERSION
from kronos_health.probe.variants import Variant
from kronos_health.settings.models import Target


def worker_order(
    spec: ProbeSpec, variant: Variant, target: Target, device: str, iteration: int, threads: int | None
) -> dict[str, Any]:
    """The spec of one iteration as JSON-ready values; paths are made absolute, since the child works elsewhere."""
    evaluation = spec.evaluation
    return {
        "protocol": PROTOCOL_VERSION,
        "kind": spec.kind.value,
        "target": {
            "name": spec.target,
            "loader": target.loader,
            "size": target.size,
            "checkout": str(target.checkout.absolute()) if target.checkout else None,
            "weights": _folder_or_hub_id(target.weights),
            "tokenizer": _folder_or_hub_id(target.tokenizer),
            "python_path": [str(path.absolute()) for path in target.python_path],
            "options": dict(target.options),
        },
        "variant": {"name": variant.name, "recipe": variant.recipe, "options": dict(variant.options)},
        "device": "cuda:0" if device == "cuda" else device,
        "regime": spec.regime.value,
        "iteration": iteration,
        "warmups": spec.warmups_of(iteration),
        "predictions": spec.predictions,
        "seed": spec.seed,
        "evaluation": {
            "csv": str(Path(evaluation.csv).absolute()) if evaluation.csv else None,
            "rows": evaluation.rows,
            "synthetic_seed": evaluation.synthetic_seed,
            "lookback": evaluation.lookback,
            "pred_len": evaluation.pred_len,
            "sample_count": evaluation.sample_count,
            "max_context": evaluation.max_context,
        },
        "threads": threads,
        # One process a probe is enough: logits draw nothing. A rehearsal's figures are none.
        "accuracy_windows": spec.accuracy_windows if iteration == 0 and spec.kind is ProbeKind.MEASURED else 0,
    }


def _folder_or_hub_id(name: str) -> str:
    return str(Path(name).absolute()) if name and Path(name).exists() else name
