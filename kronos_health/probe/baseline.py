"""Reading the results files of the original system, so that its history stands beside ours.

The format is that team's ``kronos_benchmark_results.json``: ``{"results": {"eager": {...}, "compiled": null},
"decision": ...}``. A mode holds ``mae_list``, ``time_list`` (ms, each iteration loading the model anew), ``*_mean``,
``*_std`` (population), ``memory_mean``, ``memory_peak`` (MiB) and ``iterations`` (how many succeeded); ``null`` stands
for a mode in which none did. The figures of 2025-10-30 ship with the package, in the same format with further tables.
"""

from __future__ import annotations

import json
import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from kronos_health.domain.probes import (
    CacheState,
    Counters,
    EvaluationSpec,
    Failure,
    Frame,
    Iteration,
    Memory,
    Outcome,
    ProbeFigures,
    ProbeResult,
    ProbeSpec,
    Regime,
)
from kronos_health.domain.revisit import Confidence, Decision, Mode

SHIPPED = "baseline_2025_10_30.json"
_MODES = ("eager", "compiled")


class BaselineError(Exception):
    """A results file that cannot be read; one line names the file and the key."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a results file says: probes (flagged imported), decisions, and the tables only the shipped one has."""

    probes: tuple[ProbeResult, ...]
    decisions: tuple[Decision, ...]
    recorded_at: datetime
    expected: Mapping[str, float] = field(default_factory=dict)  # combined and returns, by name
    settings: Mapping[str, object] = field(default_factory=dict)  # of the original benchmark
    gates: Mapping[str, float] = field(default_factory=dict)  # of the original script for COMPILED


def shipped() -> Baseline:
    """The figures of 2025-10-30: Kronos, Toto and the decision EAGER."""
    text = (resources.files("kronos_health.probe") / "data" / SHIPPED).read_text(encoding="utf-8")
    return _parse(_Table(json.loads(text), SHIPPED), datetime(2025, 10, 30, tzinfo=UTC), "kronos")


def read_results(path: Path, target: str = "kronos", recorded_at: datetime | None = None) -> Baseline:
    """Read a results file of ``target``.

    ``recorded_at`` (aware) defaults to the file's ``recorded_at``, else to its modification time. Unknown keys are
    ignored. Raises :class:`BaselineError` naming file and key.
    """
    try:
        raw = json.loads(path.read_bytes())
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(microsecond=0)
    except OSError as error:
        raise BaselineError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{path} is not JSON ({error}).") from error
    table = _Table(raw, str(path))
    return _parse(table, recorded_at or table.day("recorded_at") or modified, target)


class _Table:
    """A JSON object that knows where it came from, so that every complaint names file and key."""

    def __init__(self, raw: object, where: str, prefix: str = "") -> None:
        self.where, self.prefix = where, prefix
        if not isinstance(raw, dict):
            raise BaselineError(f"{where}: {prefix.rstrip('.') or 'the file'} must be a table, not {_kind(raw)}.")
        self.raw: dict[str, Any] = raw

    def error(self, key: str, problem: str) -> BaselineError:
        return BaselineError(f"{self.where}: {self.prefix}{key} {problem}.")

    def table(self, key: str, *, required: bool = False) -> _Table | None:
        """The table under ``key``; ``None`` where it is missing, null or empty."""
        value = self.raw.get(key)
        if required and key not in self.raw:
            raise self.error(key, "is missing")
        return _Table(value, self.where, f"{self.prefix}{key}.") if value not in (None, {}) else None

    def number(self, key: str) -> float | None:
        value = self.raw.get(key)
        return None if value is None else self._finite(key, value)

    def numbers(self, key: str) -> list[float]:
        values = self.raw.get(key)
        if values is None:
            return []
        if not isinstance(values, list):
            raise self.error(key, f"must be a list of numbers, not {_kind(values)}")
        return [self._finite(f"{key}[{place}]", value) for place, value in enumerate(values)]

    def count(self, key: str) -> int | None:
        number = self.number(key)
        if number is not None and (number < 0 or number != int(number)):
            raise self.error(key, f"must be a whole number, not {number:g}")
        return None if number is None else int(number)

    def text(self, key: str) -> str | None:
        value = self.raw.get(key)
        if value is not None and not isinstance(value, str):
            raise self.error(key, f"must be text, not {_kind(value)}")
        return value

    def day(self, key: str) -> datetime | None:
        text = self.text(key)
        try:
            moment = datetime.fromisoformat(text) if text else None
        except ValueError:
            raise self.error(key, f"is {text!r}; write it like 2025-10-30") from None
        return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment

    def _finite(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, f"must be a number, not {_kind(value)}")
        if not math.isfinite(value):
            raise self.error(key, f"is {value}, which is no figure")
        return float(value)


def _kind(value: object) -> str:
    names = {type(None): "null", dict: "a table", list: "a list", str: f"the text {value!r}"[:60]}
    return names.get(type(value), f"{value!r}"[:60])


def _parse(file: _Table, recorded_at: datetime, target: str) -> Baseline:
    results = file.table("results", required=True)
    if results is None or not any(mode in results.raw for mode in _MODES):
        raise file.error("results", 'must hold "eager" and "compiled"')
    eager = results.table("eager")
    requested = file.count("requested") or (_succeeded(eager) if eager else None) or 0
    probes = [
        _mode(results.table(mode), target, mode, requested, recorded_at, file.table("failure"))
        for mode in _MODES
        if mode in results.raw
    ]
    decisions = [_decision(file, target, probes, recorded_at)]
    toto = file.table("toto")
    if toto is not None:
        known = [_summary(toto, mode, recorded_at) for mode in _MODES if mode in toto.raw]
        decisions.append(_decision(toto, "toto", known, recorded_at))
        probes += known
    return Baseline(
        probes=tuple(probes),
        decisions=tuple(decision for decision in decisions if decision is not None),
        recorded_at=recorded_at,
        expected=_expected(file),
        settings=dict(settings.raw) if (settings := file.table("settings")) else {},
        gates=_numbers_of(file.table("gates")),
    )


def _mode(
    table: _Table | None, target: str, mode: str, requested: int, recorded_at: datetime, failure: _Table | None
) -> ProbeResult:
    """One mode as a probe; without a table, or with fewer successes than asked for, the rest has failed."""
    maes = table.numbers("mae_list") if table else []
    times = table.numbers("time_list") if table else []
    if table and maes and times and len(maes) != len(times):
        raise table.error("time_list", f"has {len(times)} values and mae_list {len(maes)}")
    succeeded = (_succeeded(table) if table else 0) or 0
    requested = max(requested, succeeded)
    reason = _failure(failure) if succeeded < requested or not succeeded else None
    iterations = [_iteration(place, recorded_at, maes, times) for place in range(succeeded)]
    if reason is not None:
        iterations += [_failed(place, recorded_at, reason) for place in range(succeeded, requested)]
    return ProbeResult(
        spec=ProbeSpec(target, mode, iterations=requested, predictions=1, evaluation=EvaluationSpec()),
        outcome=Outcome.PASSED if reason is None else reason[0],
        started_at=recorded_at,
        finished_at=recorded_at,
        environment=None,  # the file does not say what it ran on
        iterations=tuple(iterations),
        failure=reason[1] if reason else None,
        figures=_figures(table, maes, times) if table else ProbeFigures(),
        imported=True,
    )


def _succeeded(table: _Table) -> int | None:
    """How many iterations succeeded: stated, or as many as there are values."""
    stated = table.count("iterations") or table.count("successful_iterations")
    return stated or len(table.numbers("mae_list")) or len(table.numbers("time_list")) or None


def _figures(table: _Table, maes: Sequence[float], times: Sequence[float]) -> ProbeFigures:
    peak = table.number("memory_peak")
    return ProbeFigures(
        mae_mean=_stated_or(table.number("mae_mean"), maes, statistics.fmean),
        mae_std=_stated_or(table.number("mae_std"), maes, statistics.pstdev),
        latency_mean_ms=_stated_or(table.number("time_mean"), times, statistics.fmean),
        latency_std_ms=_stated_or(table.number("time_std"), times, statistics.pstdev),
        first_call_median_ms=statistics.median(times) if times else None,
        memory_mb=table.number("memory_mean") if peak is None else peak,
    )


def _stated_or(stated: float | None, values: Sequence[float], compute: Any) -> float | None:
    return stated if stated is not None else (float(compute(values)) if values else None)


def _failure(table: _Table | None) -> tuple[Outcome, Failure]:
    """Why a mode failed: the shipped file knows, the team's own format only says that it did."""
    if table is None:
        return Outcome.WORKER_ERROR, Failure("unknown", "no successful iteration; the file does not say why")
    name = table.text("outcome") or Outcome.WORKER_ERROR.value
    if name not in list(Outcome):
        raise table.error("outcome", f"is {name!r}; there are {', '.join(Outcome)}")
    frame = table.table("frame")
    note = table.text("note")
    message = (table.text("message") or "") + (f" ({note})" if note else "")
    where = (
        Frame(
            file=frame.text("file") or "",
            line=frame.count("line") or 0,
            function=frame.text("function") or "",
            code=frame.text("code") or "",
        )
        if frame
        else None
    )
    return Outcome(name), Failure(table.text("type") or "unknown", message, where)


def _iteration(place: int, recorded_at: datetime, maes: Sequence[float], times: Sequence[float]) -> Iteration:
    took = times[place] if place < len(times) else None
    mae = maes[place] if place < len(maes) else None
    return _bare_iteration(place, recorded_at, Outcome.PASSED, took, mae, None)


def _failed(place: int, recorded_at: datetime, reason: tuple[Outcome, Failure]) -> Iteration:
    return _bare_iteration(place, recorded_at, reason[0], None, None, reason[1])


def _bare_iteration(
    place: int, at: datetime, outcome: Outcome, took: float | None, mae: float | None, failure: Failure | None
) -> Iteration:
    """An iteration of which little is known: no seeds (unpaired), no steady state (one call each, loading included)."""
    return Iteration(
        index=place,
        outcome=outcome,
        started_at=at,
        duration_ms=took or 0.0,
        regime=Regime.SATURATED,
        cache_state=CacheState.NONE,
        exit_status=None,
        signal=None,
        import_ms=None,
        load_ms=None,
        first_call_ms=took,
        steady_median_ms=None,
        steady_iqr_ms=None,
        steady_p95_ms=None,
        mae=mae,
        memory=Memory(),
        counters=Counters(),
        failure=failure,
    )


def _summary(toto: _Table, mode: str, recorded_at: datetime) -> ProbeResult:
    """Toto, of which production's logs gave summary figures and no iterations."""
    table = toto.table(mode)
    message = table.text("message") if table else None
    degraded = table is not None and bool(table.count("recompiles"))
    return ProbeResult(
        spec=ProbeSpec("toto", mode, iterations=0, predictions=1),
        outcome=Outcome.DEGRADED_TO_EAGER if degraded else Outcome.PASSED,
        started_at=recorded_at,
        finished_at=recorded_at,
        environment=None,
        iterations=(),
        failure=Failure("DegradedToEager", message or "recompilations") if degraded else None,
        figures=ProbeFigures(
            latency_mean_ms=table.number("time_mean") if table else None,
            memory_mb=table.number("memory_mean") if table else None,
        ),
        imported=True,
    )


def _decision(table: _Table, target: str, probes: Sequence[ProbeResult], recorded_at: datetime) -> Decision | None:
    """The decision the file states; ``None`` when it states none (``INCONCLUSIVE`` or null)."""
    word = table.text("decision")
    if word in (None, "", "INCONCLUSIVE"):
        return None
    if word not in list(Mode):
        raise table.error("decision", f"is {word!r}; there are EAGER, COMPILED and INCONCLUSIVE")
    sure = table.text("confidence") or Confidence.LOW.value  # the team's own word; their files carry none
    if sure not in list(Confidence):
        raise table.error("confidence", f"is {sure!r}; there are {', '.join(Confidence)}")
    reason = "; ".join(_in_words(probe) for probe in probes)
    return Decision(
        target=target,
        decided_at=recorded_at,
        mode=Mode(word),
        variant="compiled" if word == Mode.COMPILED else None,
        confidence=Confidence(sure),
        sentence=f"{target} runs {word}, recorded by the team on {recorded_at:%Y-%m-%d}.",
        reason=reason or "the results file gives no reason",
        next_step=f"kronos-health probe --target {shlex.quote(target)} --variant all  # on a host with CUDA",
        criteria=(),
        evidence_at=None,  # nobody looked at the criteria: a record of a decision is no admissible evidence
    )


def _in_words(probe: ProbeResult) -> str:
    counted = f" {probe.passed} of {probe.spec.iterations}" if probe.spec.iterations else ""
    figures = probe.figures
    parts = [
        f"MAE {figures.mae_mean:,.0f}" if figures.mae_mean is not None else "",
        f"{figures.latency_mean_ms:,.0f} ms" if figures.latency_mean_ms is not None else "",
        f"{figures.memory_mb:,.0f} MiB" if figures.memory_mb is not None else "",
        probe.failure.message if probe.failure else "",
    ]
    return f"{probe.spec.variant}{counted}: {', '.join(part for part in parts if part)}"


def _expected(file: _Table) -> dict[str, float]:
    found = {}
    for key in ("combined", "returns_percent"):
        found.update({f"{key}.{name}": value for name, value in _numbers_of(file.table(key)).items()})
    return found


def _numbers_of(table: _Table | None) -> dict[str, float]:
    if table is None:
        return {}
    return {key: value for key in table.raw if (value := table.number(key)) is not None}
