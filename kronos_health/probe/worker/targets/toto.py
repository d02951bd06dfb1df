"""Toto (DataDog's ``toto-ts``, package ``toto``) behind its own ``TotoForecaster``, compiled as in production.

``base`` has the shape of the published Toto-Open-Base-1.0 (151 M parameters); ``tiny`` is this project's own, for
tests. Its attention runs on torch's own kernels: xFormers is not asked for, which is what Toto itself does without it.
"""

# ruff: noqa: TID252 - the folder travels without its package: every import inside is relative

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..errors import BadInput
from ..spec import WorkerSpec
from ..windows import Window
from . import Builder
from .contract import WEIGHTS_SEED
from .revision import digest
from .weights import find_folder, load_weights, read_config

DISTRIBUTION = "toto-ts"
SECONDS_A_DAY = 86_400
COMPUTED = "rotary_emb.freqs"  # stored with the published weights, computed anew by the code; upstream drops it too
TRUTHS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Size:
    """The shape of a model; the rest is as published."""

    embed_dim: int
    num_layers: int
    num_heads: int
    mlp_hidden_dim: int
    components: int

    def config(self) -> dict[str, Any]:
        """Keyword arguments of ``Toto``. The class names are those that published configurations carry."""
        return {
            "patch_size": 64,
            "stride": 64,
            "embed_dim": self.embed_dim,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "mlp_hidden_dim": self.mlp_hidden_dim,
            "dropout": 0.1,
            "spacewise_every_n_layers": self.num_layers,
            "spacewise_first": False,
            "scaler_cls": "<class 'model.scaler.CausalPatchStdMeanScaler'>",
            "output_distribution_classes": ["<class 'model.distribution.MixtureOfStudentTsOutput'>"],
            "output_distribution_kwargs": {"k_components": self.components},
        }


SIZES = {
    "tiny": Size(embed_dim=64, num_layers=4, num_heads=4, mlp_hidden_dim=128, components=8),
    "base": Size(embed_dim=768, num_layers=12, num_heads=12, mlp_hidden_dim=3072, components=24),
}


class TotoTarget:
    """A Toto model behind its forecaster. ``toto`` is the whole, ``model`` the backbone that the forecaster calls."""

    def __init__(self, code: Any, toto: Any, device: str, use_kv_cache: bool, **described: str) -> None:
        self.toto = toto.to(device).eval()
        self.model = self.toto.model
        self._code, self._device, self._use_kv_cache = code, device, use_kv_cache
        self._forecaster = code.TotoForecaster(self.model)
        self.shape = described["shape"]
        self.revision = described["revision"]
        self.weights_revision = described["weights_revision"]

    def compiled_parts(self) -> list[tuple[Any, str]]:
        """What production compiles: the backbone. ``toto.compile()`` would wrap a module that nobody calls."""
        return [(self.model, "forward")]

    def predict(self, window: Window, seed: int) -> Sequence[float]:
        """The medians of the sampled paths after ``window``; torch's seed is set already."""
        forecast = self._forecaster.forecast(
            self._inputs(window),
            prediction_length=window.pred_len,
            num_samples=window.sample_count,
            samples_per_batch=window.sample_count,
            use_kv_cache=self._use_kv_cache,
        )
        return [float(value) for value in forecast.median.flatten().tolist()]

    def _inputs(self, window: Window) -> Any:
        """The closes as one variate, shape ``(1, rows)``; Toto pads the front to whole patches of 64."""
        import torch

        series = torch.tensor([window.closes], dtype=torch.float32, device=self._device)
        return self._code.MaskedTimeseries(
            series=series,
            padding_mask=torch.ones_like(series, dtype=torch.bool),
            id_mask=torch.zeros_like(series, dtype=torch.int),
            timestamp_seconds=torch.zeros_like(series),
            time_interval_seconds=torch.full((1,), SECONDS_A_DAY, device=self._device),
        )


def import_toto(spec: WorkerSpec) -> Builder:
    """Import Toto's code; raises :class:`BadInput` when this interpreter lacks it or something it needs."""
    try:
        from toto.data.util.dataset import MaskedTimeseries
        from toto.inference.forecaster import TotoForecaster
        from toto.model import attention, toto, transformer
    except ImportError as error:
        raise BadInput(
            f"the target {spec.target.name} needs toto-ts in this interpreter, and what its code imports: {error}; "
            "leave target.interpreter away to have an environment made for it"
        ) from error
    code = SimpleNamespace(
        Toto=toto.Toto,
        MaskedTimeseries=MaskedTimeseries,
        TotoForecaster=TotoForecaster,
        fast_attention=attention.XFORMERS_AVAILABLE,
        fused_swiglu=transformer.XFORMERS_SWIGLU_AVAILABLE,
    )
    files = Path(str(toto.__file__)).parent.rglob("*.py")
    revision = f"{DISTRIBUTION}-{_version()}+{digest(files)}"
    return lambda: build(code, spec, revision)


def build(code: Any, spec: WorkerSpec, revision: str) -> TotoTarget:
    """Make the model out of ``code``'s classes; weights from the spec, or random and seeded."""
    use_kv_cache = _kv_cache(spec.target.options)
    name, size = _size(spec)
    reference, what = spec.target.weights, "target.weights"
    folder = find_folder(reference, what) if reference else None
    config = _config(code, folder, size, what)
    try:
        toto = code.Toto(**config)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise BadInput(f"{what}: Toto cannot be built with {sorted(config)}: {error!r}") from error
    weights = f"random:{WEIGHTS_SEED}"
    if folder is not None:
        weights = load_weights(toto, folder, what, lambda state: _renamed(code, state))
        name = _shape_name(config)
    return TotoTarget(
        code, toto, spec.run_device, use_kv_cache, shape=name, revision=revision, weights_revision=f"model {weights}"
    )


def _size(spec: WorkerSpec) -> tuple[str, Size]:
    name = spec.target.size
    if name == "auto":
        name = "base" if spec.run_device.startswith("cuda") else "tiny"
    if name not in SIZES:
        raise BadInput(f"target.size is {name!r}; Toto comes as {' or '.join(SIZES)}")
    return name, SIZES[name]


def _config(code: Any, folder: Path | None, size: Size, what: str) -> dict[str, Any]:
    """The published configuration beside the weights, reduced to what ``Toto`` names; else that of ``size``."""
    found = read_config(folder, what) if folder is not None else None
    config = found or size.config()
    known = inspect.signature(code.Toto.__init__).parameters
    wanted = bool(config.get("use_memory_efficient_attention", True)) and found is not None
    return {
        **{key: value for key, value in config.items() if key in known},
        "use_memory_efficient_attention": wanted and code.fast_attention,
    }


def _renamed(code: Any, state: Mapping[str, Any]) -> dict[str, Any]:
    """Published weights under the names that this Toto gives them: its own renaming, for with and without xFormers."""
    renamed = code.Toto._map_state_dict_keys(state, code.fused_swiglu)
    return {name: value for name, value in renamed.items() if not name.endswith(COMPUTED)}


def _shape_name(config: Mapping[str, Any]) -> str:
    shape = {"embed_dim", "num_layers", "num_heads", "mlp_hidden_dim"}
    for name, size in SIZES.items():
        if all(config.get(key) == getattr(size, key) for key in shape):
            return name
    return f"{config.get('num_layers')}x{config.get('embed_dim')}"


def _kv_cache(options: Mapping[str, Any]) -> bool:
    """Upstream's default is to use its cache of keys and values, which costs 16 and more graph breaks when compiled."""
    told = str(options.get("use_kv_cache", "true")).lower()
    if told not in TRUTHS:
        raise BadInput(f"target.options.use_kv_cache is {told!r}; use true or false")
    return TRUTHS[told]


def _version() -> str:
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:  # a checkout on sys.path
        return "unknown"
