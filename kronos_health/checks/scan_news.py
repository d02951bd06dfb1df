"""What one scan says to the alert policy: the rows it needs, read in the scan's own transaction."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from kronos_health.checks.context import Context
from kronos_health.checks.observations import errors, predictions, rhythm
from kronos_health.checks.observations import logs as observations
from kronos_health.checks.observations.errors import NewKind
from kronos_health.checks.observations.lag import LOOK_BACK, Reading, of_lag
from kronos_health.checks.observations.logs import COMPLETED, FAILED, NewFindings
from kronos_health.checks.observations.predictions import Metric, RecentSamples, Silence
from kronos_health.checks.observations.rhythm import Rhythm, learn
from kronos_health.domain.alerts import Observation
from kronos_health.domain.logs import FindingGroup, ScanResult, Severity
from kronos_health.logs.catalogue import Catalogue
from kronos_health.store import logs as store

_SHORT = timedelta(hours=2)  # no rhythm calls a shorter silence one
_UNITS = {"mb": "MB", "ratio": ""}  # as people write them


def observe(
    context: Context,
    connection: Connection,
    result: ScanResult,
    scan_id: str,
    groups: tuple[FindingGroup, ...],
    catalogue: Catalogue,
) -> list[Observation]:
    """Everything a stored scan says. History of a first run is told once and pages nobody.

    In an order that alerts can inhibit each other in: what says more comes first.
    """
    readable = result.problem is None
    found = [_placed(context, result, item) for item in _by_signature(result, groups, catalogue)]
    seen = [observations.of_readability(result.source, result.problem, result.counts.lag_bytes, scan_id)]
    if result.first_run:
        if readable:
            seen.append(
                observations.of_history(result.source, found, result.counts.lines, context.now(), scan_id),
            )
        return seen
    if readable:
        seen.append(of_lag(result.source, _readings(connection, result.source), scan_id))
    watched = {
        signature.name: (signature.title, signature.next_step, signature.severity)
        for signature in catalogue.signatures
        if signature.severity is not Severity.INFO
    }
    seen += observations.of_signatures(
        result.source, watched, found, readable=readable, completed_since_hit=result.completed_since_reuse
    )
    seen.append(_silence(context, connection, result, scan_id))
    metrics = _metrics(context, catalogue)
    seen += predictions.of_bounds(
        result.source,
        metrics,
        _recent(context, connection, result, metrics),
        readable=readable,
        scan_id=scan_id,
    )
    new = [NewKind(stored.id, stored.kind) for stored in store.new_errors(connection, scan_id)]
    seen += errors.of_new_errors(result.source, new, scan_id)
    seen += [observations.of_gap(result.source, gap, store.gap_id(connection, gap)) for gap in result.gaps]
    return seen


def _readings(connection: Connection, source: str) -> list[Reading]:
    newest = store.newest_scans(connection, source, LOOK_BACK)
    return [
        Reading(row.started_at, (row.finished_at - row.started_at).total_seconds(), row.bytes, row.lag_bytes)
        for row in newest
    ]


def _silence(context: Context, connection: Connection, result: ScanResult, scan_id: str) -> Observation:
    silence = Silence(
        last=store.last_seen(connection, result.source, COMPLETED),
        watched_since=store.first_scanned(connection, result.source),
        cadence_seconds=context.settings.sources[result.source].cadence_seconds,
        silent_hours=context.settings.alerts.silent_hours,
    )
    silence = replace(silence, rhythm=_rhythm(context, connection, result.source, silence))
    return predictions.of_silence(
        result.source, silence, context.now(), readable=result.problem is None, scan_id=scan_id
    )


def _rhythm(context: Context, connection: Connection, source: str, silence: Silence) -> Rhythm | None:
    """Learnt only where it could matter: most scans come minutes after a prediction."""
    began, last = silence.reference, max(silence.last.values(), default=None)
    if silence.cadence_seconds is not None or began is None or last is None or context.now() - began < _SHORT:
        return None
    return learn(store.hours_seen(connection, source, COMPLETED, last - rhythm.LOOK_BACK))


def _metrics(context: Context, catalogue: Catalogue) -> tuple[Metric, ...]:
    known = {sample.name: sample for sample in catalogue.samples}
    bounds = context.settings.bounds
    expected: list[tuple[str, str | None, tuple[float, float]]]
    expected = [(name, None, limits) for name, limits in bounds.ranges.items()]
    expected += [(item.metric, item.symbol, item.bounds) for item in bounds.returns]
    return tuple(
        Metric(name, known[name].title, _UNITS.get(known[name].unit or "", known[name].unit) or "", *limits, subject)
        for name, subject, limits in expected
        if name in known
    )


def _recent(
    context: Context, connection: Connection, result: ScanResult, metrics: Sequence[Metric]
) -> dict[str, RecentSamples]:
    """The metrics this scan brought values of, over the newest ones stored."""
    since, recent = context.now() - predictions.WINDOW, {}
    brought = {(sample.metric, subject) for _generation, sample in result.samples for subject in (None, sample.subject)}
    for metric in metrics:
        if (metric.name, metric.subject) not in brought:
            continue
        rows = store.newest_samples(
            connection, result.source, metric.name, since, predictions.NEWEST, subject=metric.subject
        )
        values = [value for _row_id, value in rows]
        if values:
            recent[metric.key] = RecentSamples(
                len(values), statistics.median(values), min(values), max(values), sample_id=rows[0][0]
            )
    return recent


def _by_signature(result: ScanResult, groups: tuple[FindingGroup, ...], catalogue: Catalogue) -> list[NewFindings]:
    """Groups of one signature put together: an alert is about a signature, not about each of its fingerprints."""
    together: dict[str, list[FindingGroup]] = defaultdict(list)
    for group in groups:
        together[group.signature].append(group)
    found = [_new_findings(name, parts, catalogue) for name, parts in together.items()]
    caused_by = observations.reasons_to_fail(result.findings)
    return [replace(item, caused_by=caused_by) if item.signature == FAILED else item for item in found]


def _new_findings(name: str, parts: list[FindingGroup], catalogue: Catalogue) -> NewFindings:
    signature, first = catalogue.signature(name), min(parts, key=lambda part: part.first_at)
    return NewFindings(
        signature=name,
        severity=first.severity,
        count=sum(part.count for part in parts),
        title=signature.title if signature else name,
        next_step=signature.next_step if signature else "kronos-health verify",
        first_at=first.first_at,
        last_at=max(part.last_at for part in parts),
        record=first.record,
        reasons=tuple(dict.fromkeys(part.reason for part in parts if part.reason)),
        finding_id=first.finding_id,
        log=first.log,
    )


def _placed(context: Context, result: ScanResult, item: NewFindings) -> NewFindings:
    """``item`` without the name of its log where that is the only one of its source."""
    path = context.settings.sources[result.source].path
    return replace(item, log="") if item.log == str(Path(path).absolute()) else item
