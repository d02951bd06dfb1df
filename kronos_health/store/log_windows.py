"""Samples in the database: by the hour for long, the newest ones one by one for a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import Connection, case, insert

from kronos_health.domain.logs import Sample, SampleWindow, ScanResult
from kronos_health.store.tables.logs import log_sample, log_window, log_window_bin
from kronos_health.store.types import dialect_insert, new_id


def window_id(source_id: str, metric: str, subject: str | None, at: datetime) -> str:
    """The row of the hour that holds ``at``: made from what identifies it, so that nobody has to look first."""
    return _named(source_id, metric, subject or "", int(at.timestamp()) // 3600)


@lru_cache(maxsize=4096)  # thousands of samples stand in few hours
def _named(source_id: str, metric: str, subject: str, hour: int) -> str:
    at = datetime.fromtimestamp(hour * 3600, UTC)
    return str(uuid5(NAMESPACE_OID, f"{source_id}/{metric}/{subject}/{at:%Y-%m-%dT%H}"))


def add_windows(connection: Connection, source_id: str, windows: Sequence[SampleWindow]) -> None:
    """Add to what is stored of these hours; once per scan, in the transaction that moves its cursor."""
    if not windows:
        return
    named = [(window_id(source_id, item.metric, item.subject, item.hour_at), item) for item in windows]
    statement = dialect_insert(connection, log_window)
    new, old = statement.excluded, log_window.c
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "count": old["count"] + new["count"],
                "total": old.total + new.total,
                "minimum": case((new.minimum < old.minimum, new.minimum), else_=old.minimum),
                "maximum": case((new.maximum > old.maximum, new.maximum), else_=old.maximum),
                "first_at": case((new.first_at < old.first_at, new.first_at), else_=old.first_at),
                "last_at": case((new.last_at > old.last_at, new.last_at), else_=old.last_at),
            },
        ),
        [
            {
                "id": row_id,
                "source_id": source_id,
                "metric": item.metric,
                "subject": item.subject,
                "hour_at": item.hour_at,
                "count": item.count,
                "total": item.total,
                "minimum": item.minimum,
                "maximum": item.maximum,
                "first_at": item.first_at,
                "last_at": item.last_at,
            }
            for row_id, item in named
        ],
    )
    bins = dialect_insert(connection, log_window_bin)
    connection.execute(
        bins.on_conflict_do_update(
            index_elements=["window_id", "bin"],
            set_={"count": log_window_bin.c["count"] + bins.excluded["count"]},
        ),
        [
            {"window_id": row_id, "bin": part.bin, "value": part.value, "count": part.count}
            for row_id, item in named
            for part in item.bins
        ],
    )


def insert_samples(connection: Connection, source_id: str, scan_id: str, result: ScanResult, now: datetime) -> None:
    """Store the scan's newest samples one by one."""
    if not result.samples:
        return
    connection.execute(
        insert(log_sample),
        [
            {
                "id": new_id(),
                "generation_id": generation_id,
                "scan_id": scan_id,
                "window_id": window_id(source_id, item.metric, item.subject, _at(item, result)),
                "metric": item.metric,
                "subject": item.subject,
                "value": item.value,
                "seen_at": item.seen_at,
                "found_at": now,
                "start_offset": item.start_offset,
            }
            for generation_id, item in result.samples
        ],
    )


def _at(item: Sample, result: ScanResult) -> datetime:
    """When it counts as written: numbers in records without a time, when the scan read them."""
    return item.seen_at or result.started_at
