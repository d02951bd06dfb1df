"""A scan may be killed at any instant: what it had not committed is done again, and nothing is stored twice.

A process scans into SQLite without a pause, cursor and findings in one transaction, while the log grows and rotates
under it. It is ended with SIGKILL at a random moment, and another one takes over, again and again.
"""

from __future__ import annotations

import random
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from kronos_health.domain.logs import ScanResult
from kronos_health.logs.catalogue import built_in
from kronos_health.logs.scanner import scan_source
from kronos_health.settings.models import Logs, Source
from kronos_health.store.database import open_engine, reading, writing
from kronos_health.store.logs import apply_scan, known_generations
from kronos_health.store.tables.logs import (
    finding,
    gap,
    log_error_kind,
    log_sample,
    log_scan,
    log_tally,
    log_window,
    log_window_bin,
)
from tests.logs.support import THEN, line, reuse
from tests.support.forked import started

LOGS = Logs.model_validate({"idle_seconds": 0.02, "max_events": 40})


def scan_once(url: str, path: Path) -> ScanResult:
    engine = open_engine(url)
    source = Source(path=str(path))
    with reading(engine) as connection:
        known = known_generations(connection, "trade")
    result = scan_source("trade", source, LOGS, built_in(), known, datetime.now(UTC), host="here")
    with writing(engine) as connection:
        apply_scan(connection, result, source, datetime.now(UTC))
    engine.dispose()
    return result


def scan_for_ever(url: str, path: Path) -> None:
    while True:
        scan_once(url, path)


class Program:
    """Writes whole events with their numbers, and rotates by renaming; nothing is ever removed."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.path, self.chance = path, chance
        self.events = self.rotations = 0

    def go_on(self) -> None:
        text = ""
        for _ in range(self.chance.randint(1, 5)):
            self.events += 1
            at = THEN + timedelta(seconds=self.events)
            text += reuse(str(self.events), at) + line("Kronos prediction completed", at=at)
            text += line(f"order {self.events} refused", "ERROR", at=at)
            text += line(f"ETHUSD MaxDiff 0.{self.events:06}", at=at)
        with self.path.open("ab", buffering=0) as file:
            file.write(text.encode())
        if self.chance.random() < 0.1:
            self.rotations += 1
            self.path.rename(self.path.with_name(f"{self.path.name}-{20251030 + self.rotations}"))


def kill_again_and_again(url: str, path: Path, kills: int, seed: int) -> Program:
    chance = random.Random(seed)
    program = Program(path, chance)
    for _ in range(kills):
        process = started(scan_for_ever, url, path)
        end = time.monotonic() + chance.uniform(0.05, 0.35)
        while time.monotonic() < end:
            program.go_on()
            time.sleep(chance.uniform(0, 0.02))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    return program


def check_every_event_once(url: str, path: Path, program: Program) -> None:
    time.sleep(2 * LOGS.idle_seconds)
    while scan_once(url, path).counts.lag_bytes:
        pass
    with reading(open_engine(url)) as connection:
        records = connection.execute(select(finding.c.record)).scalars().all()
        numbers = [int(record.split("\n", 1)[0].rsplit(" ", 1)[-1]) for record in records]
        assert sorted(numbers) == list(range(1, program.events + 1))
        values = connection.execute(select(log_sample.c.value)).scalars().all()
        assert sorted(values) == [pytest.approx(number / 1e6) for number in range(1, program.events + 1)]
        assert connection.execute(select(func.sum(log_window.c.count))).scalar_one() == program.events
        assert connection.execute(select(func.sum(log_error_kind.c.count))).scalar_one() == program.events
        assert connection.execute(select(func.sum(log_window_bin.c.count))).scalar_one() == program.events
        assert connection.execute(select(func.sum(log_tally.c.count))).scalar_one() == 2 * program.events
        assert connection.execute(select(func.count()).select_from(gap)).scalar_one() == 0
        assert connection.execute(select(func.sum(log_scan.c.duplicates))).scalar_one() == 0


def it_loses_and_doubles_nothing_when_it_is_killed(sqlite_url: str, tmp_path: Path) -> None:
    path = tmp_path / "trade.log"
    program = kill_again_and_again(sqlite_url, path, kills=25, seed=20251030)
    assert program.events > 100
    assert program.rotations > 3
    check_every_event_once(sqlite_url, path, program)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def it_loses_and_doubles_nothing_in_a_thousand_kills_on_either_database(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "trade.log"
    program = kill_again_and_again(database_url, path, kills=1000, seed=1)
    check_every_event_once(database_url, path, program)
