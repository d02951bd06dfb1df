"""Observations of a log scan: what the catalogue found, numbers out of bounds, silence, gaps, unreadable sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.logs import Gap, Severity

GRAPH_REUSE = "graph_reuse"
COMPLETED = "prediction_completed"


@dataclass(frozen=True, slots=True)
class NewFindings:
    """What a scan found new of one signature. ``record`` is the first one's text, secrets masked."""

    signature: str
    severity: Severity
    count: int
    title: str
    next_step: str
    first_at: datetime | None
    last_at: datetime | None
    record: str
    reasons: tuple[str, ...] = ()
    finding_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewSamples:
    """The numbers of one metric in one scan."""

    metric: str
    count: int
    median: float
    maximum: float


def of_readability(source: str, problem: str | None, lag_bytes: int) -> Observation:
    """Whether the source could be read at all; everything else about it is unknown while it cannot."""
    return Observation(
        kind=AlertKind.CHECKER_UNHEALTHY,
        key=f"source/{source}",
        state=ObservationState.BAD if problem else ObservationState.GOOD,
        severity=Severity.WARNING,
        title=f"The log {source} cannot be read",
        summary=problem or "The log can be read.",
        next_step=f"kronos-health scan --source {source}",
        facts=(Fact("Left for the next scan", f"{lag_bytes:,} bytes"),) if lag_bytes else (),
    )


def of_signatures(
    source: str,
    watched: Mapping[str, tuple[str, str, Severity]],
    found: Iterable[NewFindings],
    *,
    readable: bool,
    completed_since_hit: int,
) -> Iterator[Observation]:
    """One observation per signature of severity warning or critical.

    ``watched`` maps signature to (title, next step, severity). ``completed_since_hit`` counts predictions completed
    after the last graph reuse of this scan: the only sign of health that ends such an episode.
    """
    by_signature = {item.signature: item for item in found}
    for signature, (title, next_step, severity) in watched.items():
        item = by_signature.get(signature)
        state = ObservationState.GOOD if readable else ObservationState.UNKNOWN
        critical_reuse = signature == GRAPH_REUSE
        yield Observation(
            kind=AlertKind.GRAPH_REUSE if critical_reuse else AlertKind.LOG_ERRORS,
            key=source if critical_reuse else f"{source}/{signature}",
            state=ObservationState.BAD if item else state,
            severity=severity,
            title=f"{title} in {source}",
            summary=_summary(item) if item else "Nothing new of this kind.",
            next_step=next_step,
            occurrences=item.count if item else 0,
            positives=completed_since_hit if critical_reuse else 0,
            observed_at=item.last_at if item else None,
            facts=_facts(item) if item else (),
            excerpt=item.record if item else None,
            evidence=(f"finding:{item.finding_id}",) if item and item.finding_id else (),
        )


def _summary(item: NewFindings) -> str:
    times = "once" if item.count == 1 else f"{item.count:,} times"
    return f"Seen {times}" + (f"; last at {item.last_at:%Y-%m-%d %H:%M:%S} UTC." if item.last_at else ".")


def _facts(item: NewFindings) -> tuple[Fact, ...]:
    facts = [Fact("Signature", item.signature), Fact("New", f"{item.count:,}")]
    if item.first_at:
        facts.append(Fact("First", f"{item.first_at:%Y-%m-%d %H:%M:%S} UTC"))
    facts += [Fact("Reason", reason) for reason in item.reasons[:5]]
    return tuple(facts)


def of_history(source: str, found: Iterable[NewFindings], lines: int, at: datetime) -> Observation:
    """The one digest of a source's first scan: history pages nobody line by line."""
    serious = [item for item in found if item.severity is not Severity.INFO]
    reuse = any(item.signature == GRAPH_REUSE for item in serious)
    listed = ", ".join(f"{item.signature} ×{item.count:,}" for item in serious) or "nothing of concern"
    return Observation(
        kind=AlertKind.LOG_HISTORY,
        key=f"{source}/{at:%Y%m%dT%H%M%S}",
        state=ObservationState.BAD,
        severity=Severity.CRITICAL if reuse else Severity.WARNING if serious else Severity.INFO,
        title=f"First scan of {source}: {'CUDA graph reuse in its history' if reuse else listed}",
        summary=f"{lines:,} lines of history were read: {listed}. From now on new lines raise alerts.",
        next_step="kronos-health verify",
        facts=tuple(
            Fact(
                item.signature,
                f"{item.count:,}" + (f", last {item.last_at:%Y-%m-%d %H:%M} UTC" if item.last_at else ""),
            )
            for item in serious[:10]
        ),
        excerpt=next((item.record for item in serious if item.signature == GRAPH_REUSE), None),
    )


def _last(at: datetime | None) -> str:
    return f", last {at:%Y-%m-%d %H:%M} UTC" if at else ""


def of_bounds(
    source: str, bounds: Mapping[str, tuple[float, float]], samples: Iterable[NewSamples], *, readable: bool
) -> Iterator[Observation]:
    """Whether the median of each bounded metric of this scan lies within its bounds; without samples it is unknown."""
    by_metric = {item.metric: item for item in samples}
    for metric, (low, high) in bounds.items():
        item = by_metric.get(metric) if readable else None
        if item is None:
            state = ObservationState.UNKNOWN
        else:
            state = ObservationState.GOOD if low <= item.median <= high else ObservationState.BAD
        yield Observation(
            kind=AlertKind.PREDICTIONS_OUT_OF_BOUNDS,
            key=f"{source}/{metric}",
            state=state,
            severity=Severity.WARNING,
            title=f"{metric} is out of bounds in {source}",
            summary=f"Median {item.median:,.1f} over {item.count:,} lines; expected {low:,.0f} to {high:,.0f}."
            if item
            else "No line carried this number.",
            next_step=f"kronos-health query prediction_latency_percentiles --param metric={metric}",
            facts=(Fact("Maximum", f"{item.maximum:,.1f}"),) if item else (),
        )


def of_silence(
    source: str, last_completed: datetime | None, cadence_seconds: float | None, now: datetime, *, readable: bool
) -> Observation:
    """Whether predictions of any model still complete.

    One clock serves Kronos and Toto: Kronos runs only when forced or when Toto is unavailable, so its silence counts
    only where Toto is silent too. Without a cadence, or before the first prediction, nothing can be said.
    """
    if not readable or cadence_seconds is None or last_completed is None:
        state = ObservationState.UNKNOWN
    else:
        late = now - last_completed > timedelta(seconds=cadence_seconds)
        state = ObservationState.BAD if late else ObservationState.GOOD
    last = f"{last_completed:%Y-%m-%d %H:%M:%S} UTC" if last_completed else "never"
    return Observation(
        kind=AlertKind.NO_PREDICTIONS,
        key=source,
        state=state,
        severity=Severity.CRITICAL,
        title=f"No predictions complete in {source}",
        summary=f"The last completed prediction was logged {last}."
        + (f" One is expected every {cadence_seconds:,.0f} s." if cadence_seconds else ""),
        next_step="kronos-health verify",
        facts=(Fact("Last completed", last),),
    )


def of_gap(source: str, gap: Gap) -> Observation:
    """Bytes that vanished unread: told once for each."""
    end = f"{gap.end_offset:,}" if gap.end_offset is not None else "an unknown end"
    return Observation(
        kind=AlertKind.LOG_GAP,
        key=f"{source}/{gap.generation}/{gap.start_offset}",
        state=ObservationState.BAD,
        severity=Severity.WARNING,
        title=f"Part of {source} vanished before it was read",
        summary=f"Bytes {gap.start_offset:,} to {end} were lost: {gap.reason}",
        next_step="scan more often, or keep one more rotated file of this log",
        facts=(Fact("Generation", gap.generation),),
    )
