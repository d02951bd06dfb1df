"""Rows of a watched log: scans every eight hours, findings, samples and one gap."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, insert

from kronos_health.domain.logs import ErrorKind
from kronos_health.logs.windows import Windows
from kronos_health.store.log_errors import add_errors
from kronos_health.store.log_windows import add_windows, window_id
from kronos_health.store.tables.logs import finding, gap, log_generation, log_sample, log_scan, log_source, log_tally
from kronos_health.store.types import new_id
from tests.support.history_probes import STACK

SOURCE = "trade_stock_e2e"
RECORD = (
    "2026-11-20 10:30:00 UTC | … | trade_stock_e2e.py:main:3043 \x1b[31mERROR\x1b[0m | Kronos failed: <ETHUSD> & co\n"
    "Traceback (most recent call last):\n"
    + STACK
    + "\nRuntimeError: Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run."
)


def insert_logs(connection: Connection, now: datetime, deployed_at: datetime) -> list[str]:
    """Seven days of scans; returns the ids of the graph-reuse findings."""
    source, generation = _source(connection, now)
    bad: list[str] = []
    counted, began = Windows(), now - timedelta(days=2)
    for number in range(21):
        at = now - timedelta(hours=8 * (20 - number) + 1)
        broken = deployed_at < at < deployed_at + timedelta(hours=12)
        scan = _scan(connection, source, at, number, findings=11 if broken else 9)
        offset = number * 1_000_000
        for index in range(8):
            seen = at - timedelta(minutes=5 * index)
            _tally(connection, source, "kronos", seen)
            _tally(connection, source, "toto", seen)
            _sample(
                connection,
                source,
                counted,
                generation,
                scan,
                "kronos_inference_ms",
                None,
                3000.0 + 100 * index,
                offset + index,
                seen,
            )
            _sample(
                connection,
                source,
                counted,
                generation,
                scan,
                "toto_inference_ms",
                None,
                480.0 + 5 * index,
                offset + index,
                seen,
            )
        _sample(connection, source, counted, generation, scan, "maxdiff_return", "ETHUSD", 0.1043, offset + 50, at)
        reason = "mutated inputs (2 instances)"
        _finding(connection, generation, scan, "cudagraph_skipped", "warning", offset + 9000, at, reason)
        if broken:
            for index in range(2):
                position = offset + 10_000 + index * 2000
                bad.append(
                    _finding(connection, generation, scan, "graph_reuse", "critical", position, at, None, RECORD)
                )
    add_windows(connection, source, counted.frozen())
    refused = ErrorKind("0f" * 16, 1, None, "order <number> refused", "ERROR | order 7 refused", 71, 3, began, now)
    add_errors(connection, source, scan, [refused], now)
    connection.execute(
        insert(gap).values(
            id=new_id(),
            generation_id=generation,
            scan_id=scan,
            start_offset=5_000,
            end_offset=9_000,
            reason="the file vanished with unread bytes",
            found_at=now,
        )
    )
    return bad


def _source(connection: Connection, now: datetime) -> tuple[str, str]:
    source, generation = new_id(), new_id()
    began = now - timedelta(days=7)
    connection.execute(
        insert(log_source).values(
            id=source,
            name=SOURCE,
            path="/srv/trading/logs/trade_stock_e2e.log",
            host="trader-1",
            timezone="UTC",
            first_scanned_at=began,
            last_scanned_at=now - timedelta(hours=1),
        )
    )
    connection.execute(
        insert(log_generation).values(
            id=generation,
            source_id=source,
            path="/srv/trading/logs/trade_stock_e2e.log",
            head_sha256="0" * 64,
            head_length=1024,
            tail_sha256="1" * 64,
            tail_length=256,
            offset=21_000_000,
            line=210_000,
            size_seen=21_000_000,
            first_seen_at=began,
            last_seen_at=now - timedelta(hours=1),
            finished=False,
            version=21,
        )
    )
    return source, generation


def _scan(connection: Connection, source: str, at: datetime, number: int, findings: int) -> str:
    identifier = new_id()
    connection.execute(
        insert(log_scan).values(
            id=identifier,
            source_id=source,
            started_at=at,
            finished_at=at + timedelta(seconds=0.5),
            bytes=104_857_600 if number % 3 == 0 else 1000,
            lines=10_000,
            records=9_000,
            findings=findings,
            samples=17,
            undecodable=0,
            truncated=0,
            lag_bytes=2048 if number == 20 else 0,
            first_run=number == 0,
        )
    )
    return identifier


def _finding(
    connection: Connection,
    generation: str,
    scan: str,
    signature: str,
    severity: str,
    offset: int,
    at: datetime,
    reason: str | None = None,
    record: str = "one line of the log",
) -> str:
    identifier = new_id()
    connection.execute(
        insert(finding).values(
            id=identifier,
            generation_id=generation,
            scan_id=scan,
            signature=signature,
            severity=severity,
            start_offset=offset,
            end_offset=offset + 900,
            line=offset // 100 + 1,
            seen_at=at,
            found_at=at,
            fingerprint=f"{signature}-1",
            fingerprint_version=1,
            reason=reason,
            record=record,
            truncated=False,
        )
    )
    return identifier


def _tally(connection: Connection, source: str, subject: str, at: datetime) -> None:
    minute = at.replace(second=0, microsecond=0)
    times = {"bucket_at": minute, "first_at": at, "last_at": at}
    connection.execute(
        insert(log_tally).values(source_id=source, signature="prediction_completed", subject=subject, count=1, **times)
    )


def _sample(
    connection: Connection,
    source: str,
    counted: Windows,
    generation: str,
    scan: str,
    metric: str,
    subject: str | None,
    value: float,
    offset: int,
    at: datetime,
) -> None:
    counted.add(metric, subject, at, value)
    connection.execute(
        insert(log_sample).values(
            id=new_id(),
            window_id=window_id(source, metric, subject, at),
            generation_id=generation,
            scan_id=scan,
            metric=metric,
            subject=subject,
            value=value,
            seen_at=at,
            found_at=at,
            start_offset=offset,
        )
    )
