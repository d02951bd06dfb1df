"""What the checks ask about logs: groups of findings, newest samples, tallies, gaps, how sources stand.

Functions take a connection and only read. Times are those of the records; of when they were found, where a record
carries none.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, and_, case, func, select

from kronos_health.domain.logs import FindingGroup, Gap, ScanLag, Severity, SourceState, TallySum
from kronos_health.store.tables.logs import (
    finding,
    gap,
    log_generation,
    log_sample,
    log_scan,
    log_source,
    log_tally,
)


def findings_of_scan(connection: Connection, scan_id: str) -> tuple[FindingGroup, ...]:
    """What one scan found, by signature and fingerprint, the most frequent first."""
    return _groups(connection, finding.c.scan_id == scan_id)


def findings_since(
    connection: Connection, since: datetime | None, *, source: str | None = None, signature: str | None = None
) -> tuple[FindingGroup, ...]:
    """What was found in records written since ``since``, by signature and fingerprint, the most frequent first."""
    happened = func.coalesce(finding.c.seen_at, finding.c.found_at)
    return _groups(
        connection,
        *_given(
            happened >= since if since else None, _is(log_source.c.name, source), _is(finding.c.signature, signature)
        ),
    )


def _groups(connection: Connection, *conditions: ColumnElement[bool]) -> tuple[FindingGroup, ...]:
    happened = func.coalesce(finding.c.seen_at, finding.c.found_at)
    kind = (log_source.c.name, finding.c.signature, finding.c.fingerprint)
    # The first one whose record was kept: past the budget of a scan, findings are stored without.
    first = (case((finding.c.record == "", 1), else_=0), happened, finding.c.line, finding.c.id)
    ranked = (
        select(
            log_source.c.name.label("source"),
            finding,
            log_generation.c.live_path,
            func.count().over(partition_by=kind).label("count"),
            func.min(happened).over(partition_by=kind).label("first_at"),
            func.max(happened).over(partition_by=kind).label("last_at"),
            func.row_number().over(partition_by=kind, order_by=first).label("place"),
        )
        .select_from(finding)
        .join(log_generation, log_generation.c.id == finding.c.generation_id)
        .join(log_source, log_source.c.id == log_generation.c.source_id)
        .where(and_(True, *conditions))
        .subquery()
    )
    rows = connection.execute(
        select(ranked)
        .where(ranked.c.place == 1)
        .order_by(ranked.c.count.desc(), ranked.c.signature, ranked.c.fingerprint)
    )
    return tuple(
        FindingGroup(
            row.source,
            row.signature,
            Severity(row.severity),
            row.fingerprint,
            row._mapping["count"],
            row.first_at,
            row.last_at,
            row.id,
            row.line,
            row.record,
            row.reason,
            row.live_path,
        )
        for row in rows
    )


def tally_since(
    connection: Connection, since: datetime | None, *, source: str | None = None, signature: str | None = None
) -> tuple[TallySum, ...]:
    """How often info signatures were seen since ``since``, by source, signature and subject (the model).

    Counted by the minute: of the minute that ``since`` falls into, all is counted if its last one came after ``since``;
    whether there was any is exact.
    """
    kind = (log_source.c.name, log_tally.c.signature, log_tally.c.subject)
    first = func.min(log_tally.c.first_at)
    rows = connection.execute(
        select(*kind, func.sum(log_tally.c.count), first, func.max(log_tally.c.last_at))
        .join(log_source, log_source.c.id == log_tally.c.source_id)
        .where(
            and_(
                True,
                *_given(
                    log_tally.c.last_at >= since if since else None,
                    _is(log_source.c.name, source),
                    _is(log_tally.c.signature, signature),
                ),
            )
        )
        .group_by(*kind)
        .order_by(*kind)
    )
    return tuple(
        TallySum(name, kind_of, subject, int(count), max(at, since) if since else at, last)
        for name, kind_of, subject, count, at, last in rows
    )


def last_seen(connection: Connection, source: str, signature: str) -> dict[str, datetime]:
    """When ``signature`` last stood in the log, by subject (the model, ``""`` where none is named) and record time."""
    of_source = select(log_source.c.id).where(log_source.c.name == source)
    tallied = (
        select(log_tally.c.subject, func.max(log_tally.c.last_at))
        .where(log_tally.c.source_id.in_(of_source), log_tally.c.signature == signature)
        .group_by(log_tally.c.subject)
    )
    latest: dict[str, datetime] = {subject: at for subject, at in connection.execute(tallied)}  # noqa: C416 - typed
    found = connection.execute(
        select(func.max(func.coalesce(finding.c.seen_at, finding.c.found_at)))
        .join(log_generation, log_generation.c.id == finding.c.generation_id)
        .where(log_generation.c.source_id.in_(of_source), finding.c.signature == signature)
    ).scalar_one()
    if found is not None:
        latest[""] = max(found, latest.get("", found))
    return latest


def hours_seen(connection: Connection, source: str, signature: str, since: datetime) -> tuple[datetime, ...]:
    """The hours (UTC) since ``since`` in which an info signature stood in the log, of whatever subject."""
    bucket = log_tally.c.bucket_at
    if connection.dialect.name == "sqlite":
        hour: ColumnElement[str] = func.strftime("%Y-%m-%dT%H", bucket, type_=String)
    else:
        hour = func.to_char(func.timezone("UTC", bucket), 'YYYY-MM-DD"T"HH24', type_=String)
    rows = connection.execute(
        select(hour)
        .join(log_source, log_source.c.id == log_tally.c.source_id)
        .where(log_source.c.name == source, log_tally.c.signature == signature, log_tally.c.last_at >= since)
        .distinct()
    )
    return tuple(datetime.fromisoformat(f"{text}:00+00:00") for text in rows.scalars())


def newest_samples(
    connection: Connection, source: str, metric: str, since: datetime, limit: int, *, subject: str | None = None
) -> tuple[tuple[str, float], ...]:
    """Row id and value of the newest samples of a metric, at most ``limit`` of those since ``since``, newest first.

    With ``subject``, only those of that symbol or model.
    """
    happened = func.coalesce(log_sample.c.seen_at, log_sample.c.found_at)
    rows = connection.execute(
        select(log_sample.c.id, log_sample.c.value)
        .join(log_generation, log_generation.c.id == log_sample.c.generation_id)
        .join(log_source, log_source.c.id == log_generation.c.source_id)
        # What happened since was found since: the index is on that column.
        .where(log_source.c.name == source, log_sample.c.metric == metric, log_sample.c.found_at >= since)
        .where(happened >= since, and_(True, *_given(_is(log_sample.c.subject, subject))))
        .order_by(happened.desc(), log_sample.c.start_offset.desc(), log_sample.c.id)
        .limit(limit)
    )
    return tuple((row.id, row.value) for row in rows)


def first_scanned(connection: Connection, source: str) -> datetime | None:
    """When the log was first scanned; ``None``: never."""
    query = select(log_source.c.first_scanned_at).where(log_source.c.name == source)
    at: datetime | None = connection.execute(query).scalar_one_or_none()
    return at


def last_scanned(connection: Connection, source: str) -> datetime | None:
    """When the log was last read without a problem; ``None``: never."""
    at: datetime | None = connection.execute(
        select(func.max(log_scan.c.finished_at))
        .join(log_source, log_source.c.id == log_scan.c.source_id)
        .where(log_source.c.name == source, log_scan.c.problem.is_(None))
    ).scalar_one()
    return at


def newest_scans(connection: Connection, source: str, limit: int) -> tuple[ScanLag, ...]:
    """The last scans that could read the log, newest first, since the last one of its history."""
    rows = connection.execute(
        select(log_scan.c.started_at, log_scan.c.finished_at, log_scan.c.bytes, log_scan.c.lag_bytes)
        .join(log_source, log_source.c.id == log_scan.c.source_id)
        .where(log_source.c.name == source, log_scan.c.problem.is_(None), log_scan.c.first_run.is_(False))
        .order_by(log_scan.c.started_at.desc(), log_scan.c.id.desc())
        .limit(limit)
    )
    return tuple(ScanLag(*row) for row in rows)


def source_states(connection: Connection) -> tuple[SourceState, ...]:
    """How every scanned source stands, by name."""
    latest = (
        select(log_scan.c.lag_bytes)
        .where(log_scan.c.source_id == log_source.c.id)
        .order_by(log_scan.c.started_at.desc(), log_scan.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(select(log_source, func.coalesce(latest, 0).label("lag")).order_by(log_source.c.name))
    return tuple(
        SourceState(row.name, row.path, row.host, row.last_scanned_at, row.problem, row.problem_since, row.lag)
        for row in rows
    )


def gaps_since(connection: Connection, since: datetime | None, *, source: str | None = None) -> tuple[Gap, ...]:
    """Bytes that vanished unread, noticed since ``since``, in that order."""
    rows = connection.execute(
        select(gap)
        .join(log_generation, log_generation.c.id == gap.c.generation_id)
        .join(log_source, log_source.c.id == log_generation.c.source_id)
        .where(and_(True, *_given(gap.c.found_at >= since if since else None, _is(log_source.c.name, source))))
        .order_by(gap.c.found_at, gap.c.id)
    )
    return tuple(Gap(row.generation_id, row.start_offset, row.end_offset, row.reason) for row in rows)


def gap_id(connection: Connection, lost: Gap) -> str:
    """The row of a stored gap."""
    query = select(gap.c.id).where(gap.c.generation_id == lost.generation, gap.c.start_offset == lost.start_offset)
    row_id: str = connection.execute(query).scalar_one()
    return row_id


def _is(column: Any, value: str | None) -> ColumnElement[bool] | None:
    return None if value is None else column == value


def _given(*conditions: ColumnElement[bool] | None) -> list[ColumnElement[bool]]:
    return [condition for condition in conditions if condition is not None]
