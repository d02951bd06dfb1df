"""Observations of a log scan: what the catalogue found, history, gaps, and a source that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from kronos_health.checks.observations.commands import command
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.logs import Finding, Gap, Severity
from kronos_health.history.words import counted, size
from kronos_health.logs.frames import failing_frame

GRAPH_REUSE = "graph_reuse"
COMPLETED = "prediction_completed"
FAILED = "prediction_failed"
UNREAD = "The log cannot be read: what happens now is not known."

# What follows from the same cause: while the alert of the latter is open, the former is recorded and not sent.
_FOLLOWS = {
    "cudagraph_skipped": (GRAPH_REUSE,),
    "recompile_limit": (GRAPH_REUSE,),
    "recompile": (GRAPH_REUSE, "recompile_limit"),
    "compile_error": (GRAPH_REUSE,),
}
# A failed prediction follows only where its very record says from what: others fail for reasons of their own.
_REASONS_TO_FAIL = (GRAPH_REUSE, "compile_error", "cuda_out_of_memory", "cuda_error")


@dataclass(frozen=True, slots=True)
class NewFindings:
    """What a scan found new of one signature. ``record`` is the first one's text, secrets masked.

    ``caused_by`` names the signatures of which one stands in each of its records; empty where any record has none.
    """

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
    caused_by: tuple[str, ...] = ()
    log: str = ""  # which one, where a source is several


def reasons_to_fail(found: Iterable[tuple[str, Finding]]) -> tuple[str, ...]:
    """The signatures that say why predictions failed, if every failed one's record holds one; else none.

    ``found`` are a scan's findings with their generations.
    """
    by_record: dict[tuple[str, int], set[str]] = {}
    for generation, item in found:
        by_record.setdefault((generation, item.start_offset), set()).add(item.signature)
    failed = [signatures for signatures in by_record.values() if FAILED in signatures]
    if not all(signatures.intersection(_REASONS_TO_FAIL) for signatures in failed):
        return ()
    return tuple(reason for reason in _REASONS_TO_FAIL if any(reason in signatures for signatures in failed))


def unreadable(source: str) -> str:
    """The alert that a source cannot be read: what else is not known of it needs no word then."""
    return f"{AlertKind.CHECKER_UNHEALTHY.value}:source/{source}"


def of_readability(source: str, problem: str | None, lag_bytes: int, scan_id: str) -> Observation:
    """Whether the source could be read at all; everything else about it is unknown while it cannot."""
    return Observation(
        kind=AlertKind.CHECKER_UNHEALTHY,
        key=f"source/{source}",
        state=ObservationState.BAD if problem else ObservationState.GOOD,
        severity=Severity.WARNING,
        title=f"The log {source} cannot be read",
        summary=problem or "The log can be read.",
        next_step=command(
            "scan", "--source", source, note="once it can be read again; nothing of it is resolved till then"
        ),
        facts=(Fact("Left for the next scan", size(lag_bytes)),) if lag_bytes else (),
        evidence=(f"log_scan:{scan_id}",),
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
        kind, key = _alert_of(source, signature)
        yield Observation(
            kind=kind,
            key=key,
            state=ObservationState.BAD if item else state,
            severity=severity,
            title=f"{title} in {source}",
            summary=_summary(item) if item else _calm(readable=readable),
            next_step=next_step,
            occurrences=item.count if item else 0,
            positives=completed_since_hit if kind is AlertKind.GRAPH_REUSE else 0,
            observed_at=item.last_at if item else None,
            since=item.first_at if item else None,
            facts=_facts(item) if item else (),
            excerpt=item.record if item else None,
            evidence=(f"finding:{item.finding_id}",) if item and item.finding_id else (),
            inhibitors=_inhibitors(source, signature, item),
        )


def _alert_of(source: str, signature: str) -> tuple[AlertKind, str]:
    if signature == GRAPH_REUSE:
        return AlertKind.GRAPH_REUSE, source
    return AlertKind.LOG_ERRORS, f"{source}/{signature}"


def _inhibitors(source: str, signature: str, item: NewFindings | None) -> tuple[str, ...]:
    others = (*_FOLLOWS.get(signature, ()), *(item.caused_by if item else ()))
    return tuple(f"{kind.value}:{key}" for kind, key in (_alert_of(source, other) for other in others))


def _summary(item: NewFindings) -> str:
    meaning = "Only compiled code can raise this: something that writes to this log runs compiled."
    last = f"The last one was logged at {item.last_at:%Y-%m-%d %H:%M:%S} UTC." if item.last_at else ""
    return " ".join(filter(None, (meaning if item.signature == GRAPH_REUSE else "", last)))


def _calm(*, readable: bool) -> str:
    return "Not seen again in what was read since." if readable else UNREAD


def _facts(item: NewFindings) -> tuple[Fact, ...]:
    facts = [Fact("Signature", item.signature), *([Fact("Log", item.log)] if item.log else [])]
    if frame := failing_frame(item.record):
        facts.append(Fact("Frame", frame))
    facts += [Fact("Reason", reason) for reason in item.reasons[:5]]
    return tuple(facts)


def of_history(source: str, found: Iterable[NewFindings], lines: int, at: datetime, scan_id: str) -> Observation:
    """The one digest of a source's first scan: history pages nobody line by line."""
    serious = [item for item in found if item.severity is not Severity.INFO]
    worst = next((item for item in serious if item.signature == GRAPH_REUSE), None)
    holds = "CUDA graph reuse" if worst else counted(len(serious), "kind") + " of errors" if serious else "no errors"
    frame = failing_frame(worst.record) if worst else None
    return Observation(
        kind=AlertKind.LOG_HISTORY,
        key=f"{source}/{at:%Y%m%dT%H%M%S}",
        state=ObservationState.BAD,
        severity=Severity.CRITICAL if worst else Severity.WARNING if serious else Severity.INFO,
        title=f"First scan of {source}: its history holds {holds}",
        summary=f"What was there before the watch has been read: {counted(lines, 'line')}. It is told here, once; from "
        "now on new lines raise alerts.",
        next_step=command("verify", note="the four checks for after a deployment, from this log"),
        occurrences=sum(item.count for item in serious),
        since=min((item.first_at for item in serious if item.first_at), default=None),
        facts=(*(Fact(item.title, _seen(item)) for item in serious[:10]), *((Fact("Frame", frame),) if frame else ())),
        excerpt=worst.record if worst else None,
        evidence=(f"log_scan:{scan_id}", *(f"finding:{item.finding_id}" for item in serious if item.finding_id)),
    )


def _seen(item: NewFindings) -> str:
    times = "once" if item.count == 1 else f"{item.count:,} times"
    return times + (f", last {item.last_at:%Y-%m-%d %H:%M} UTC" if item.last_at else "")


def of_gap(source: str, gap: Gap, gap_id: str) -> Observation:
    """Bytes that vanished unread: told once for each."""
    end = f"{gap.end_offset:,}" if gap.end_offset is not None else "an unknown end"
    lost = size(gap.end_offset - gap.start_offset) if gap.end_offset is not None else "unknown"
    return Observation(
        kind=AlertKind.LOG_GAP,
        key=f"{source}/{gap.generation}/{gap.start_offset}",
        state=ObservationState.BAD,
        severity=Severity.WARNING,
        title=f"Part of {source} vanished before it was read",
        summary=f"Bytes {gap.start_offset:,} to {end} were lost, and what happened in them is not known: {gap.reason}",
        next_step=command(
            "scan", "--source", source, note="scan more often, or keep one more rotated file of this log"
        ),
        facts=(Fact("Lost", lost),),
        evidence=(f"gap:{gap_id}",),
    )
