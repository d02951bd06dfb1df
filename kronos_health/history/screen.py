"""The status on one screen of a terminal, a hundred columns wide."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kronos_health.domain.leaks import brief
from kronos_health.history import figures, words
from kronos_health.history.facts import (
    ChannelFacts,
    ProbeFacts,
    SourceFacts,
    StandingFacts,
    StatusView,
    TargetView,
)

_STATE_STYLE = {"met": "green", "not_met": "red", "unknown": "yellow"}
_SEVERITY_STYLE = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
_LABEL_WIDTH = 9
_NAME_WIDTH = 30
_LONGEST = 180
_LONGEST_REASON = 280
_HEADINGS = ("", "", "", "MAE", "mean ms", "steady", "MB")
_SHOWN_ALERTS = 5
_SHOWN_DRIFT = 3
_SHOWN_FIGURES = 4


def render_status(view: StatusView) -> RenderableType:
    """The status for a rich console. Text from logs and databases is never read as markup."""
    parts: list[RenderableType] = []
    for target in view.targets:
        parts.extend(_target(target, view))
    if not view.targets:
        parts.append(_nothing_yet("anything"))
    parts.append(_surroundings(view))
    return Group(*parts)


def _target(target: TargetView, view: StatusView) -> Iterator[RenderableType]:
    yield _verdict(target, view)
    if target.criteria:
        yield _criteria(target)
    probes = (*target.probes, *target.baseline)
    if probes:
        yield _probes(probes, target)
    if target.figures:
        yield Text(f"Figures over time: {figures.summary(target.figures)}", style="italic")
    for facts in figures.noteworthy(target.figures)[:_SHOWN_FIGURES]:
        style = "yellow" if facts.reference is not None else ""
        yield _cut(Text(f"  {figures.name(facts)}: {figures.state(facts)}", style=style))


def _nothing_yet(what: str) -> Text:
    return Text(f"Nothing is decided about {what} yet. Run: kronos-health check", style="yellow")


def _verdict(target: TargetView, view: StatusView) -> RenderableType:
    decision = target.decision
    if decision is None:
        return Panel(_nothing_yet(target.name), title=Text(target.name), title_align="left")
    newest = words.ago(decision.evidence_at, view.at)
    evidence = f"newest admissible evidence {newest}" if decision.evidence_at else "no admissible evidence"
    when = f"decided {words.ago(decision.decided_at, view.at)} · {evidence}"
    if decision.imported:
        when = f"the team's own decision of {decision.decided_at:%Y-%m-%d}; not checked since"
    lines = [
        Text(decision.sentence, style="bold"),
        _cut(Text(f"Why:  {decision.reason}"), _LONGEST_REASON),
        Text.assemble("Next: ", (decision.next_step, "cyan")),
    ]
    mode = Text.assemble(
        (f" {target.name}: ", "bold"),
        (decision.mode, "bold green" if decision.mode == "COMPILED" else "bold blue"),
        (f" · {decision.variant}" if decision.variant else ""),
        f" · {decision.confidence} confidence ",
    )
    subtitle = Text(f" {when} ")
    return Panel(Group(*lines), title=mode, title_align="left", subtitle=subtitle, subtitle_align="right")


def _criteria(target: TargetView) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for facts in target.criteria:
        found = f"{facts.value} (needs {facts.threshold})"
        table.add_row(
            Text(f"{words.criterion_number(facts.name)} {words.criterion(facts)}"),
            Text(words.STATES.get(facts.state, facts.state), style=_STATE_STYLE.get(facts.state, "")),
            Text(f"{facts.variant}: {found}" if facts.variant else found),
        )
    return table


def _probes(probes: tuple[ProbeFacts, ...], target: TargetView) -> RenderableType:
    standing = {(facts.variant, facts.candidate, facts.admissible): facts for facts in target.standings}
    rows = [_HEADINGS, *(_figures(probe) for probe in probes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [_cells(_HEADINGS, widths, "dim")]
    for heading, group in groupby(probes, key=words.evidence):
        lines.append(Text(heading, style="italic"))
        for probe in group:
            lines.append(_cells(_figures(probe), widths, _outcome_style(probe)))
            note = _note(probe, standing.get((probe.variant, probe.candidate, probe.evidence == "cuda")))
            if note:
                lines.append(_cut(Text(f"    {note}", style="dim")))
            if probe.probe_id in target.leaks:
                lines.append(_cut(Text(f"    {brief(target.leaks[probe.probe_id])}", style="dim"), _LONGEST_REASON))
    if target.rehearsed:
        wrong = any(not facts.agrees for facts in target.agreement)
        lines.append(_cut(Text(f"  {words.agreement(target.agreement)}", style="yellow" if wrong else "dim")))
    return Group(*lines)


def _figures(probe: ProbeFacts) -> tuple[str, ...]:
    name = words.arm(probe.variant, probe.candidate)
    return (
        name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 1] + "…",
        probe.outcome or "running",
        words.passed(probe),
        words.plus_minus(probe.mae_mean, probe.mae_std),
        words.plus_minus(probe.latency_mean_ms, probe.latency_std_ms),
        words.figure(probe.steady_median_ms),
        words.figure(probe.memory_mb) + ("~" if probe.noise else ""),
    )


def _outcome_style(probe: ProbeFacts) -> str:
    if probe.outcome == "passed":
        return "green"
    return "yellow" if probe.outcome in {None, "skipped", "lost", "worker_error"} else "red"


def _note(probe: ProbeFacts, counted: StandingFacts | None) -> str:
    """The count so far, whether it must be warm, and where it fails.

    A count belongs to one environment: never beside a rehearsal.
    """
    notes = [f"so far {words.standing(counted)}"] if counted and probe.evidence in {"cuda", "cpu"} else []
    if words.warm_up(probe):
        notes.append(words.warm_up(probe))
    if probe.outcome != "passed" and words.where(probe):
        notes.append(f"at {words.where(probe)}" if probe.frame_file else words.where(probe))
    return " · ".join(notes)


def _cells(cells: tuple[str, ...], widths: list[int], style: str) -> Text:
    """One row under the others: name and outcome to the left, figures to the right."""
    name, outcome, *figures = cells
    columns = "  ".join(f"{cell:>{width}}" for cell, width in zip(figures, widths[2:], strict=True))
    line = Text.assemble(f"  {name:<{widths[0]}}  ", (f"{outcome:<{widths[1]}}  ", style), columns)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _cut(line: Text, longest: int = _LONGEST) -> Text:
    """What comes from outside may be long; it may not push the rest off the screen. The report has all of it."""
    line.truncate(longest, overflow="ellipsis")
    return line


def _surroundings(view: StatusView) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=_LABEL_WIDTH, no_wrap=True, style="bold")
    table.add_column(ratio=1)
    for label, lines in (
        ("Logs", _logs(view)),
        ("Upstream", _upstream(view)),
        ("Settings", _drift(view)),
        ("Alerts", _alerts(view)),
        ("Delivery", _delivery(view)),
        ("Checks", _pulse(view)),
    ):
        for index, line in enumerate(lines):
            table.add_row(label if index == 0 else "", _cut(line))
    return table


def _logs(view: StatusView) -> list[Text]:
    if not view.sources:
        return [Text("no log has been scanned: unknown", style="yellow")]
    return [line for source in view.sources for line in _log(source, view)]


def _log(source: SourceFacts, view: StatusView) -> Iterator[Text]:
    state = words.source_state(source, view.at)
    doubtful = source.problem or source.last_scanned_at is None or source.lag_bytes or source.gaps
    yield Text.assemble((f"{source.source} ", ""), (state, "yellow" if doubtful else ""))
    days = (view.at - view.findings_since).days
    serious = [found for found in source.findings if found.severity != "info"]
    for found in serious[:3]:
        text = f"  {found.signature} ×{found.findings:,} in {days} days, last {words.ago(found.last_at, view.at)}"
        yield Text(text, style=_SEVERITY_STYLE.get(found.severity, ""))
    if len(serious) > 3:
        yield Text(f"  and {words.counted(len(serious) - 3, 'more kind')}")
    if not serious and not source.problem and source.last_scanned_at:
        yield Text(f"  nothing of concern in {days} days", style="" if source.earlier else "green")
    for found in source.earlier[:3]:
        text = f"  before that {found.signature} ×{found.findings:,}, last {words.ago(found.last_at, view.at)}"
        yield Text(text, style=_SEVERITY_STYLE.get(found.severity, ""))


def _upstream(view: StatusView) -> list[Text]:
    known = [
        f"{release.package} {release.version}{', new ' + words.ago(release.seen_at, view.at) if release.news else ''}"
        for release in view.releases
    ]
    known += [f"{commit.repository} {commit.ref} {commit.revision[:10]}" for commit in view.commits]
    lines = [Text(" · ".join(known))] if known else []
    for look in view.looks:
        if look.unknown_since and not look.of_settings:
            text = f"{look.subject} unknown since {words.stamp(look.unknown_since)}: {look.reason}"
            lines.append(Text(text, style="yellow"))
    return lines or [Text("never looked at: unknown", style="yellow")]


def _drift(view: StatusView) -> list[Text]:
    lines = []
    for drift in view.drift[:_SHOWN_DRIFT]:
        actual = "is missing" if drift.actual is None else f"is {drift.actual}"
        text = f"{drift.place}: {drift.key} {actual}, expected {drift.expected}, {words.age(drift.seen_at, view.at)}"
        lines.append(Text(text, style="red"))
    more = len(view.drift) - _SHOWN_DRIFT
    if more > 0:
        lines.append(Text(f"and {more} more"))
    looks = [look for look in view.looks if look.of_settings]
    for look in looks:
        if look.unknown_since:
            text = f"{look.subject} unknown since {words.stamp(look.unknown_since)}: {look.reason}"
            lines.append(Text(text, style="yellow"))
    if lines:
        return lines
    return [Text("follow the decision", style="green") if looks else Text("not looked at: unknown", style="yellow")]


def _alerts(view: StatusView) -> list[Text]:
    lines = []
    for alert in view.alerts[:_SHOWN_ALERTS]:
        frozen = ", cannot be seen now" if alert.unknown_since else ""
        text = f"{alert.title}: {alert.state} for {words.age(alert.since, view.at)}, ×{alert.occurrences:,}{frozen}"
        lines.append(Text(text, style=_SEVERITY_STYLE.get(alert.severity, "")))
    more = len(view.alerts) - _SHOWN_ALERTS
    if more > 0:
        lines.append(Text(f"and {more} more: kronos-health query open_alerts"))
    return lines or [Text("none")]


def _delivery(view: StatusView) -> list[Text]:
    return [_channel(channel, view) for channel in view.channels] or [Text("nothing sent yet")]


def _channel(channel: ChannelFacts, view: StatusView) -> Text:
    parts = [f"{channel.sent:,} sent"]
    if channel.waiting:
        parts.append(f"{channel.waiting:,} waiting for {words.age(channel.oldest_waiting_at, view.at)}")
    if channel.unknown:
        parts.append(f"{channel.unknown:,} being looked up")
    if channel.dead:
        parts.append(f"{channel.dead:,} given up")
    if channel.disabled_at:
        parts.append(f"OFF: {channel.disabled_reason}")
    bad = channel.dead or channel.disabled_at
    return Text(f"{channel.channel}: {', '.join(parts)}", style="red" if bad else "yellow" if channel.waiting else "")


def _pulse(view: StatusView) -> list[Text]:
    newest = {pulse.check_name: pulse for pulse in sorted(view.pulse, key=lambda pulse: pulse.started_at)}
    parts = []
    for name, pulse in newest.items():
        verdict = pulse.verdict or "not finished"
        parts.append(f"{name} {words.ago(pulse.started_at, view.at)} {verdict}")
    return [Text(" · ".join(parts))] if parts else [Text("none has run yet")]
