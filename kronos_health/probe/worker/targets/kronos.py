"""Kronos itself: sktime's copy by default, or the classes of an upstream checkout.

Shapes are those of the published configurations (NeoQuasar/Kronos-mini, -small, -base and their tokenizers); ``tiny``
is this project's own, for tests.
"""

# ruff: noqa: TID252 - the folder travels without its package: every import inside is relative

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..errors import BadInput
from ..spec import WorkerSpec
from ..windows import Window
from . import Builder
from .contract import WEIGHTS_SEED
from .revision import digest
from .weights import find_folder, load_weights, read_config

CLIP = 5  # KronosPredictor's default: inputs are clipped to so many standard deviations
DROPOUT = {"ffn_dropout_p": 0.0, "attn_dropout_p": 0.0, "resid_dropout_p": 0.0}  # none while forecasting
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Size:
    """The shape of a published model, and the group size of the tokenizer that goes with it."""

    n_layers: int
    d_model: int
    n_heads: int
    ff_dim: int
    group_size: int
    tokenizer_width: int = 256

    def model_config(self) -> dict[str, Any]:
        """Keyword arguments of ``Kronos``."""
        shape = {"n_layers": self.n_layers, "d_model": self.d_model, "n_heads": self.n_heads, "ff_dim": self.ff_dim}
        return {"s1_bits": 10, "s2_bits": 10, **shape, **DROPOUT, "token_dropout_p": 0.0, "learn_te": True}

    def tokenizer_config(self) -> dict[str, Any]:
        """Keyword arguments of ``KronosTokenizer``."""
        width = self.tokenizer_width
        shape = {"d_in": 6, "d_model": width, "n_heads": 4, "ff_dim": 2 * width, "n_enc_layers": 4, "n_dec_layers": 4}
        quantizer = {"beta": 0.05, "gamma0": 1.0, "gamma": 1.1, "zeta": 0.05, "group_size": self.group_size}
        return {"s1_bits": 10, "s2_bits": 10, **shape, **DROPOUT, **quantizer}


SIZES = {
    "tiny": Size(n_layers=2, d_model=64, n_heads=4, ff_dim=128, group_size=4, tokenizer_width=64),
    "mini": Size(n_layers=4, d_model=256, n_heads=4, ff_dim=512, group_size=5),
    "small": Size(n_layers=8, d_model=512, n_heads=8, ff_dim=1024, group_size=4),
    "base": Size(n_layers=12, d_model=832, n_heads=16, ff_dim=2048, group_size=4),
}


@dataclass(frozen=True)
class Sampling:
    """How the next tokens are drawn; the values of the original benchmark unless ``target.options`` says otherwise."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 0.9


class KronosTarget:
    """A Kronos model and tokenizer behind its own ``KronosPredictor``."""

    def __init__(self, predictor: Any, sampling: Sampling, **described: str) -> None:
        self.predictor = predictor
        self.sampling = sampling
        self.shape = described["shape"]
        self.revision = described["revision"]
        self.weights_revision = described["weights_revision"]

    @property
    def model(self) -> Any:
        """The ``Kronos`` module."""
        return self.predictor.model

    def compiled_parts(self) -> list[tuple[Any, str]]:
        """What production compiles: the two halves of a decode step."""
        return [(self.model, "decode_s1"), (self.model, "decode_s2")]

    def predict(self, window: Window, seed: int) -> Sequence[float]:
        """Forecast the closes after ``window``; torch's seed is set already."""
        import pandas

        frame = window.frame
        forecast = self.predictor.predict(
            df=frame.drop(columns="timestamps"),
            x_timestamp=frame["timestamps"],
            y_timestamp=pandas.Series(pandas.to_datetime(list(window.future))),
            pred_len=window.pred_len,
            T=self.sampling.temperature,
            top_k=self.sampling.top_k,
            top_p=self.sampling.top_p,
            sample_count=window.sample_count,
            verbose=False,
        )
        return [float(value) for value in forecast["close"]]

    def logits(self, windows: Sequence[Window]) -> Mapping[str, Any]:
        """Teacher-forced logits of both heads; each window ends with the row that is to be predicted."""
        from . import teacher_forcing

        return teacher_forcing.logits(self.predictor, windows)


def import_packaged(spec: WorkerSpec) -> Builder:
    """Import sktime's copy; raises :class:`BadInput` when this interpreter lacks something it needs."""
    try:
        import pandas  # noqa: F401 - sktime would hide its absence
        from sktime import __version__ as version
        from sktime.libs import kronos as code
        from sktime.libs.kronos import kronos as source
        from sktime.libs.kronos import module as layers
    except ImportError as error:
        raise BadInput(
            f"the target {spec.target.name} needs sktime 1.2 or newer with its Kronos code, and pandas, in this "
            f"interpreter: {error}"
        ) from error
    from pathlib import Path

    files = [Path(str(part.__file__)) for part in (source, layers)]
    return lambda: build(code, spec, f"sktime-{version}+{digest(files)}")


def build(code: ModuleType, spec: WorkerSpec, revision: str) -> KronosTarget:
    """Make model, tokenizer and predictor out of ``code``'s classes; weights from the spec, or random and seeded."""
    size_name, size = _size(spec)
    model, weights = _make(code.Kronos, size.model_config(), spec.target.weights, "target.weights")
    tokenizer, tokens = _make(code.KronosTokenizer, size.tokenizer_config(), spec.target.tokenizer, "target.tokenizer")
    dtype = _dtype(spec.target.options)
    predictor = code.KronosPredictor(
        model.to(dtype).eval(),
        tokenizer.eval(),
        device=spec.run_device,
        max_context=spec.evaluation.max_context,
        clip=CLIP,
    )
    shape = size_name if not spec.target.weights else _shape_name(model)
    return KronosTarget(
        predictor,
        _sampling(spec.target.options),
        shape=shape,
        revision=revision,
        weights_revision=f"model {weights}, tokenizer {tokens}",
    )


def _size(spec: WorkerSpec) -> tuple[str, Size]:
    name = spec.target.size
    if name == "auto":
        name = "base" if spec.run_device.startswith("cuda") else "mini"
    return name, SIZES[name]


def _make(kind: Any, config: dict[str, Any], reference: str, what: str) -> tuple[Any, str]:
    """A module of class ``kind`` and the name of its weights."""
    folder = find_folder(reference, what) if reference else None
    if folder is not None:
        config = read_config(folder, what) or config
    try:
        module = kind(**config)
    except (TypeError, ValueError, AssertionError) as error:
        raise BadInput(
            f"{what}: {kind.__name__} of {kind.__module__} cannot be built with {sorted(config)}: {error}"
        ) from error
    if folder is None:
        return module, f"random:{WEIGHTS_SEED}"
    return module, load_weights(module, folder, what)


def _shape_name(model: Any) -> str:
    """The published size that ``model`` has, or its figures."""
    for name, size in SIZES.items():
        if (model.n_layers, model.d_model, model.ff_dim) == (size.n_layers, size.d_model, size.ff_dim):
            return name
    return f"{model.n_layers}x{model.d_model}"


def _dtype(options: Mapping[str, Any]) -> Any:
    import torch

    name = str(options.get("dtype", DTYPES[0]))
    if name not in DTYPES:
        raise BadInput(f"target.options.dtype is {name!r}; use one of {', '.join(DTYPES)}")
    return getattr(torch, name)


def _sampling(options: Mapping[str, Any]) -> Sampling:
    default = Sampling()
    try:
        return Sampling(
            temperature=float(options.get("temperature", default.temperature)),
            top_k=int(options.get("top_k", default.top_k)),
            top_p=float(options.get("top_p", default.top_p)),
        )
    except (TypeError, ValueError) as error:
        raise BadInput(f"target.options: temperature and top_p are numbers, top_k a whole one: {error}") from error
