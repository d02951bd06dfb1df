"""Tables for the terminal: probes of a campaign, scans, one scanned file, the deployment checks, the benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kronos_health.domain.logs import ScanCounts
from kronos_health.domain.probes import AccuracyState, Comparison, Outcome, ProbeKind, ProbeRecord
from kronos_health.domain.warm_up import warm_up_dependence
from kronos_health.history import words
from kronos_health.history.benchmark import benchmark_table
from kronos_health.history.escaping import printable
from kronos_health.history.facts import DeploymentCheckFacts

__all__ = ["benchmark_table", "file_report_table", "probe_table", "scan_table", "verification_table"]

_STATE_STYLE = {"good": "green", "bad": "bold red", "unknown": "yellow"}
_RECORD_LINES = 12


class Scanned(Protocol):
    """What a scan of a configured source came to."""

    @property
    def source(self) -> str: ...
    @property
    def counts(self) -> ScanCounts: ...
    @property
    def findings_by_signature(self) -> Mapping[str, int]: ...
    @property
    def gaps(self) -> int: ...
    @property
    def first_run(self) -> bool: ...
    @property
    def problem(self) -> str | None: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


class FileReport(Protocol):
    """What reading one file whole came to; ``as_json`` has the keys that ``scan --file --format json`` prints."""

    def as_json(self) -> dict[str, Any]: ...


def probe_table(probes: Sequence[ProbeRecord], comparisons: Sequence[Comparison] = ()) -> RenderableType:
    """Probes as they ran, why those that failed did, and how variants compare with eager."""
    table = Table(pad_edge=False, box=None, header_style="bold")
    for name in ("Variant", "Kind", "Outcome", "Passed", "MAE", "Time", "Steady", "Memory"):
        table.add_column(name, justify="left" if name in {"Variant", "Kind", "Outcome"} else "right")
    for probe in probes:
        table.add_row(*_probe(probe))
    notes = dict.fromkeys(note for probe in probes for note in (_warm_up(probe), _why(probe)) if note)
    lines = [Text(note, style="dim") for note in notes]
    names = {probe.probe_id: words.arm(probe.variant, probe.candidate) for probe in probes}
    return Group(table, *lines, *(_comparison(item, names) for item in comparisons))


def _probe(probe: ProbeRecord) -> tuple[Text, ...]:
    outcome = probe.outcome
    neutral = outcome is None or not outcome.about_the_model
    style = "green" if outcome is Outcome.PASSED else "yellow" if neutral else "red"
    figures = probe.figures
    return (
        Text(f"{probe.target}: {words.arm(probe.variant, probe.candidate)}"),
        Text(_kind(probe)),
        Text(outcome.value if outcome else "running", style=style),
        Text(f"{probe.passed}/{probe.requested}"),
        Text(words.plus_minus(figures.mae_mean, figures.mae_std)),
        Text(words.plus_minus(figures.latency_mean_ms, figures.latency_std_ms, "ms")),
        Text(words.figure(figures.steady_median_ms, "ms")),
        Text(words.figure(figures.memory_mb, "MB") + (" ~" if probe.noise else "")),
    )


def _kind(probe: ProbeRecord) -> str:
    if probe.kind is ProbeKind.REHEARSED:
        return "rehearsal"
    if probe.environment is None:
        return "measured"
    return "on CUDA" if probe.environment.device.startswith("cuda") else "on CPU"


def _warm_up(probe: ProbeRecord) -> str:
    dependence = warm_up_dependence(probe.iterations)
    return f"{words.arm(probe.variant, probe.candidate)}: {dependence.words}" if dependence else ""


def _why(probe: ProbeRecord) -> str:
    name = words.arm(probe.variant, probe.candidate)
    if probe.skipped_reason:
        return f"{name}: skipped, {printable(probe.skipped_reason)}"
    if probe.failure is None or probe.outcome is Outcome.PASSED:
        return ""
    frame = probe.failure.frame
    at = f" at {frame.code or frame.function} ({frame.file}:{frame.line})" if frame else ""
    message = next(iter(printable(probe.failure.message).strip().splitlines()), "")
    return f"{name}: {probe.failure.error_class}{at}: {message}"


def _comparison(item: Comparison, names: Mapping[str, str]) -> Text:
    name = names.get(item.candidate_probe, item.candidate_probe)
    speed = f", {item.speed_up:.2f} times as fast" if item.speed_up else ""
    style = "green" if item.accuracy is AccuracyState.PASS else "yellow"
    return Text(f"{name} against eager: accuracy {item.accuracy.value} ({item.accuracy_reason}){speed}", style=style)


def verification_table(checks: Iterable[DeploymentCheckFacts]) -> RenderableType:
    """The four checks after a deployment, with counts and times."""
    checks = tuple(checks)
    since = checks[0].since if checks else None
    start = f"since {words.stamp(since)}" if since else "since the first scan: no deployment is known"
    table = Table(title=f"After the deployment, {start}", title_justify="left", box=None, pad_edge=False)
    for name in ("", "Check", "State", "Seen", "Bad", "First", "Last"):
        table.add_column(name, justify="right" if name in {"Seen", "Bad"} else "left")
    for check in checks:
        median = f" (median {words.figure(check.median, 'ms')})" if check.median is not None else ""
        state = Text(check.state, style=_STATE_STYLE.get(check.state, ""))
        times = (words.stamp(check.first_at), words.stamp(check.last_at))
        counts = (f"{check.count:,}", f"{check.bad:,}")
        table.add_row(str(check.number), f"{check.check_name}{median}", state, *counts, *times)
    return table


def scan_table(summaries: Iterable[Scanned]) -> RenderableType:
    """What each log had that was new."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Log", "Read", "Lines", "Left", "New findings"):
        table.add_column(name, justify="right" if name in {"Read", "Lines", "Left"} else "left", overflow="fold")
    for summary in summaries:
        if summary.problem:
            table.add_row(Text(summary.source), "", "", "", Text(f"could not be read: {summary.problem}", style="red"))
            continue
        counts = summary.counts
        found = ", ".join(f"{name} ×{count:,}" for name, count in summary.findings_by_signature.items() if count)
        first = " (first scan: history, no alerts line by line)" if summary.first_run else ""
        gaps = [f"{words.counted(summary.gaps, 'gap')}: bytes vanished unread"] if summary.gaps else []
        left = words.size(counts.lag_bytes) if counts.lag_bytes else "–"
        told = Text("\n".join([f"{found or 'none'}{first}", *gaps, *summary.notes]))
        table.add_row(Text(summary.source), words.size(counts.bytes), f"{counts.lines:,}", left, told)
    return table


def file_report_table(report: FileReport) -> RenderableType:
    """What one file holds: findings with the first record of each kind, samples, and how much was read."""
    content = report.as_json()
    parts: list[RenderableType] = [_counts(content)]
    if content["findings"]:
        parts.append(_findings(content["findings"]))
    if content["samples"]:
        parts.append(_samples(content["samples"]))
    return Group(*parts)


def _counts(content: Mapping[str, Any]) -> Text:
    amounts = f"{words.size(content['bytes'])}, {content['lines']:,} lines, {content['records']:,} records"
    doubts = [f"{content[name]:,} {name}" for name in ("undecodable", "truncated") if content[name]]
    return Text("; ".join([amounts, *doubts]) + ("" if content["findings"] else "; no finding"))


def _findings(findings: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Signature", "Count", "First line", "First record"):
        table.add_column(name, justify="right" if name in {"Count", "First line"} else "left", overflow="fold")
    for found in findings:
        lines = printable(str(found["first_record"])).splitlines()
        more = [f"… {len(lines) - _RECORD_LINES} more lines"] if len(lines) > _RECORD_LINES else []
        record = Text("\n".join([*lines[:_RECORD_LINES], *more]))
        table.add_row(Text(found["signature"]), f"{found['count']:,}", f"{found['first_line']:,}", record)
    return table


def _samples(samples: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Metric", "Symbol", "Count", "p50", "p95", "Max"):
        table.add_column(name, justify="left" if name in {"Metric", "Symbol"} else "right")
    for item in samples:
        figures = (words.figure(item[name]) for name in ("p50", "p95", "max"))
        symbol = printable(str(item["symbol"] or words.NOTHING))
        table.add_row(Text(item["metric"]), Text(symbol), f"{item['count']:,}", *figures)
    return table
