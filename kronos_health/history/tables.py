"""Tables for the terminal: probes of a campaign, scans, one scanned file, the deployment checks, the benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kronos_health.domain.logs import ScanCounts
from kronos_health.domain.probes import AccuracyState, Comparison, Outcome, ProbeKind, ProbeRecord
from kronos_health.domain.warm_up import warm_up_dependence
from kronos_health.history import words
from kronos_health.history.benchmark import benchmark_table
from kronos_health.history.columns import Row, widths_of
from kronos_health.history.escaping import printable
from kronos_health.history.facts import DeploymentCheckFacts

__all__ = ["benchmark_table", "file_report_table", "probe_table", "scan_table", "verification_table"]

_STATE_STYLE = {"good": "green", "bad": "bold red", "unknown": "yellow"}
_RECORD_LINES = 12
_HEADINGS = ("Outcome", "Passed", "MAE", "mean ms", "steady", "MB")


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
    targets = {probe.target for probe in probes}
    heading = (targets.pop() if len(targets) == 1 else "", *_HEADINGS)
    rows = [_probe(probe, named=not heading[0]) for probe in probes]
    widths = widths_of([heading, *rows])
    table = [Row(heading, widths, "")]
    table += [Row(row, widths, _style(probe)) for row, probe in zip(rows, probes, strict=True)]
    notes = dict.fromkeys(note for probe in probes for note in (_warm_up(probe), _why(probe)) if note)
    lines = [Text(note, style="dim") for note in notes]
    names = {probe.probe_id: words.arm(probe.variant, probe.candidate) for probe in probes}
    if noisy := words.noisy(probe.noise for probe in probes):
        lines.append(Text(noisy, style="dim"))
    return Group(*table, *lines, *(_comparison(item, names) for item in comparisons))


def _probe(probe: ProbeRecord, *, named: bool) -> tuple[str, ...]:
    figures = probe.figures
    target = f"{probe.target}: " if named else ""
    return (
        f"{target}{words.arm(probe.variant, probe.candidate)}, {_kind(probe)}",
        probe.outcome.value if probe.outcome else "running",
        f"{probe.passed}/{probe.requested}",
        words.plus_minus(figures.mae_mean, figures.mae_std),
        words.marked(words.plus_minus(figures.latency_mean_ms, figures.latency_std_ms), probe.noise),
        words.figure(figures.steady_median_ms),
        words.figure(figures.memory_mb),
    )


def _style(probe: ProbeRecord) -> str:
    neutral = probe.outcome is None or not probe.outcome.about_the_model
    return "green" if probe.outcome is Outcome.PASSED else "yellow" if neutral else "red"


def _kind(probe: ProbeRecord) -> str:
    if probe.kind is ProbeKind.REHEARSED:
        return "rehearsal"
    if probe.environment is None:
        return "measured"
    return "CUDA" if probe.environment.device.startswith("cuda") else "CPU"


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
    title = Text(f"After the deployment, {start}", style="italic")
    table = Table(box=None, pad_edge=False)
    for name in ("", "Check", "State", "Seen", "Bad", "First, UTC", "Last, UTC"):
        table.add_column(name, justify="right" if name in {"Seen", "Bad"} else "left", no_wrap=name != "Check")
    for check in checks:
        median = f" (median {words.figure(check.median, 'ms')})" if check.median is not None else ""
        state = Text(check.state, style=_STATE_STYLE.get(check.state, ""))
        counts = (f"{check.count:,}", f"{check.bad:,}")
        times = (words.stamp(check.first_at, zone=""), words.stamp(check.last_at, zone=""))
        table.add_row(str(check.number), Text(f"{check.check_name}{median}"), state, *counts, *times)
        for part in check.by_source:
            small = (Text(part.state, style="dim"), f"{part.count:,}", f"{part.bad:,}")
            table.add_row("", Text(f"  {part.source}", style="dim"), *small, "", "")
    return Group(title, table, *_rules(checks))


def _rules(checks: tuple[DeploymentCheckFacts, ...]) -> Iterator[Text]:
    """Why values out of bounds alone do not make the last check bad, said only where somebody would ask."""
    for check in checks:
        if check.number == 4 and check.bad:
            yield Text(
                "4: bad when the median is out of bounds, or more than one value and a quarter of all", style="dim"
            )


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
