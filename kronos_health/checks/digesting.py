"""Digest: once a week, say that the checker still watches and what it saw."""

from __future__ import annotations

from dataclasses import replace

from kronos_health.alerts import recording
from kronos_health.checks.context import Context
from kronos_health.checks.observations import checker as observations
from kronos_health.checks.pictures import draw_latency
from kronos_health.checks.pulse import pulse
from kronos_health.domain.alerts import Fact, Observation
from kronos_health.history.status import build_status
from kronos_health.history.words import counted, size
from kronos_health.store.database import reading, writing
from kronos_health.store.history import run_query


def digest(context: Context) -> None:
    """Queue this week's digest, with a chart if there is one; asked again in the same ISO week it changes nothing."""
    with pulse(context, "digest") as state:
        week = _week(context)
        try:
            week = replace(week, picture=draw_latency(context, week.key))
        except Exception as error:  # a chart is not worth a digest that does not come
            state.attention(f"the digest goes without its chart: {type(error).__name__}: {error}"[:500])
        with writing(context.engine) as connection:
            recording.record(connection, [week], context.settings, context.now())


def _week(context: Context) -> Observation:
    now = context.now()
    with reading(context.engine) as connection:
        view = build_status(connection, now, context.settings.probe.targets)
        scans = run_query(connection, "scan_throughput", {"since": "7d"}, now=now).dicts()
    read = sum(int((row["mb"] or 0) * 1024**2) for row in scans)
    findings = sum(found.findings for source in view.sources for found in source.findings)
    facts = (
        Fact("Scanned", f"{size(read)} of logs in {counted(len(view.sources), 'source')}"),
        Fact("Findings", f"{findings:,} in the last seven days"),
        Fact("Open alerts", str(len(view.alerts))),
        *(Fact("Drift", f"{drift.key} in {drift.place}") for drift in view.drift),
    )
    decisions = [target.decision for target in view.targets if target.decision]
    attention = len(view.alerts) + len(view.drift)
    return observations.of_week(
        now,
        [decision.sentence for decision in decisions],
        facts,
        attention,
        [decision.decision_id for decision in decisions],
    )
