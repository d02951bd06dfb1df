"""The status on one screen of a terminal, eighty columns wide or more."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from kronos_health.domain.leaks import brief
from kronos_health.history import figures, words
from kronos_health.history.columns import Row, cut, one_line, widths_of
from kronos_health.history.facts import DecisionFacts, ProbeFacts, StandingFacts, StatusView, TargetView
from kronos_health.history.surroundings import surroundings

_STATE_STYLE = {"met": "green", "not_met": "red", "unknown": "yellow"}
_LONGEST_REASON = 150
_HEADINGS = ("", "", "", "MAE", "mean ms", "steady", "MB")
_SHOWN_FIGURES = 4


def render_status(view: StatusView) -> RenderableType:
    """The status for a rich console. Text from logs and databases is never read as markup."""
    parts: list[RenderableType] = []
    for target in view.targets:
        parts.extend(_target(target, view))
    if not view.targets:
        parts.append(_nothing_yet("anything"))
    parts.append(surroundings(view))
    return Group(*parts)


def _target(target: TargetView, view: StatusView) -> Iterator[RenderableType]:
    if target.decision and target.decision.imported and not target.probes:
        yield _recorded(target, target.decision)
        return
    yield _verdict(target, view)
    if target.criteria:
        yield from _criteria(target)
    probes = (*target.probes, *target.baseline)
    if probes:
        yield _probes(probes, target)
    if target.figures:
        yield Text(f"Figures over time: {figures.summary(target.figures)}", style="italic")
    for facts in figures.noteworthy(target.figures)[:_SHOWN_FIGURES]:
        style = "yellow" if facts.reference is not None else ""
        yield cut(Text(f"  {figures.name(facts)}: {figures.state(facts)}", style=style))


def _recorded(target: TargetView, decision: DecisionFacts) -> RenderableType:
    """A decision that only a results file knows, about a model that nobody probes: a line, not a verdict."""
    text = f": {decision.mode}, recorded by the team on {decision.decided_at:%Y-%m-%d}, not checked since. "
    return one_line((target.name, "bold"), text, (decision.reason, "dim"))


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
        when = f"recorded by the team on {decision.decided_at:%Y-%m-%d}; not checked since"
    lines = [Text(decision.sentence, style="bold")]
    if reason := words.reason_beyond(decision.sentence, decision.reason):
        lines.append(cut(Text(f"Why:  {reason}"), _LONGEST_REASON))
    lines.append(Text.assemble("Next: ", (decision.next_step, "cyan")))
    mode = Text.assemble(
        (f" {target.name}: ", "bold"),
        (decision.mode, "bold green" if decision.mode == "COMPILED" else "bold blue"),
        (f" · {decision.variant}" if decision.variant else ""),
        f" · {decision.confidence} confidence ",
    )
    subtitle = Text(f" {when} ")
    return Panel(Group(*lines), title=mode, title_align="left", subtitle=subtitle, subtitle_align="right")


def _criteria(target: TargetView) -> Iterator[Text]:
    """A line each, with what was found; the threshold and the rows behind it stand in the report."""
    names = [f"{words.criterion_number(facts.name)} {words.criterion(facts)}" for facts in target.criteria]
    longest = max(map(len, names))
    for name, facts in zip(names, target.criteria, strict=True):
        state = words.STATES.get(facts.state, facts.state)
        found = f"{facts.variant}: {facts.value}" if facts.variant else facts.value
        yield one_line(f"{name:<{longest}}  ", (f"{state:<7}", _STATE_STYLE.get(facts.state, "")), f"  {found}")


def _probes(probes: tuple[ProbeFacts, ...], target: TargetView) -> RenderableType:
    standing = {(facts.variant, facts.candidate, facts.admissible): facts for facts in target.standings}
    rows = [_HEADINGS, *(_figures(probe) for probe in probes)]
    widths = widths_of(rows)
    lines: list[RenderableType] = [Row(_HEADINGS, widths, "dim")]
    for heading, group in groupby(probes, key=words.evidence):
        lines.append(Text(heading, style="italic"))
        for probe in group:
            lines.append(Row(_figures(probe), widths, _outcome_style(probe)))
            note = _note(probe, standing.get((probe.variant, probe.candidate, probe.evidence == "cuda")))
            if note:
                lines.append(cut(Text(f"    {note}", style="dim")))
            if probe.probe_id in target.leaks:
                lines.append(cut(Text(f"    {brief(target.leaks[probe.probe_id])}", style="dim"), _LONGEST_REASON))
    if target.rehearsed:
        wrong = any(not facts.agrees for facts in target.agreement)
        lines.append(cut(Text(f"  {words.agreement(target.agreement)}", style="yellow" if wrong else "dim")))
    if noisy := words.noisy(probe.noise.splitlines() for probe in probes if probe.noise):
        lines.append(one_line((f"  {noisy}", "dim")))
    return Group(*lines)


def _figures(probe: ProbeFacts) -> tuple[str, ...]:
    return (
        words.arm(probe.variant, probe.candidate),
        probe.outcome or "running",
        words.passed(probe),
        words.plus_minus(probe.mae_mean, probe.mae_std),
        words.marked(words.plus_minus(probe.latency_mean_ms, probe.latency_std_ms), probe.noise),
        words.figure(probe.steady_median_ms),
        words.figure(probe.memory_mb),
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
