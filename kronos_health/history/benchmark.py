"""The table and the decision of the team's ``benchmark_kronos_compile.py``, from the probes of one campaign.

The gates are the team's own (MAE within 5 %, more than 1.1 times as fast, less than half again the memory). Added to
them: a mode that failed even once is not worth comparing, an accuracy that paired seeds do not confirm is no pass, and
what was not measured on CUDA, or breaks in the rehearsal, never says COMPILED. Where compiled never passed, the script
said INCONCLUSIVE; this says EAGER, as the team then did. The decision that counts weighs the history: ``status``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kronos_health.domain.probes import AccuracyState, Comparison, Outcome, ProbeKind, ProbeRecord
from kronos_health.history import words
from kronos_health.settings.models import Revisit

EAGER, COMPILED = "eager", "compiled"
_MARKS = {True: "✓", False: "✗"}


@dataclass(frozen=True, slots=True)
class BenchmarkVerdict:
    """The script's decision, and the lines that led to it, each with whether it speaks for COMPILED."""

    decision: Literal["EAGER", "COMPILED", "INCONCLUSIVE"]
    lines: tuple[tuple[bool, str], ...]


def benchmark_table(
    probes: Sequence[ProbeRecord], comparisons: Sequence[Comparison] = (), rules: Revisit | None = None
) -> RenderableType:
    """Modes side by side, what failed where, the gates, and the decision: what the original script ended with."""
    verdict = benchmark_verdict(probes, comparisons, rules)
    parts: list[RenderableType] = [_table(probes)]
    failing = dict.fromkeys(_failure(probe) for probe in probes if probe.outcome is not Outcome.PASSED)
    parts += [Text(line, style="dim") for line in failing if line]
    if noisy := words.noisy(probe.noise for probe in probes):
        parts.append(Text(noisy, style="dim"))
    parts += [Text(f"{_MARKS[good]} {line}", style="green" if good else "red") for good, line in verdict.lines]
    mode = "" if verdict.decision == "INCONCLUSIVE" else " MODE"
    parts.append(Text(f"DECISION: {verdict.decision}{mode}", style="bold"))
    return Group(*parts)


def benchmark_verdict(
    probes: Sequence[ProbeRecord], comparisons: Sequence[Comparison] = (), rules: Revisit | None = None
) -> BenchmarkVerdict:
    """EAGER, COMPILED or INCONCLUSIVE by the team's gates; without a passing eager mode there is nothing to say."""
    rules = rules or Revisit()
    measured = [probe for probe in probes if probe.kind is ProbeKind.MEASURED]
    eager, compiled = _worst(measured, EAGER), _worst(measured, COMPILED)
    if eager is None or compiled is None or not eager.passed:
        missing = COMPILED if eager is not None and eager.passed else EAGER
        return BenchmarkVerdict("INCONCLUSIVE", ((False, f"{missing} was not measured, or never passed"),))
    lines = (
        *_passes(compiled),
        *_gates(eager, compiled, rules),
        *_accuracy(compiled, comparisons),
        *_rehearsals(probes),
        *_admissible(compiled),
    )
    return BenchmarkVerdict("COMPILED" if all(good for good, _line in lines) else "EAGER", lines)


def _worst(probes: Iterable[ProbeRecord], variant: str) -> ProbeRecord | None:
    """A mode may have been measured in two regimes: the worse one speaks for it."""
    own = [probe for probe in probes if probe.variant == variant]
    return min(own, key=lambda probe: probe.passed / max(probe.requested, 1), default=None)


def _passes(compiled: ProbeRecord) -> Iterator[tuple[bool, str]]:
    complete = compiled.outcome is Outcome.PASSED and compiled.passed == compiled.requested
    told = "" if complete else f": {compiled.outcome.value if compiled.outcome else 'not finished'}"
    yield complete, f"Iterations: compiled passed {compiled.passed} of {compiled.requested}{told}"


def _gates(eager: ProbeRecord, compiled: ProbeRecord, rules: Revisit) -> Iterator[tuple[bool, str]]:
    if not compiled.passed:
        return
    error = _ratio(compiled.figures.mae_mean, eager.figures.mae_mean)
    told = "not measured" if error is None else f"MAE differs by {abs(error - 1):.2%}"
    close = error is not None and abs(error - 1) < rules.accuracy_margin
    yield close, f"Accuracy: {told} (threshold: < {rules.accuracy_margin:.0%})"
    speed = _ratio(eager.figures.latency_mean_ms, compiled.figures.latency_mean_ms)
    told = "not measured" if speed is None else f"{speed:.2f} times as fast"
    fast = speed is not None and speed > rules.minimum_speed_up
    yield fast, f"Performance: {told} (threshold: > {rules.minimum_speed_up:g})"
    memory = _ratio(compiled.figures.memory_mb, eager.figures.memory_mb)
    told = "not measured" if memory is None else f"{memory - 1:+.1%}"
    small = memory is not None and memory < rules.maximum_memory_ratio
    yield small, f"Memory: {told} (threshold: < {rules.maximum_memory_ratio - 1:+.0%})"


def _accuracy(compiled: ProbeRecord, comparisons: Iterable[Comparison]) -> Iterator[tuple[bool, str]]:
    for item in comparisons:
        if item.candidate_probe == compiled.probe_id:
            good = item.accuracy is AccuracyState.PASS
            yield good, f"Against eager: {item.accuracy.value} over {item.pairs} pairs, {item.accuracy_reason}"


def _rehearsals(probes: Iterable[ProbeRecord]) -> Iterator[tuple[bool, str]]:
    for probe in probes:
        if probe.kind is ProbeKind.REHEARSED and probe.variant == COMPILED and probe.outcome is not None:
            good = probe.outcome is Outcome.PASSED
            said = "would pass" if good else f"would end in {probe.outcome.value}"
            yield good, f"Rehearsal: on CUDA compiled {said} ({probe.passed} of {probe.requested})"


def _admissible(compiled: ProbeRecord) -> Iterator[tuple[bool, str]]:
    on_cuda = compiled.environment is not None and compiled.environment.device.startswith("cuda")
    if not on_cuda and not compiled.imported:
        yield False, "Evidence: not measured on CUDA, so never a reason for COMPILED"


def _ratio(over: float | None, under: float | None) -> float | None:
    return over / under if over is not None and under else None


def _failure(probe: ProbeRecord) -> str:
    if probe.skipped_reason:
        return f"{probe.variant} was skipped: {probe.skipped_reason}"
    if probe.failure is None:
        return ""
    frame = probe.failure.frame
    place = f"{frame.code or frame.function} ({frame.file}:{frame.line})" if frame else probe.failure.error_class
    return f"{probe.variant} fails at {place}"


def _table(probes: Sequence[ProbeRecord]) -> Table:
    table = Table(title="Kronos torch.compile benchmark", title_justify="left")
    table.add_column("Metric", style="bold")
    for probe in probes:
        table.add_column(Text(_heading(probe)), justify="right")
    figures = [probe.figures for probe in probes]
    table.add_row("Iterations", *(_passed(probe) for probe in probes))
    table.add_row("MAE", *(_whole(words.plus_minus(item.mae_mean, item.mae_std)) for item in figures))
    times = [words.plus_minus(item.latency_mean_ms, item.latency_std_ms) for item in figures]
    table.add_row(
        "Time, ms", *(_whole(words.marked(time, probe.noise)) for time, probe in zip(times, probes, strict=True))
    )
    table.add_row("Steady time, ms", *(words.figure(item.steady_median_ms) for item in figures))
    table.add_row("Memory, MB", *(words.figure(item.memory_mb) for item in figures))
    table.add_row("Outcome", *(Text(probe.outcome.value if probe.outcome else "running") for probe in probes))
    return table


def _whole(figure: str) -> Text:
    """A figure is not broken over two lines: its heading is."""
    return Text(figure, no_wrap=True)


def _heading(probe: ProbeRecord) -> str:
    if probe.kind is ProbeKind.REHEARSED:
        return f"{probe.variant} (rehearsal)"
    return f"{probe.variant} (on {probe.environment.device})" if probe.environment else probe.variant


def _passed(probe: ProbeRecord) -> Text:
    good = probe.requested > 0 and probe.passed == probe.requested
    return Text(f"{probe.passed}/{probe.requested} successful", style="green" if good else "red")
