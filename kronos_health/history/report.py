"""The report in Markdown, in the shape of the document the team wrote on 2025-10-30, every figure from the database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection

from kronos_health.domain.leaks import advice, story
from kronos_health.history import figures, words
from kronos_health.history.escaping import block, code, markdown
from kronos_health.history.facts import (
    CriterionFacts,
    DeploymentCheckFacts,
    ProbeFacts,
    StatusView,
    TargetView,
)
from kronos_health.history.production import Production, production_figures
from kronos_health.history.status import build_status
from kronos_health.history.verification import against, deployment_checks
from kronos_health.settings.models import Bounds
from kronos_health.store.history import run_query


def write_report(
    connection: Connection,
    now: datetime,
    target: str = "kronos",
    bounds: Bounds | None = None,
    sources: Collection[str] | None = None,
) -> str:
    """The Markdown report about ``target`` at ``now`` (aware UTC); ``bounds`` are what production is expected to do.

    ``sources`` are the logs under watch; ``None`` stands for every log ever scanned. Sections without facts say so;
    nothing is left out silently.
    """
    bounds = bounds or Bounds()
    view = build_status(connection, now, [target])
    own = next(item for item in view.targets if item.name == target)
    checks = deployment_checks(connection, now, bounds, sources=sources)
    stacks = {probe.probe_id: _stack(connection, probe, now) for probe in _failing(own)}
    sections = (
        _title(own, view),
        _summary(own),
        (*_errors(own, stacks), *_rehearsal(own)),
        _decision(own),
        _expected(production_figures(connection, now, bounds, sources)),
        _revisit(own.criteria),
        _verification(checks),
        _attention(view, checks, bounds),
    )
    return "\n".join("\n".join(section).rstrip() + "\n" for section in sections)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table; the cells are Markdown already."""
    head = list(header)
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(' --- ' for _ in head)}|"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


def _stack(connection: Connection, probe: ProbeFacts, now: datetime) -> str:
    rows = run_query(connection, "iterations_of_probe", {"probe_id": probe.probe_id}, now=now).dicts()
    return next((str(row["stack"]) for row in rows if row["stack"]), "")


def _title(target: TargetView, view: StatusView) -> Iterator[str]:
    decision = target.decision
    yield f"# {markdown(target.name.capitalize())} torch.compile: health report"
    yield ""
    yield f"**Date**: {words.stamp(view.at)}  "
    if decision is None:
        yield "**Decision**: none yet. Run `kronos-health check`."
        return
    variant = f" ({code(decision.variant)})" if decision.variant else ""
    origin = (
        f"recorded by the team on {decision.decided_at:%Y-%m-%d}"
        if decision.imported
        else words.stamp(decision.decided_at)
    )
    yield f"**Decision**: **{decision.mode} MODE**{variant}  "
    yield f"**Confidence**: {decision.confidence}  "
    yield f"**Decided**: {origin}; newest admissible evidence: {words.stamp(decision.evidence_at)}"


def _summary(target: TargetView) -> Iterator[str]:
    yield "## Results"
    probes = (*target.probes, *target.baseline)
    if not probes:
        yield "\nNothing has been probed yet. Run `kronos-health probe`."
    for heading, group in groupby(probes, key=words.evidence):
        yield f"\n### {markdown(heading[0].upper() + heading[1:])}\n"
        yield from table(
            ("Variant", "Iterations", "MAE", "Latency", "Steady latency", "Memory", "Outcome"), map(_result, group)
        )
    yield from _figures(target)


def _figures(target: TargetView) -> Iterator[str]:
    """Those that stepped or may have; the rest is counted, and stands in the query ``current_figures``."""
    if not target.figures:
        return
    yield "\n### Figures over time\n"
    yield f"{figures.summary(target.figures)}."
    noteworthy = figures.noteworthy(target.figures)
    if noteworthy:
        yield ""
        yield from (f"- {markdown(figures.name(facts))}: {markdown(figures.state(facts))}" for facts in noteworthy)


def _result(probe: ProbeFacts) -> list[str]:
    rate = f" ({probe.passed / probe.requested:.0%})" if probe.requested else ""
    return [
        code(words.arm(probe.variant, probe.candidate)),
        f"{words.passed(probe)}{rate}",
        words.plus_minus(probe.mae_mean, probe.mae_std),
        words.plus_minus(probe.latency_mean_ms, probe.latency_std_ms, "ms"),
        words.figure(probe.steady_median_ms, "ms"),
        words.figure(probe.memory_mb, "MB"),
        code(probe.outcome or "running") + (" (noisy)" if probe.noise else ""),
    ]


def _failing(target: TargetView) -> tuple[ProbeFacts, ...]:
    return tuple(probe for probe in (*target.probes, *target.baseline) if probe.outcome not in {None, "passed"})


def _errors(target: TargetView, stacks: dict[str, str]) -> Iterator[str]:
    yield "## Error details"
    failing = _failing(target)
    if not failing:
        yield "\nNo error: every newest probe passed, or none has run."
    alike: dict[tuple[str | None, ...], list[ProbeFacts]] = {}
    for probe in failing:
        alike.setdefault((probe.outcome, probe.message, probe.skipped_reason, words.where(probe)), []).append(probe)
    for probes in alike.values():
        yield ""
        for probe in probes:
            warm = f", {words.warm_up(probe)}" if words.warm_up(probe) else ""
            yield f"- {code(probe.variant)}, {markdown(words.evidence(probe))}: **{code(probe.outcome or '')}**{warm}"
        stack = next((stacks[probe.probe_id] for probe in probes if stacks.get(probe.probe_id)), "")
        yield from _error(probes[0], stack)


def _error(probe: ProbeFacts, stack: str) -> Iterator[str]:
    if probe.skipped_reason:
        yield f"\n{markdown(probe.skipped_reason)}"
    if probe.message and probe.message != probe.skipped_reason:
        yield "\n" + block(": ".join(part for part in (probe.error_class, probe.message) if part))
    if probe.frame_file:
        yield f"\nFirst failing frame: {code(words.where(probe))} in {code(probe.frame_function or '?')}"
    if stack:
        yield "\n" + block(stack)


def _rehearsal(target: TargetView) -> Iterator[str]:
    yield "\n### What breaks the rule of CUDA graphs, by rehearsal"
    if not target.rehearsed:
        yield "\nNothing was rehearsed. Run `kronos-health rehearse`."
        return
    yield f"\n{markdown(words.agreement(target.agreement))}"
    for probe in target.probes:
        leaks = target.leaks.get(probe.probe_id, ())
        if leaks:
            told = (*story(leaks), *advice(leaks))
            yield f"\n- {code(words.arm(probe.variant, probe.candidate))}: {markdown(' '.join(told))}"


def _decision(target: TargetView) -> Iterator[str]:
    decision = target.decision
    yield "## Decision"
    if decision is None:
        yield "\nNothing is decided yet."
        return
    yield f"\n{markdown(decision.sentence)}"
    yield "\n### Rationale\n"
    yield f"- {markdown(decision.reason)}"
    for standing in target.standings:
        yield f"- {code(words.arm(standing.variant, standing.candidate))}: {markdown(words.standing(standing))}"
    yield f"\n**Next step**: {code(decision.next_step)}"


def _expected(production: Production) -> Iterator[str]:
    yield "## Expected production performance against measured\n"
    yield f"Measured: what the watched logs said {production.period}.\n"
    rows = [
        [
            markdown(item.label),
            item.stated,
            markdown(item.expected),
            markdown(item.measured),
            f"{item.samples:,}",
            item.verdict,
        ]
        for item in production.figures
    ]
    yield from table(("Metric", "On 2025-10-30", "Bounds", "Measured: median (p95)", "Values", "Verdict"), rows)


def _revisit(criteria: tuple[CriterionFacts, ...]) -> Iterator[str]:
    yield "## When to revisit: the four criteria"
    if not criteria:
        yield "\nNot weighed yet. Run `kronos-health check`."
        return
    yield ""
    rows = []
    for facts in criteria:
        variant = f" ({code(facts.variant)})" if facts.variant else ""
        evidence = "; ".join(
            f"{code(f'{item.table_name} {item.row_id}')} {markdown(item.note)}" for item in facts.evidence
        )
        rows.append(
            [
                str(words.criterion_number(facts.name)),
                f"{words.criterion(facts)}{variant}",
                f"**{words.STATES.get(facts.state, facts.state)}**",
                markdown(facts.value),
                markdown(facts.threshold),
                markdown(facts.explanation),
                evidence or words.NOTHING,
            ]
        )
    yield from table(("#", "Criterion", "State", "Found", "Needed", "In words", "Evidence"), rows)
    yield (
        "\nCriteria 3 and 4 are necessary, and those that only this target has; 1 and 2 are reasons to probe. Unknown "
        "never counts as met."
    )


def _verification(checks: tuple[DeploymentCheckFacts, ...]) -> Iterator[str]:
    since = checks[0].since if checks else None
    yield "## Verification after deployment\n"
    start = f"the deployment of {words.stamp(since)}" if since else "the first scan: no deployment is known"
    yield f"Counted since {start}.\n"
    rows = []
    for facts in checks:
        span = f"{words.stamp(facts.first_at)} to {words.stamp(facts.last_at)}" if facts.count else words.NOTHING
        median = f"; median {words.figure(facts.median, 'ms')}" if facts.median is not None else ""
        shares = "; ".join(f"{part.source} {part.count:,}, {part.bad:,} bad" for part in facts.by_source)
        counts = f"{facts.count:,} seen, {facts.bad:,} bad{median}" + (f" ({markdown(shares)})" if shares else "")
        rows.append([str(facts.number), markdown(facts.check_name), f"**{facts.state}**", counts, span])
    yield from table(("#", "Check", "State", "Count", "When"), rows)


def _attention(view: StatusView, checks: tuple[DeploymentCheckFacts, ...], bounds: Bounds) -> Iterator[str]:
    yield "## What wants attention\n"
    bad = [f"- {markdown(against(check, bounds))}" for check in checks if check.state == "bad"]
    lines = [*bad, *_attention_lines(view)]
    yield from lines or ["Nothing."]


def _attention_lines(view: StatusView) -> Iterator[str]:
    for alert in view.alerts:
        yield f"- **{alert.severity}**: {markdown(alert.title)}, {alert.state} since {words.stamp(alert.since)}"
    for drift in view.drift:
        actual = "missing" if drift.actual is None else code(drift.actual)
        wanted = f"expected {code(drift.expected)}, since {words.stamp(drift.seen_at)}"
        yield f"- {markdown(drift.place)}: {code(drift.key)} is {actual}, {wanted}"
    for source in view.sources:
        if source.problem or source.gaps:
            yield f"- Log {code(source.source)}: {markdown(words.source_state(source, view.at))}"
    for look in view.looks:
        if look.unknown_since:
            reason = markdown(look.reason or "")
            yield f"- {markdown(look.subject)} unknown since {words.stamp(look.unknown_since)}: {reason}"
    for channel in view.channels:
        if channel.disabled_at:
            yield f"- Channel {code(channel.channel)} is off: {markdown(channel.disabled_reason or '')}"
