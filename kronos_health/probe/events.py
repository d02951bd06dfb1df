"""The worker's events (protocol version 1): one JSON line each, read with distrust.

A child runs other people's model code and may write anything. A line that is not an event of the expected shape gives
``None`` and is counted by the caller; unknown events and keys are ignored, so that an older parent understands a newer
worker. Texts are stripped of what a database refuses (NUL, lone surrogates) and cut to length.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kronos_health.domain.accuracy import HeadAccuracy, LogitAccuracy
from kronos_health.domain.probes import Counters, Failure, Frame, Keeper, Leak, Memory, Prediction

PROTOCOL_VERSION = 1
MAX_TEXT = 2_000
MAX_STACK = 20_000
MAX_REASONS = 20
MAX_HEADS = 16
MAX_LEAKS = 20
_MAX_COUNT = 2**31 - 1  # what an INTEGER column holds
_COUNTED = (
    "frames_total",
    "frames_ok",
    "graphs",
    "recompiles",
    "recompile_limit_hits",
    "graph_breaks",
    "cudagraph_skips",
    "cudagraph_recordings",
    "cache_hits",
    "cache_misses",
    "cache_bypasses",
)


@dataclass(frozen=True, slots=True)
class Hello:
    """The child is up."""

    protocol: int
    pid: int
    python: str


@dataclass(frozen=True, slots=True)
class PhaseChange:
    """What the child does: import, load, warm_up, compile (detail ``begin`` or ``end``), predict, check or accuracy.

    ``at`` is in seconds since the child started.
    """

    phase: str
    detail: str
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the child runs on, as it sees it; the parent adds the fingerprint."""

    device: str
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
    model_shape: str
    timing_method: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Milliseconds spent importing and loading."""

    import_ms: float | None
    load_ms: float | None


@dataclass(frozen=True, slots=True)
class WarmUp:
    """One warm-up call, in milliseconds; its forecast was let go."""

    index: int
    latency_ms: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the worker's own, e.g. ``outputs_kept``; ``ok`` is ``None`` when it could not be made."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Error:
    """Something the child reports itself; ``kind`` is an outcome's name or ``bad_input``."""

    kind: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class Done:
    """The last line of a child that finished."""


Event = (
    Hello
    | PhaseChange
    | Surroundings
    | Loaded
    | WarmUp
    | Prediction
    | Counters
    | Memory
    | Check
    | Leak
    | LogitAccuracy
    | Error
    | Done
)


def parse(line: bytes) -> Event | None:
    """One line as an event; ``None`` for anything that is not one."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    reader = _READERS.get(record.get("event")) if isinstance(record, dict) else None
    if reader is None:
        return None
    try:
        return reader(record)
    except (KeyError, TypeError, ValueError):
        return None


def is_unknown_event(line: bytes) -> bool:
    """True for a well-formed event of a name this version does not know: ignored, but no garbage."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and isinstance(record.get("event"), str) and record["event"] not in _READERS


def clean(value: object, limit: int = MAX_TEXT) -> str:
    """``value`` as text without NUL and lone surrogates, cut to ``limit`` characters."""
    text = value if isinstance(value, str) else str(value)
    return text[:limit].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _text(record: dict[str, Any], key: str, limit: int = 200) -> str | None:
    value = record.get(key)
    return None if value is None else clean(value, limit)


def _required(record: dict[str, Any], key: str, limit: int = 200) -> str:
    value = record[key]
    if value is None:
        raise ValueError(key)
    return clean(value, limit)


def _number(record: dict[str, Any], key: str) -> float | None:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _count(record: dict[str, Any], key: str) -> int:
    value = record.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_COUNT:
        raise ValueError(key)
    return value


def _hello(record: dict[str, Any]) -> Hello:
    return Hello(_count(record, "protocol"), _count(record, "pid"), _text(record, "python") or "")


def _phase(record: dict[str, Any]) -> PhaseChange:
    return PhaseChange(_required(record, "phase", 32), _text(record, "detail") or "", _number(record, "t"))


def _surroundings(record: dict[str, Any]) -> Surroundings:
    return Surroundings(
        device=_required(record, "device").partition(":")[0],
        python=_required(record, "python"),
        torch=_required(record, "torch"),
        cuda=_text(record, "cuda"),
        triton=_text(record, "triton"),
        driver=_text(record, "driver"),
        gpu=_text(record, "gpu"),
        host=_text(record, "host") or "unknown",
        target_revision=_text(record, "target_revision"),
        weights_revision=_text(record, "weights_revision"),
        dtype=_text(record, "dtype") or "unknown",
        model_shape=_text(record, "model_shape") or "unknown",
        timing_method=_text(record, "timing_method") or "unknown",
    )


def _loaded(record: dict[str, Any]) -> Loaded:
    return Loaded(_number(record, "import_ms"), _number(record, "load_ms"))


def _warm_up(record: dict[str, Any]) -> WarmUp:
    return WarmUp(_count(record, "index"), _number(record, "latency_ms") or 0.0, _text(record, "error", MAX_TEXT))


def _prediction(record: dict[str, Any]) -> Prediction:
    value, error = _number(record, "value"), _text(record, "error", MAX_TEXT)
    if value is None and error is None:
        error = f"the forecast is not a finite number: {clean(record.get('value'), 50)}"
    return Prediction(
        index=_count(record, "index"),
        seed=_count(record, "seed"),
        latency_ms=_number(record, "latency_ms") or 0.0,
        value=value,
        absolute_error=_number(record, "absolute_error"),
        naive_error=_number(record, "naive_error"),
        error=error,
        rss_mb=_number(record, "rss_mb"),
        device_mb=_number(record, "device_mb"),
    )


def _counters(record: dict[str, Any]) -> Counters:
    reasons = record.get("reasons") or ()
    if not isinstance(reasons, list | tuple):
        raise TypeError("reasons")
    replays = None if record.get("cudagraph_replays") is None else _count(record, "cudagraph_replays")
    return Counters(
        **{name: _count(record, name) for name in _COUNTED},
        cudagraph_replays=replays,
        reasons=tuple(" ".join(clean(reason, 500).split()) for reason in reasons[:MAX_REASONS]),
    )


def _memory(record: dict[str, Any]) -> Memory:
    names = ("rss_peak_mb", "device_allocated_mb", "device_reserved_mb", "device_process_mb")
    return Memory(**{name: _number(record, name) for name in names})


def _check(record: dict[str, Any]) -> Check:
    ok = record.get("ok")
    if ok is not None and not isinstance(ok, bool):
        raise TypeError("ok")
    return Check(_required(record, "name", 64), ok, _text(record, "detail", MAX_TEXT) or "")


def _accuracy(record: dict[str, Any]) -> LogitAccuracy:
    heads = record.get("heads") or ()
    if not isinstance(heads, list | tuple):
        raise TypeError("heads")
    return LogitAccuracy(
        windows=_count(record, "windows"),
        digest=_text(record, "digest", 64),
        heads=tuple(_head(head) for head in heads[:MAX_HEADS]),
        note=_text(record, "note", MAX_TEXT),
    )


def _head(record: object) -> HeadAccuracy:
    """A figure that is no number makes the head's logits not finite: silence is never good news."""
    if not isinstance(record, dict):
        raise TypeError("heads")
    rmse, variation = _number(record, "rmse"), _number(record, "total_variation")
    finite = record["finite"] is True and rmse is not None and variation is not None
    return HeadAccuracy(_required(record, "name", 64), rmse, variation, finite)


def _leak(record: dict[str, Any]) -> Leak:
    keeper = record.get("keeper")
    return Leak(
        read=record.get("read") is True,
        producer=_required(record, "producer", 255),
        output=_count(record, "output"),
        shape=_text(record, "shape", 128) or "",
        frame=_frame(record.get("frame")),
        keeper=Keeper(keeper) if keeper in list(Keeper) else Keeper.UNKNOWN,
        kept_by=_text(record, "kept_by", 500) or "",
        reader=_text(record, "reader", 255),
        read_at=_frame(record.get("read_at")),
    )


def _error(record: dict[str, Any]) -> Error:
    return Error(
        _required(record, "kind", 32),
        Failure(
            error_class=_text(record, "type", 128) or "Error",
            message=_text(record, "message", MAX_TEXT) or "",
            frame=_frame(record.get("frame")),
            stack=_text(record, "stack", MAX_STACK),
        ),
    )


def _frame(record: object) -> Frame | None:
    """A frame that cannot be read is left out: the error it belongs to matters more."""
    if not isinstance(record, dict):
        return None
    try:
        return Frame(
            file=_required(record, "file", 1000),
            line=_count(record, "line"),
            function=_text(record, "function", 255) or "",
            code=_text(record, "code", 500) or "",
        )
    except (KeyError, ValueError):
        return None


def _done(_record: dict[str, Any]) -> Done:
    return Done()


_READERS: dict[Any, Callable[[dict[str, Any]], Event]] = {
    "hello": _hello,
    "phase": _phase,
    "environment": _surroundings,
    "loaded": _loaded,
    "warm_up": _warm_up,
    "prediction": _prediction,
    "counters": _counters,
    "memory": _memory,
    "check": _check,
    "accuracy": _accuracy,
    "leak": _leak,
    "error": _error,
    "done": _done,
}
