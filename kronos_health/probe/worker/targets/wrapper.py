"""The production's own wrapper: ``src/models/kronos_wrapper.py`` of its checkout, driven as production drives it.

What is expected of it stands in docs/worker-protocol.md. Its code is imported as ``src.models.kronos_wrapper`` with the
checkout first on ``sys.path``, as production does; no bytecode is written there, and the folder it keeps its own copies
of weights in (``COMPILED_MODELS_DIR``) is a temporary one, so that a probe leaves production's files alone.
"""

# ruff: noqa: TID252 - the folder travels without its package: every import inside is relative

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..recipes import built_in
from ..spec import WorkerSpec
from ..windows import Window
from . import Builder
from .revision import code_revision

MODULE = "src.models.kronos_wrapper"
CLASS = "KronosForecastingWrapper"
MODEL, TOKENIZER = "NeoQuasar/Kronos-base", "NeoQuasar/Kronos-Tokenizer-base"  # production's own (2025-10-30)
COLUMNS = {name: name.capitalize() for name in ("open", "high", "low", "close", "volume", "amount")}
TARGET_COLUMN = "Close"


class WrapperTarget:
    """Production's wrapper, with its weights loaded where it lets us: by itself it loads at its first prediction."""

    shape = "production"

    def __init__(self, wrapper_class: Any, arguments: Mapping[str, Any], revision: str) -> None:
        accepted = _accepted(wrapper_class, arguments)
        self._compiles_itself = bool(accepted.get("compile"))
        self._wrapper = wrapper_class(**accepted)
        self.revision = revision
        self.weights_revision = f"model {arguments['model_name']}, tokenizer {arguments['tokenizer_name']}"
        self.predictor  # noqa: B018 - loading is its effect

    @property
    def predictor(self) -> Any:
        """The wrapper's ``KronosPredictor``, loading it if that has not happened yet."""
        load = getattr(self._wrapper, "_ensure_predictor", None)
        return load() if callable(load) else getattr(self._wrapper, "predictor", None)

    @property
    def model(self) -> Any:
        """The ``Kronos`` module inside, or None when the wrapper does not show it."""
        return getattr(self.predictor, "model", None)

    def compiled_parts(self) -> list[tuple[Any, str]]:
        """The two halves of a decode step; empty-handed wrappers are reported by name."""
        if self.model is None:
            raise BadInput(f"{CLASS} shows no predictor (_ensure_predictor() or .predictor): no recipe can be applied")
        return [(self.model, "decode_s1"), (self.model, "decode_s2")]

    def compile_as_production(self, mode: str) -> bool:
        """True when the wrapper was made with its own ``compile`` on; False when this revision of it has none."""
        return self._compiles_itself

    def predict(self, window: Window, seed: int) -> Sequence[float]:
        """Forecast as production does: ``predict_series`` on ``timestamp, Open, High, Low, Close, Volume, Amount``."""
        frame = window.frame.rename(columns={"timestamps": "timestamp", **COLUMNS})
        call = self._wrapper.predict_series
        arguments = {
            "data": frame,
            "timestamp_col": "timestamp",
            "columns": [TARGET_COLUMN],
            "pred_len": window.pred_len,
            "lookback": len(window.rows),
            "sample_count": window.sample_count,
        }
        forecast = call(**_accepted(call, arguments))[TARGET_COLUMN]
        self._refuse_fewer_samples(window.sample_count)
        return [float(value) for value in getattr(forecast, "absolute", forecast)]

    def logits(self, windows: Sequence[Window]) -> Mapping[str, Any]:
        """Teacher-forced logits of the model inside, prepared as ``KronosPredictor`` does."""
        from . import teacher_forcing

        return teacher_forcing.logits(self.predictor, windows)

    def _refuse_fewer_samples(self, asked: int) -> None:
        """The wrapper answers out-of-memory by drawing fewer samples without a word; that is no success."""
        limit = getattr(self._wrapper, "_adaptive_sample_count", None)
        if limit is not None and limit < asked:
            raise MemoryError(f"{CLASS} ran out of memory and fell back from {asked} to {limit} samples")


def import_wrapper(spec: WorkerSpec) -> Builder:
    """Import the wrapper from the checkout; raises :class:`BadInput` when it is not there or of another shape."""
    if spec.target.checkout is None:
        raise BadInput("target.loader is production_wrapper: set target.checkout to production's checkout")
    checkout = Path(spec.target.checkout).expanduser().resolve()
    file = checkout.joinpath(*MODULE.split(".")).with_suffix(".py")
    if not file.is_file():
        raise BadInput(f"target.checkout {checkout} has no {file.relative_to(checkout)}: give production's checkout")
    _leave_production_alone()
    sys.path.insert(0, str(checkout))
    try:
        module = importlib.import_module(MODULE)
    except ImportError as error:
        raise BadInput(f"{file} needs something this interpreter lacks: {error}") from error
    if Path(str(module.__file__)).resolve() != file:
        raise BadInput(f"{MODULE} was taken from {module.__file__}, not from {checkout}")
    wrapper_class = getattr(module, CLASS, None)
    if wrapper_class is None:
        raise BadInput(f"{file} has no class {CLASS}")
    arguments = _arguments(spec)
    revision = code_revision(checkout, file.parent)
    return lambda: WrapperTarget(wrapper_class, arguments, revision)


def _leave_production_alone() -> None:
    sys.dont_write_bytecode = True
    folder = tempfile.TemporaryDirectory(prefix="kronos-health-models-")
    _KEPT.append(folder)
    os.environ["COMPILED_MODELS_DIR"] = folder.name


_KEPT: list[Any] = []  # removed with the process


def _arguments(spec: WorkerSpec) -> dict[str, Any]:
    """Production's own values, the spec's window, and ``target.options`` on top, read as JSON where they can be."""
    recipe = built_in(spec.variant)
    own = recipe is not None and recipe.compiled and recipe.stock
    return {
        "compile": own,
        **({"compile_mode": recipe.mode} if recipe is not None and own else {}),
        "model_name": spec.target.weights or MODEL,
        "tokenizer_name": spec.target.tokenizer or TOKENIZER,
        "device": "cuda:0" if spec.run_device == "cuda" else spec.run_device,
        "max_context": spec.evaluation.max_context,
        "sample_count": spec.evaluation.sample_count,
        **{key: _value(value) for key, value in spec.target.options.items()},
    }


def _value(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _accepted(call: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that ``call`` takes: wrappers differ between revisions."""
    parameters = inspect.signature(call).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return dict(arguments)
    return {name: value for name, value in arguments.items() if name in parameters}
