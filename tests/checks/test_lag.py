"""A log that is written faster than it is read is told of, with how long catching up takes; a short burst is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kronos_health.checks.observations.lag import IN_A_ROW, Reading, of_lag
from kronos_health.checks.scanning import scan
from kronos_health.domain.alerts import ObservationState
from tests.checks.conftest import Clock, MakeContext
from tests.checks.test_scanning import Log, Rows

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GB = 1024**3


def readings(*lags: int) -> list[Reading]:
    """Scans five minutes apart with what they left, oldest first; newest first as the check gets them."""
    made = [Reading(NOW + timedelta(minutes=5 * index), 240.0, 8 * GB, lag) for index, lag in enumerate(lags)]
    return made[::-1]


@pytest.mark.parametrize(
    ("lags", "state"),
    [
        ((), ObservationState.GOOD),
        ((0,), ObservationState.GOOD),
        ((9, 9, 9, 0), ObservationState.GOOD),
        ((0, 9), ObservationState.UNKNOWN),
        ((0, 9, 9), ObservationState.UNKNOWN),
        ((0, 9, 9, 9), ObservationState.BAD),
        ((9, 9, 9, 0, 9), ObservationState.UNKNOWN),
    ],
)
def it_waits_for_several_scans_in_a_row(lags: tuple[int, ...], state: ObservationState) -> None:
    assert of_lag("trade", readings(*lags), "scan").state is state


def it_says_how_long_catching_up_takes() -> None:
    shrinking = of_lag("trade", readings(30 * GB, 20 * GB, 10 * GB), "scan").summary
    assert "The last 3 scans left something unread, now 10.0 GiB" in shrinking
    assert "At the pace of these scans it is caught up in 5 min" in shrinking
    assert "Reading alone would take 5 min" in shrinking
    assert "never caught up" in of_lag("trade", readings(10 * GB, 20 * GB, 30 * GB), "scan").summary


def it_tells_of_a_log_that_budgets_keep_behind(
    make_context: MakeContext, rows: Rows, clock: Clock, tmp_path: Path
) -> None:
    log = Log(tmp_path / "trade.log")
    sources = {"trade": {"path": str(log.path)}}
    logs = {"max_bytes": 1, "max_record_bytes": 4096, "idle_seconds": 0}
    log.quiet_line()
    scan(make_context(sources=sources), "trade")
    log.write(*["{stamp}x.py:main:1 INFO | " + "x" * 4000 + "\n"] * 9000)  # each scan reads a block of 4 MiB
    slow = make_context(sources=sources, logs=logs)
    ask = "SELECT kind, message FROM outbox WHERE fingerprint = 'checker_unhealthy:lag/trade' ORDER BY sequence"
    for _ in range(IN_A_ROW):
        assert rows(ask) == []
        clock.move(minutes=5)
        assert scan(slow, "trade").counts.lag_bytes
    (fired,) = rows(ask)
    assert "written faster than it is read" in fired["message"]
    assert "caught up in" in json.loads(fired["message"])["summary"]
    clock.move(minutes=5)
    scan(make_context(sources=sources), "trade")
    assert [row["kind"] for row in rows(ask)] == ["fired", "resolved"]
    assert rows("SELECT lag_bytes FROM v_source_lag") == [{"lag_bytes": 0}]
