"""Logs in the database: sources, generations and their cursors, scans, findings, samples, tallies and gaps.

Functions take a connection inside :func:`kronos_health.store.database.writing` (or ``reading``) and never begin or
commit: a scan's findings, its cursors and the alerts that follow are stored together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, Row, case, func, insert, select, update

from kronos_health.domain.logs import Gap, Generation, ScanResult, Tally
from kronos_health.store.errors import CursorMoved
from kronos_health.store.log_errors import add_errors, new_errors
from kronos_health.store.log_reads import (
    findings_of_scan,
    findings_since,
    first_scanned,
    gap_id,
    gaps_since,
    hours_seen,
    last_scanned,
    last_seen,
    newest_samples,
    newest_scans,
    source_states,
    tally_since,
)
from kronos_health.store.log_windows import add_windows, insert_samples
from kronos_health.store.tables.logs import (
    finding,
    gap,
    log_generation,
    log_scan,
    log_source,
    log_tally,
)
from kronos_health.store.types import dialect_insert, new_id

__all__ = [
    "WatchedLog", "apply_scan", "findings_of_scan", "findings_since", "first_scanned", "gap_id", "gaps_since",
    "hours_seen", "known_generations", "last_scanned", "last_seen", "new_errors", "newest_samples", "newest_scans",
    "source_states", "tally_since",
]  # fmt: skip

# A finished generation whose file has not been seen for so long, while scans went on, is not looked for any more.
_FORGOTTEN = timedelta(days=30)
_GENERATION_COLUMNS = tuple(field.name for field in fields(Generation) if field.name not in {"source", "version"})


class WatchedLog(Protocol):
    """What the settings say about a source."""

    @property
    def path(self) -> str:
        """The live file."""
        ...

    @property
    def timezone(self) -> str:
        """Time zone of stamps that carry none."""
        ...


# --- what a scan starts from ----------------------------------------------------------------------------------------


def known_generations(connection: Connection, source_name: str) -> tuple[Generation, ...]:
    """The generations of a source that may still be on disk, oldest first; empty before its first scan."""
    rows = connection.execute(
        select(log_generation, log_source.c.name.label("source"))
        .join(log_source, log_source.c.id == log_generation.c.source_id)
        .where(log_source.c.name == source_name)
        .order_by(log_generation.c.first_seen_at, log_generation.c.id)
    )
    found = [(row, row.last_seen_at) for row in rows]
    latest = max((seen for _row, seen in found), default=None)
    return tuple(
        _generation(row) for row, seen in found if not row.finished or (latest and latest - seen <= _FORGOTTEN)
    )


def _generation(row: Row[Any]) -> Generation:
    values = row._mapping
    return Generation(**{name: values[name] for name in (*_GENERATION_COLUMNS, "source", "version")})


# --- what a scan commits --------------------------------------------------------------------------------------------


def apply_scan(connection: Connection, result: ScanResult, source: WatchedLog, now: datetime) -> str:
    """Store everything of one scan; returns the id of its row in ``log_scan``.

    Raises :class:`CursorMoved` when another scan of the same source came first: then nothing of this transaction may be
    kept, and the scan is to be run again from the new cursors.
    """
    source_id = _save_source(connection, result, source, now)
    _refuse_strangers(connection, result)
    scan_id = _insert_scan(connection, source_id, result)
    for generation in result.generations:
        _save_generation(connection, source_id, generation, result.previous.get(generation.id))
    duplicates = _insert_findings(connection, scan_id, result, now)
    add_windows(connection, source_id, result.windows)
    insert_samples(connection, source_id, scan_id, result, now)
    _insert_gaps(connection, scan_id, result.gaps, now)
    _add_tallies(connection, source_id, result.tallies)
    add_errors(connection, source_id, scan_id, result.errors, now)
    if duplicates:
        connection.execute(update(log_scan).where(log_scan.c.id == scan_id).values(duplicates=duplicates))
    return scan_id


def _save_source(connection: Connection, result: ScanResult, source: WatchedLog, now: datetime) -> str:
    """Insert or update the source's row, which also locks it: scans of one source are stored one after the other."""
    values = {
        "path": source.path,
        "host": result.host,
        "timezone": source.timezone,
        "last_scanned_at": now,
        "problem": result.problem,
    }
    statement = dialect_insert(connection, log_source).values(
        id=new_id(),
        name=result.source,
        first_scanned_at=now,
        problem_since=now if result.problem else None,
        **values,
    )
    since = func.coalesce(log_source.c.problem_since, statement.excluded.problem_since) if result.problem else None
    source_id: str = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"],
            set_={
                **values,
                "first_scanned_at": func.coalesce(log_source.c.first_scanned_at, statement.excluded.first_scanned_at),
                "problem_since": since,
            },
        ).returning(log_source.c.id)
    ).scalar_one()
    return source_id


def _refuse_strangers(connection: Connection, result: ScanResult) -> None:
    """A generation that this scan did not know was made by another one meanwhile: from the same bytes, perhaps."""
    if not result.generations:
        return
    if any(generation.id not in result.known for generation in known_generations(connection, result.source)):
        raise CursorMoved(f"another scan of {result.source} came first; nothing of this one was stored.")


def _insert_scan(connection: Connection, source_id: str, result: ScanResult) -> str:
    scan_id = new_id()
    counts = result.counts
    connection.execute(
        insert(log_scan).values(
            id=scan_id,
            source_id=source_id,
            started_at=result.started_at,
            finished_at=result.finished_at,
            bytes=counts.bytes,
            lines=counts.lines,
            records=counts.records,
            findings=len(result.findings),
            samples=result.samples_read,
            undecodable=counts.undecodable,
            truncated=counts.truncated,
            lag_bytes=counts.lag_bytes,
            first_run=result.first_run,
            problem=result.problem,
            duplicates=0,
        )
    )
    return scan_id


def _save_generation(connection: Connection, source_id: str, generation: Generation, previous: int | None) -> None:
    values = {name: getattr(generation, name) for name in _GENERATION_COLUMNS}
    if previous is None:
        connection.execute(insert(log_generation).values(**values, source_id=source_id, version=generation.version))
        return
    del values["id"]  # set to what it is, SQLite would look for rows that refer to it, through every table that may
    changed = connection.execute(
        update(log_generation)
        .where(log_generation.c.id == generation.id, log_generation.c.version == previous)
        .values(**values, version=generation.version)
    )
    if changed.rowcount != 1:
        raise CursorMoved(
            f"another scan of {generation.source} moved the cursor of {generation.path} first; nothing was stored."
        )


def _insert_findings(connection: Connection, scan_id: str, result: ScanResult, now: datetime) -> int:
    """Insert the findings; returns how many were there already, which cannot be while the cursors are right."""
    if not result.findings:
        return 0
    rows = [
        {
            "id": new_id(),
            "generation_id": generation_id,
            "scan_id": scan_id,
            "signature": item.signature,
            "severity": item.severity.value,
            "start_offset": item.start_offset,
            "end_offset": item.end_offset,
            "line": item.line,
            "seen_at": item.seen_at,
            "found_at": now,
            "fingerprint": item.fingerprint,
            "fingerprint_version": item.fingerprint_version,
            "reason": item.reason,
            "record": item.record,
            "truncated": item.truncated,
            "subject": item.subject,
        }
        for generation_id, item in result.findings
    ]
    statement = dialect_insert(connection, finding).on_conflict_do_nothing(
        index_elements=["generation_id", "start_offset", "signature"]
    )
    connection.execute(statement, rows)
    stored = select(func.count()).select_from(finding).where(finding.c.scan_id == scan_id)
    return len(rows) - connection.execute(stored).scalar_one()


def _insert_gaps(connection: Connection, scan_id: str, gaps: Iterable[Gap], now: datetime) -> None:
    for item in gaps:
        # The same bytes can vanish, come back and vanish again: one gap.
        statement = dialect_insert(connection, gap).values(
            id=new_id(),
            generation_id=item.generation,
            scan_id=scan_id,
            start_offset=item.start_offset,
            end_offset=item.end_offset,
            reason=item.reason,
            found_at=now,
        )
        connection.execute(statement.on_conflict_do_nothing(index_elements=["generation_id", "start_offset"]))


def _add_tallies(connection: Connection, source_id: str, tallies: Sequence[Tally]) -> None:
    if not tallies:
        return
    statement = dialect_insert(connection, log_tally)
    new, old = statement.excluded, log_tally.c
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["source_id", "signature", "subject", "bucket_at"],
            set_={
                "count": old["count"] + new["count"],
                "first_at": case((new.first_at < old.first_at, new.first_at), else_=old.first_at),
                "last_at": case((new.last_at > old.last_at, new.last_at), else_=old.last_at),
            },
        ),
        [
            {
                "source_id": source_id,
                "signature": item.signature,
                "subject": item.subject,
                "bucket_at": item.bucket_at,
                "count": item.count,
                "first_at": item.first_at,
                "last_at": item.last_at,
            }
            for item in tallies
        ],
    )
