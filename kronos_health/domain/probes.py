"""What a probe is, what it measured, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kronos_health.domain.accuracy import LogitAccuracy

LAYER_PREFIX = "layer_"
UNSUPPORTED = "Unsupported"  # error class of a probe that was skipped because its torch lacks what the variant needs


class ProbeKind(StrEnum):
    """Whether a probe ran for real or under the emulated lifetime rule of CUDA graphs."""

    MEASURED = "measured"
    REHEARSED = "rehearsed"


class Regime(StrEnum):
    """How the context window moves between predictions: production's full window, or one that grows at every step."""

    SATURATED = "saturated"
    GROWING = "growing"


class CacheState(StrEnum):
    """What the first compiled call found in torch's compile caches; ``NONE`` when nothing was compiled."""

    COLD = "cold"
    WARM = "warm"
    MIXED = "mixed"
    NONE = "none"


class Outcome(StrEnum):
    """How an iteration, and the probe it belongs to, ended. Only ``PASSED`` is a success."""

    PASSED = "passed"
    GRAPH_REUSE = "graph_reuse"
    SILENT_OVERWRITE = "silent_overwrite"
    DEGRADED_TO_EAGER = "degraded_to_eager"
    ACCURACY = "accuracy"
    MEMORY_LEAK = "memory_leak"
    COMPILE_ERROR = "compile_error"
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    WORKER_ERROR = "worker_error"
    SKIPPED = "skipped"
    LOST = "lost"  # the checker itself died before the probe could be closed; set by housekeeping

    @property
    def about_the_model(self) -> bool:
        """True when the outcome says something about the variant, false when only the probing itself failed."""
        return self not in {Outcome.WORKER_ERROR, Outcome.SKIPPED, Outcome.LOST}


def is_layer(variant: str) -> bool:
    """True for a rung of the layer ladder: it asks one layer of the compiler and is no way to run production."""
    return variant.startswith(LAYER_PREFIX)


@dataclass(frozen=True, slots=True)
class EvaluationSpec:
    """The series and window a probe forecasts.

    ``csv`` is a path to OHLCV rows (``timestamps, open, high, low, close, volume[, amount]``) or ``None`` for the
    seeded synthetic series. Of the last ``rows`` rows, ``lookback`` are context and ``pred_len`` are forecast.
    """

    csv: str | None = None
    rows: int = 600
    synthetic_seed: int = 20251030
    lookback: int = 256
    pred_len: int = 1
    sample_count: int = 8
    max_context: int = 256


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """One (target, variant, candidate) to run: everything that the supervisor needs to know.

    ``warmups`` are the numbers of warm-up calls to sweep: iteration after iteration takes the next, and starts over.
    """

    target: str
    variant: str
    candidate: str = "production"
    kind: ProbeKind = ProbeKind.MEASURED
    regime: Regime = Regime.SATURATED
    iterations: int = 5
    predictions: int = 4
    seed: int = 1000
    accuracy_windows: int = 0  # on which logits are compared, in the first iteration; 0: they are not
    evaluation: EvaluationSpec = field(default_factory=EvaluationSpec)
    warmups: tuple[int, ...] = ()

    def warmups_of(self, iteration: int) -> int:
        """How many warm-up calls iteration ``iteration`` (from 0) makes."""
        return self.warmups[iteration % len(self.warmups)] if self.warmups else 0


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in source code, as a traceback shows it."""

    file: str
    line: int
    function: str
    code: str


@dataclass(frozen=True, slots=True)
class Environment:
    """What an iteration ran on. ``fingerprint`` covers every field that makes two figures comparable."""

    fingerprint: str
    device: str  # "cpu" or "cuda"
    python: str
    torch: str
    cuda: str | None
    triton: str | None
    driver: str | None
    gpu: str | None
    host: str
    target_revision: str | None
    weights_revision: str | None
    dtype: str
    model_shape: str  # e.g. "mini", "base", or the factory's own name
    timing_method: str  # "perf_counter" or "cuda_event"
    protocol_version: int
    window_shape: str | None = None  # e.g. "256+1 ×8 / 256"; None in rows that do not keep it
    threads: int | None = None  # None: not fixed by the settings


@dataclass(frozen=True, slots=True)
class Prediction:
    """One forecast inside an iteration. ``value`` is the last forecast close; errors are in the series' own unit."""

    index: int
    seed: int
    latency_ms: float
    value: float | None
    absolute_error: float | None
    naive_error: float | None
    error: str | None = None
    rss_mb: float | None = None  # resident memory held after it, MiB
    device_mb: float | None = None  # allocated on the device after it, MiB; None on CPU


@dataclass(frozen=True, slots=True)
class Counters:
    """What torch counted while compiling and running. Recompiles exclude the first compilation of each frame."""

    frames_total: int = 0
    frames_ok: int = 0
    graphs: int = 0
    recompiles: int = 0
    recompile_limit_hits: int = 0
    graph_breaks: int = 0
    cudagraph_skips: int = 0
    cudagraph_recordings: int = 0
    cudagraph_replays: int | None = None  # None where this torch cannot tell
    cache_hits: int = 0
    cache_misses: int = 0
    cache_bypasses: int = 0
    reasons: tuple[str, ...] = ()  # recompile, break and skip reasons, at most 20


@dataclass(frozen=True, slots=True)
class Memory:
    """Peak memory of an iteration, in MiB; device figures are ``None`` on CPU."""

    rss_peak_mb: float | None = None
    device_allocated_mb: float | None = None
    device_reserved_mb: float | None = None
    device_process_mb: float | None = None

    @property
    def headline_mb(self) -> float | None:
        """The figure that is compared with production's: the device's where there is one, else resident memory."""
        return self.device_allocated_mb if self.device_allocated_mb is not None else self.rss_peak_mb


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an iteration did not pass. ``frame`` is the first failing frame outside torch."""

    error_class: str  # exception type, or signal name for a crash
    message: str
    frame: Frame | None = None
    stack: str | None = None


class Keeper(StrEnum):
    """What holds an output of a CUDA graph that a later run has written over."""

    PARKED = "parked"  # an attribute of the target or a global of its module, set inside the compiled code
    ATTRIBUTE = "attribute"  # the same, set by other code to what the compiled code returned
    HANDOFF = "handoff"  # passed on to the compiled callable that reads it
    VARIABLE = "variable"  # of a function of the target
    FORECAST = "forecast"  # predict() returned it
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Leak:
    """An output that outlived its graph, as a rehearsal found it.

    Output ``output`` of the compiled callable ``producer`` was made by the line ``frame`` and is held as ``kept_by``: a
    path on the target for an attribute, the parameter of ``reader`` for a handoff. ``read`` tells the one whose reading
    failed, by the compiled callable ``reader`` (``None``: by eager code) at the line ``read_at``; the others are held
    in the same way and would be next.
    """

    read: bool
    producer: str
    output: int
    shape: str  # e.g. "float32[8, 256, 64]"
    frame: Frame | None
    keeper: Keeper
    kept_by: str
    reader: str | None = None
    read_at: Frame | None = None


@dataclass(frozen=True, slots=True)
class Iteration:
    """One fresh process: it loaded, compiled and made ``predictions`` consecutive predictions, or says why not."""

    index: int
    outcome: Outcome
    started_at: datetime
    duration_ms: float
    regime: Regime
    cache_state: CacheState
    exit_status: int | None
    signal: str | None
    import_ms: float | None
    load_ms: float | None
    first_call_ms: float | None
    steady_median_ms: float | None
    steady_iqr_ms: float | None
    steady_p95_ms: float | None
    mae: float | None
    memory: Memory
    counters: Counters
    predictions: tuple[Prediction, ...] = ()
    failure: Failure | None = None
    stderr_tail: str = ""
    logits: LogitAccuracy | None = None  # None: nobody asked, or it did not get so far
    leaks: tuple[Leak, ...] = ()  # of a rehearsal that broke the lifetime rule, the one that was read first
    warmups: int = 0  # calls made before the predictions, their forecasts let go


@dataclass(frozen=True, slots=True)
class ProbeFigures:
    """What a probe's iterations come to: milliseconds, MiB, errors in the series' own unit; ``None`` where unknown."""

    mae_mean: float | None = None
    mae_std: float | None = None  # population standard deviation over iterations
    latency_mean_ms: float | None = None  # all predictions, the first call of each process included
    latency_std_ms: float | None = None
    first_call_median_ms: float | None = None
    steady_median_ms: float | None = None  # median of the iterations' steady medians
    steady_iqr_ms: float | None = None
    steady_p95_ms: float | None = None
    memory_mb: float | None = None  # highest peak of an iteration


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """A whole probe as the supervisor hands it over; the store gives it an id."""

    spec: ProbeSpec
    outcome: Outcome
    started_at: datetime
    finished_at: datetime
    environment: Environment | None
    iterations: tuple[Iteration, ...]
    failure: Failure | None = None
    noise: tuple[str, ...] = ()  # why the figures may be disturbed, e.g. "foreign process 1234 on the GPU"
    skipped_reason: str | None = None
    figures: ProbeFigures = field(default_factory=ProbeFigures)
    imported: bool = False  # read from a results file, not run here
    postponed_until: datetime | None = None  # skipped for a blackout window that ends then

    @property
    def passed(self) -> int:
        """How many iterations passed."""
        return sum(1 for iteration in self.iterations if iteration.outcome is Outcome.PASSED)

    @property
    def leaks(self) -> tuple[Leak, ...]:
        """Those of the first iteration that has any: the others would tell the same."""
        return next((iteration.leaks for iteration in self.iterations if iteration.leaks), ())

    @property
    def unsupported(self) -> bool:
        """True when it was skipped because its torch lacks what the variant needs: nothing is wrong anywhere."""
        return is_unsupported(self.outcome, self.failure)


def is_unsupported(outcome: Outcome | None, failure: Failure | None) -> bool:
    """True for a probe that was skipped because its torch lacks what the variant needs."""
    return outcome is Outcome.SKIPPED and failure is not None and failure.error_class == UNSUPPORTED


@dataclass(frozen=True, slots=True)
class IterationRecord:
    """A stored iteration, without its figures: what counting needs."""

    iteration_id: str
    index: int
    regime: Regime
    cache_state: CacheState
    outcome: Outcome
    started_at: datetime
    warmups: int = 0


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """A stored probe with its iterations. ``outcome`` is ``None`` while it runs; ``failure`` carries no stack."""

    probe_id: str
    campaign_id: str
    target: str
    variant: str
    candidate: str
    kind: ProbeKind
    regime: Regime
    imported: bool
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome | None
    requested: int
    passed: int
    environment: Environment | None
    figures: ProbeFigures
    failure: Failure | None
    skipped_reason: str | None
    noise: tuple[str, ...]
    iterations: tuple[IterationRecord, ...] = ()

    @property
    def unsupported(self) -> bool:
        """True when it was skipped because its torch lacks what the variant needs: nothing is wrong anywhere."""
        return is_unsupported(self.outcome, self.failure)


@dataclass(frozen=True, slots=True)
class PredictionPair:
    """The same forecast made by two probes: same iteration index, prediction index and seed."""

    iteration: int
    index: int
    seed: int
    baseline_value: float | None
    candidate_value: float | None
    baseline_error: float | None
    candidate_error: float | None
    naive_error: float | None
    same_window: bool = True  # the two forecast the same rows: one naive error for both


class AccuracyState(StrEnum):
    """The result of comparing a variant with eager; ``INCONCLUSIVE`` and ``VOID`` are never a pass."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant's probe against the eager probe of the same target, environment and campaign."""

    baseline_probe: str
    candidate_probe: str
    pairs: int
    accuracy: AccuracyState
    accuracy_reason: str
    scaled_difference: float | None  # mean paired difference of scaled errors (A2), positive = worse than eager
    upper_bound: float | None  # one-sided 95 % bound of the same
    margin: float
    mae_ratio: float | None
    speed_up: float | None  # eager steady median / variant steady median
    memory_ratio: float | None
    logits: AccuracyState | None = None  # A1 by itself; None: not available
    forecasts: AccuracyState | None = None  # A2 and A3 by themselves
    rmse_ratio: float | None = None  # A1: the worst head's, variant / eager
    total_variation: float | None = None  # A1: the variant's worst head against the float64 reference
