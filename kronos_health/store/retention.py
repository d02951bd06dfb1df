"""Forget what is past its retention. Evidence (probes, decisions, gaps) is never forgotten."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime

from sqlalchemy import Column, Connection, Table, delete, exists, select

from kronos_health.store.log_errors import UNKNOWN
from kronos_health.store.tables.alerts import heartbeat
from kronos_health.store.tables.logs import finding, log_error_kind, log_sample, log_scan, log_tally, log_window

_BATCH = 5000  # rows per statement: a short lock each, however much has piled up


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows were removed of each kind."""

    findings: int = 0
    samples: int = 0
    windows: int = 0
    errors: int = 0
    scans: int = 0
    heartbeats: int = 0


@dataclass(frozen=True, slots=True)
class Before:
    """What was written before these times is forgotten."""

    findings: datetime
    samples: datetime
    windows: datetime
    heartbeats: datetime


def forget(connection: Connection, before: Before) -> Forgotten:
    """Remove findings, samples, scans that nothing refers to any more, and old heartbeats; at most a batch of each.

    Call again while :func:`more` says so.
    """
    connection.execute(delete(log_tally).where(log_tally.c.signature == UNKNOWN, log_tally.c.last_at < before.findings))
    return Forgotten(
        findings=_delete(connection, finding, finding.c.found_at, before.findings),
        samples=_delete(connection, log_sample, log_sample.c.found_at, before.samples),
        windows=_delete(connection, log_window, log_window.c.hour_at, before.windows),
        errors=_delete(connection, log_error_kind, log_error_kind.c.last_at, before.findings),
        scans=_delete(
            connection, log_scan, log_scan.c.finished_at, min(before.findings, before.samples),
            *(~exists().where(table.c.scan_id == log_scan.c.id) for table in (finding, log_sample)),
        ),
        heartbeats=_delete(connection, heartbeat, heartbeat.c.started_at, before.heartbeats),
    )  # fmt: skip


def more(forgotten: Forgotten) -> bool:
    """Whether a batch was full, so that there may be more to forget."""
    return _BATCH in astuple(forgotten)


def _delete(connection: Connection, table: Table, at: Column[datetime], before: datetime, *conditions: object) -> int:
    chosen = select(table.c.id).where(at < before, *conditions).limit(_BATCH)  # type: ignore[arg-type]
    return connection.execute(delete(table).where(table.c.id.in_(chosen))).rowcount
