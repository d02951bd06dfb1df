"""Scan: read what is new in a log and commit cursor, findings, samples, gaps and alerts in one transaction."""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from kronos_health.alerts import recording
from kronos_health.checks.context import Context, require_known
from kronos_health.checks.errors import CheckError
from kronos_health.checks.pulse import pulse
from kronos_health.checks.scan_news import observe
from kronos_health.domain.logs import FindingGroup, ScanCounts, ScanResult, Severity
from kronos_health.logs.catalogue import Catalogue, load_catalogue
from kronos_health.logs.errors import CatalogueError, LogProblem
from kronos_health.logs.objects import fsspec_filesystem
from kronos_health.logs.report import FileReport
from kronos_health.logs.report import scan_file as read_file
from kronos_health.logs.scanner import scan_source
from kronos_health.settings.models import Settings, Source
from kronos_health.store import logs as store
from kronos_health.store.database import reading, writing
from kronos_health.store.errors import CursorMoved

# Another scan of the same log came first: its result stands, and this one only has to look again.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """What one scan committed. ``serious`` says that something of severity warning or above was found."""

    source: str
    scan_id: str
    counts: ScanCounts
    findings_by_signature: dict[str, int]
    samples: int
    gaps: int
    first_run: bool
    problem: str | None
    serious: bool
    notes: tuple[str, ...] = ()


def scan(context: Context, source_name: str) -> ScanSummary:
    """Scan one configured log from its cursor. A log that cannot be read is a problem in the summary, and unknown.

    Raises :class:`CheckError` for an unknown source or a wrong catalogue, ``StoreError`` when nothing could be stored:
    the next scan then begins where this one did.
    """
    require_known("source", source_name, context.settings.sources)
    source, catalogue = context.settings.sources[source_name], catalogue_of(context.settings)
    with pulse(context, "scan", source_name) as state:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                summary = _scan_once(context, source_name, source, catalogue)
                break
            except CursorMoved:
                if attempt == _ATTEMPTS:
                    raise
        if summary.problem or summary.serious:
            state.attention(summary.problem or "findings")
        return summary


def scan_single_file(path: Path, settings: Settings | None = None) -> FileReport:
    """Read a file whole and store nothing. Raises :class:`CheckError` with one line when it cannot be read."""
    try:
        if settings is None:
            return read_file(path)
        return read_file(path, logs=settings.logs, catalogue=catalogue_of(settings))
    except LogProblem as problem:
        raise CheckError(str(problem)) from problem


def is_serious(report: FileReport, catalogue: Catalogue | None = None) -> bool:
    """Whether a file holds anything of severity warning or above."""
    known = catalogue or load_catalogue()
    found = (known.signature(item.signature) for item in report.findings)
    return any(signature is None or signature.severity is not Severity.INFO for signature in found)


def catalogue_of(settings: Settings) -> Catalogue:
    """The catalogue in force. Raises :class:`CheckError` where it is wrong."""
    try:
        return load_catalogue(settings.logs.catalogue, settings.logs.patterns)
    except CatalogueError as error:
        raise CheckError(str(error)) from error


def _scan_once(context: Context, name: str, source: Source, catalogue: Catalogue) -> ScanSummary:
    with reading(context.engine) as connection:
        known = store.known_generations(connection, name)
    logs, host = context.settings.logs, socket.gethostname()
    storage = context.open_storage or fsspec_filesystem
    result = scan_source(name, source, logs, catalogue, known, context.now(), host=host, open_storage=storage)
    result = replace(result, host=source.host or host)
    with writing(context.engine) as connection:
        scan_id = store.apply_scan(connection, result, source, context.now())
        groups = store.findings_of_scan(connection, scan_id)
        seen = observe(context, connection, result, scan_id, groups, catalogue)
        recording.record(connection, seen, context.settings, context.now())
    return _summary(result, scan_id, groups)


def _summary(result: ScanResult, scan_id: str, groups: tuple[FindingGroup, ...]) -> ScanSummary:
    counted = Counter(finding.signature for _generation, finding in result.findings)
    for tally in result.tallies:
        counted[tally.signature] += tally.count
    return ScanSummary(
        source=result.source,
        scan_id=scan_id,
        counts=result.counts,
        findings_by_signature=dict(counted),
        samples=result.samples_read,
        gaps=len(result.gaps),
        first_run=result.first_run,
        problem=result.problem,
        serious=any(group.severity is not Severity.INFO for group in groups) or bool(result.gaps),
        notes=result.notes,
    )
