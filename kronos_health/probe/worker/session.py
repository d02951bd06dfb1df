"""One iteration, from the spec to the last event: import, load, compile, predict, check."""

from __future__ import annotations

import contextlib
import gc
import math
import os
import platform
import random
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from . import failures, memory
from .counters import Recorder
from .errors import BadInput, NonFiniteForecast, SilentOverwrite
from .evaluation import load_series
from .protocol import EventWriter
from .spec import WorkerSpec
from .timing import ClockTimer, timer_for
from .windows import Case, Window, cut_cases

if TYPE_CHECKING:
    import torch

    from .evaluation import Row
    from .outputs import Kept
    from .recipes import Applied
    from .rehearsal import Rehearsal

OLDEST_TORCH = (2, 6)
OUTPUTS_KEPT = "outputs_kept"
CHECKED_PREDICTIONS = 2


class Session:
    """Runs one spec and tells the parent about it. Whatever goes wrong becomes one error event."""

    def __init__(self, spec: WorkerSpec, writer: EventWriter) -> None:
        self._spec = spec
        self._writer = writer
        self._recorder = Recorder(writer)
        self._rehearsal: Rehearsal | None = None
        self._target: Any = None
        self._timer: Any = None
        self._cases: list[Case] = []
        self._build: Any = None
        self._figures_told = False
        self._held = memory.Held()
        self._changed: list[Kept] = []

    def run(self) -> None:
        """The whole iteration; counters and memory are told even when it fails."""
        memory.reset_peak()
        try:
            self._iterate()
        except BaseException as error:  # a target may raise anything, SystemExit included
            self._tell_leaks()
            self._writer.emit("error", **failures.describe(error))
        finally:
            self._tell_figures()

    def _tell_figures(self) -> None:
        """Counters and memory of the variant's own work, once: what is measured after it is not its doing."""
        if not self._figures_told:
            self._figures_told = True
            self._writer.emit("counters", **self._counters())
            self._writer.emit("memory", **memory.figures(self._spec.run_device))

    def _iterate(self) -> None:
        series = load_series(self._spec.evaluation)
        self._cases = cut_cases(series, self._spec, max(self._spec.predictions, CHECKED_PREDICTIONS))
        with _hurrying(self._spec.rehearsed):
            self._load()
        from . import recipes

        applied = recipes.apply(self._target, self._spec)  # compiling itself begins at the first calls
        if self._spec.warmups:
            self._phase("warm_up")
            self._warm_up()
        self._phase("predict")
        self._predict_all()
        if applied.compiled:
            self._phase("check")
            self._check_outputs(applied)
        if self._spec.accuracy_windows:
            self._tell_figures()
            self._phase("accuracy")
            self._measure_accuracy(applied, series)

    def _measure_accuracy(self, applied: Applied, series: Sequence[Row]) -> None:
        from . import accuracy
        from .targets import contract

        def build() -> Any:
            _seed_everything(contract.WEIGHTS_SEED)
            return self._build()

        self._writer.emit("accuracy", **accuracy.measure(self._target, applied, self._spec, series, build))

    def _phase(self, phase: str, detail: str | None = None) -> None:
        self._writer.emit("phase", phase=phase, detail=detail)

    def _load(self) -> None:
        self._phase("import")
        clock = ClockTimer()
        torch, torch_ms = clock.time(_import_torch)
        if self._spec.threads is not None:
            torch.set_num_threads(self._spec.threads)
        _check_device(self._spec.run_device)
        self._watch_compiler()
        from . import machine, targets
        from .targets import contract

        self._build, code_ms = clock.time(lambda: targets.import_target(self._spec))
        self._phase("load")
        _seed_everything(contract.WEIGHTS_SEED)
        self._target, load_ms = clock.time(self._build)
        self._timer = timer_for(self._spec.run_device)
        described = contract.describe(self._target)
        self._writer.emit("environment", **machine.describe(self._spec.run_device, described, self._timer.method))
        self._writer.emit("loaded", import_ms=torch_ms + code_ms, load_ms=load_ms)

    def _watch_compiler(self) -> None:
        """Before the target's own code is imported, since that may take hold of ``torch.compile``."""
        from . import recipes

        recipe = recipes.built_in(self._spec.variant)
        if recipe is not None and not recipe.compiled:
            return
        if not self._spec.rehearsed:
            _check_cache_folder(self._spec.run_device)
        self._recorder.start(self._spec.run_device)
        if self._spec.rehearsed:
            from .rehearsal import Rehearsal

            self._rehearsal = Rehearsal(generation_cloning=recipe is not None and recipe.generation_cloning)
            self._rehearsal.install()

    def _warm_up(self) -> None:
        """Calls on the first window whose forecasts are let go at once; one that fails ends the iteration."""
        for index in range(self._spec.warmups):
            begun = time.perf_counter()
            try:
                latency = self._call_and_forget()
            except BaseException as error:
                latency = (time.perf_counter() - begun) * 1e3
                self._writer.emit("warm_up", index=index, latency_ms=latency, error=failures.first_line(error))
                raise
            self._writer.emit("warm_up", index=index, latency_ms=latency, error=None)

    def _call_and_forget(self) -> float:
        forecast, latency = self._timer.time(lambda: self._predict_silently(0))
        _values(forecast, self._cases[0].window.pred_len)
        return float(latency)

    def _predict_all(self) -> None:
        kept: list[Kept] = []
        for index in range(self._spec.predictions):
            forecast = self._predict(index)
            self._refuse_overwritten(kept)
            kept = _kept_forecast(forecast)

    def _predict(self, index: int) -> Any:
        case, seed = self._cases[index], self._spec.seed_of(index)
        naive = case.naive_error
        _seed_everything(seed)
        begun = time.perf_counter()
        try:
            _make_frame(case.window)
            forecast, latency = self._timer.time(lambda: self._target.predict(case.window, seed))
            values = _values(forecast, case.window.pred_len)
        except BaseException as error:
            latency = (time.perf_counter() - begun) * 1e3
            self._tell_prediction(index, seed, latency, None, None, naive, failures.first_line(error))
            raise
        self._tell_prediction(index, seed, latency, values[-1], case.error_of(values), naive, None)
        return forecast

    def _tell_prediction(
        self,
        index: int,
        seed: int,
        latency: float,
        value: float | None,
        absolute_error: float | None,
        naive: float,
        error: str | None,
    ) -> None:
        self._held = memory.held(self._spec.run_device, self._held)
        self._writer.emit(
            "prediction",
            index=index,
            seed=seed,
            latency_ms=latency,
            value=value,
            absolute_error=absolute_error,
            naive_error=naive,
            error=error,
            rss_mb=self._held.rss_mb,
            device_mb=self._held.device_mb,
        )

    def _check_outputs(self, applied: Applied) -> None:
        """Two further predictions under observation; what the first left behind must survive the second."""
        from .outputs import Observer

        with Observer(applied) as observer:
            forecast = self._predict_silently(0)
            kept = [*observer.held(), *_kept_forecast(forecast)]
            self._predict_silently(1)
        self._refuse_overwritten(kept)
        what = "kept on purpose" if applied.keeps_outputs else "that the target itself holds"
        detail = f"{len(kept)} outputs {what} were the same after a further prediction on other input"
        self._writer.emit("check", name=OUTPUTS_KEPT, ok=True, detail=detail)

    def _predict_silently(self, index: int) -> Any:
        seed = self._spec.seed_of(index)
        _seed_everything(seed)
        return self._target.predict(self._cases[index].window, seed)

    def _refuse_overwritten(self, kept: list[Kept]) -> None:
        if not kept:
            return
        from .outputs import overwritten

        self._changed = overwritten(kept)
        if self._changed:
            text = (
                f"{', '.join(one.name for one in self._changed)} changed while being kept, when the next prediction ran"
            )
            self._writer.emit("check", name=OUTPUTS_KEPT, ok=False, detail=text)
            raise SilentOverwrite(text)

    def _tell_leaks(self) -> None:
        """Which outputs outlived their graphs, and who keeps them. Explaining an error must not hide it."""
        if self._rehearsal is None:
            return
        with contextlib.suppress(Exception):
            changed = [tensor for one in self._changed if (tensor := one.tensor()) is not None]
            for leak in self._rehearsal.leaks(self._target, changed):
                self._writer.emit("leak", **leak.fields())

    def _counters(self) -> dict[str, Any]:
        figures = self._recorder.figures()
        if self._rehearsal is not None:
            figures["cudagraph_recordings"] = self._rehearsal.pool.recordings
            figures["cudagraph_replays"] = self._rehearsal.pool.replays
        return figures


def _make_frame(window: Window) -> None:
    """Have the window's frame made before the clock starts: production has its own when it asks for a forecast.

    A target that reads frames has imported pandas; for another one nothing is imported.
    """
    if "pandas" in sys.modules:
        _ = window.frame


@contextlib.contextmanager
def _hurrying(wanted: bool) -> Iterator[None]:
    """Without collecting garbage: while torch is imported that costs 0.7 s of 4 and finds nothing."""
    if not wanted:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _import_torch() -> Any:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of torch's is missing
        raise BadInput(
            f"{sys.executable} (Python {platform.python_version()}) cannot import torch: {error}; install torch there, "
            "or point target.interpreter at the Python that has it"
        ) from error
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < OLDEST_TORCH:
        raise BadInput(f"{sys.executable} has torch {torch.__version__}; probes need 2.6 or newer")
    return torch


def _check_device(device: str) -> None:
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise BadInput(
            f"the spec asks for {device}, but torch {torch.__version__} in {sys.executable} sees no CUDA device"
        )


def _check_cache_folder(device: str) -> None:
    """torch (2.13, 2.15) hands paths to the C++ compiler unquoted; that is not the variant's fault."""
    folder = os.environ.get("TORCHINDUCTOR_CACHE_DIR", "")
    if device == "cpu" and any(letter.isspace() for letter in folder):
        raise BadInput(
            f"torch cannot compile for the CPU with a blank in its cache folder {folder!r}: use a path without blanks "
            "(state_dir, or TORCHINDUCTOR_CACHE_DIR)"
        )


def _seed_everything(seed: int) -> None:
    import torch

    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _values(forecast: Any, wanted: int) -> list[float]:
    """The forecast as plain numbers; raises when there are too few or too many, or one is no number."""
    flat = forecast.tolist() if hasattr(forecast, "tolist") else forecast
    try:
        values = [float(value) for value in flat]
    except TypeError as error:
        raise BadInput(f"predict() must return {wanted} numbers, not {type(forecast).__name__}: {error}") from error
    if len(values) != wanted:
        raise BadInput(f"predict() returned {len(values)} numbers, {wanted} were asked for")
    if not all(math.isfinite(value) for value in values):
        raise NonFiniteForecast(f"the forecast is not finite: {', '.join(str(value) for value in values[:8])}")
    return values


def _kept_forecast(forecast: Sequence[float] | torch.Tensor) -> list[Kept]:
    """A forecast that is a tensor is kept while the next one is made, as its user would."""
    import torch

    if not isinstance(forecast, torch.Tensor):
        return []
    from .outputs import keep

    return [keep("the forecast", forecast, strongly=True)]
