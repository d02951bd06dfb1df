"""Kinds of errors that no signature knows: counted in the transaction that moves the cursor, new ones told once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, select

from kronos_health.domain.logs import ErrorKind
from kronos_health.store.tables.logs import log_error_kind, log_source
from kronos_health.store.types import dialect_insert, new_id

UNKNOWN = "unknown_error"  # what they are called in log_tally


@dataclass(frozen=True, slots=True)
class StoredError:
    """A kind of error with its row and the log it was seen in."""

    id: str
    source: str
    kind: ErrorKind


def add_errors(
    connection: Connection, source_id: str, scan_id: str, errors: Sequence[ErrorKind], now: datetime
) -> None:
    """Add to the kinds of a log, once per scan."""
    if not errors:
        return
    statement = dialect_insert(connection, log_error_kind)
    new, old = statement.excluded, log_error_kind.c
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["source_id", "fingerprint"],
            set_={
                "count": old["count"] + new["count"],
                "first_at": case((new.first_at < old.first_at, new.first_at), else_=old.first_at),
                "last_at": case((new.last_at > old.last_at, new.last_at), else_=old.last_at),
            },
        ),
        [
            {
                "id": new_id(),
                "source_id": source_id,
                "fingerprint": item.fingerprint,
                "fingerprint_version": item.fingerprint_version,
                "raised": item.raised,
                "message": item.message,
                "record": item.record,
                "line": item.line,
                "count": item.count,
                "first_at": item.first_at,
                "last_at": item.last_at,
                "found_at": now,
                "scan_id": scan_id,
            }
            for item in errors
        ],
    )


def new_errors(connection: Connection, scan_id: str) -> tuple[StoredError, ...]:
    """The kinds that this scan was the first to see, the most frequent first."""
    return _stored(connection, log_error_kind.c.scan_id == scan_id)


def error_kinds(connection: Connection, fingerprint: str | None = None) -> tuple[StoredError, ...]:
    """Every kind that is stored, or those whose fingerprint begins so, the most frequent first."""
    if fingerprint is None:
        return _stored(connection, log_error_kind.c.id.is_not(None))
    return _stored(connection, log_error_kind.c.fingerprint.startswith(fingerprint, autoescape=True))


def _stored(connection: Connection, condition: Any) -> tuple[StoredError, ...]:
    rows = connection.execute(
        select(log_error_kind, log_source.c.name)
        .join(log_source, log_source.c.id == log_error_kind.c.source_id)
        .where(condition)
        .order_by(log_error_kind.c["count"].desc(), log_error_kind.c.id)
    )
    return tuple(StoredError(row.id, row.name, _kind(row)) for row in rows)


def _kind(row: Row[Any]) -> ErrorKind:
    values = row._mapping
    return ErrorKind(
        fingerprint=row.fingerprint,
        fingerprint_version=row.fingerprint_version,
        raised=row.raised,
        message=row.message,
        record=row.record,
        line=row.line,
        count=values["count"],
        first_at=row.first_at,
        last_at=row.last_at,
    )
