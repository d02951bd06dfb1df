"""The scan command killed at random points: what was written is stored once, whatever the moment."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from kronos_health.cli import main
from tests.checks.test_scanning import REUSE, Log
from tests.logs.support import THEN, line, reuse
from tests.support.forked import started

Rows = Callable[[str], list[dict[str, Any]]]

KILLS = 12
COMMAND = Path(sys.executable).with_name("kronos-health")


def it_loses_and_doubles_nothing_when_killed(engine: Engine, database_url: str, rows: Rows, tmp_path: Path) -> None:
    log, chance = Log(tmp_path / "trade.log"), random.Random(20251030)
    settings = f'[sources.trade]\npath = "{log.path}"\n[logs]\nidle_seconds = 0\n'  # no kill is lost on a wait
    (tmp_path / "kronos_health.toml").write_text(settings)
    environment = {**os.environ, "KRONOS_HEALTH__DATABASE__URL": database_url}

    def scan() -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen([COMMAND, "scan"], cwd=tmp_path, env=environment, stdout=quiet, stderr=quiet)

    log.quiet_line()
    started = time.monotonic()
    assert scan().wait(60) == 0
    took, killed, written = time.monotonic() - started, 0, 0
    for _try in range(KILLS):
        for _event in range(chance.randint(1, 5)):
            log.write(REUSE)
            written += 1
        log.quiet_line()
        running = scan()
        time.sleep(chance.uniform(took * 0.3, took * 1.1))
        killed += running.poll() is None
        running.kill()
        running.wait(30)
    assert scan().wait(60) in {0, 1}  # 1: something serious was found
    assert killed >= KILLS // 4, "most scans were over before they could be killed"
    check_each_once(rows, written)


def check_each_once(rows: Rows, written: int) -> None:
    found = rows("SELECT generation_id, start_offset FROM finding WHERE signature = 'graph_reuse'")
    assert len(found) == written
    assert len({(row["generation_id"], row["start_offset"]) for row in found}) == written
    # Alerts and outbox moved with the findings: one episode, told once as fired.
    fired = rows("SELECT count(*) AS n FROM outbox WHERE fingerprint = 'graph_reuse:trade' AND kind = 'fired'")
    assert fired == [{"n": 1}]
    counted = rows("SELECT occurrences FROM alert WHERE fingerprint = 'graph_reuse:trade'")
    assert counted == [{"occurrences": written}]


def scan_here(folder: str, url: str) -> None:
    """The command ``kronos-health scan`` in this process."""
    os.chdir(folder)
    os.environ["KRONOS_HEALTH__DATABASE__URL"] = url
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    sys.argv = ["kronos-health", "scan"]
    main()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def it_loses_and_doubles_nothing_in_a_thousand_kills(
    engine: Engine, database_url: str, rows: Rows, tmp_path: Path
) -> None:
    path, chance = tmp_path / "trade.log", random.Random(1)
    (tmp_path / "kronos_health.toml").write_text(f'[sources.trade]\npath = "{path}"\n[logs]\nidle_seconds = 0.02\n')
    arguments = (str(tmp_path), database_url)
    path.write_text(line("the beginning"))
    started(scan_here, *arguments).join(60)
    begun = time.monotonic()
    scan = started(scan_here, *arguments)
    scan.join(60)
    assert scan.exitcode == 0
    took, killed, written, rotations = time.monotonic() - begun, 0, 0, 0
    while killed < 1000:
        text = ""
        for _event in range(chance.randint(1, 5)):
            written += 1
            text += reuse("ETHUSD", THEN + timedelta(seconds=written))
        with path.open("a") as file:
            file.write(text + line("waiting", at=THEN + timedelta(seconds=written)))
        scan = started(scan_here, *arguments)
        time.sleep(chance.uniform(0, took))
        if chance.random() < 0.1:
            rotations += 1
            path.rename(path.with_name(f"trade.log-{20251030 + rotations}"))
        time.sleep(chance.uniform(0, took * 0.2))
        killed += scan.is_alive()
        scan.kill()
        scan.join(30)
    path.touch()
    for _last in range(2):  # the second one reads what the first one left to it: a file that had just been written
        scan = started(scan_here, *arguments)
        scan.join(120)
        assert scan.exitcode in {0, 1}  # 1: something serious was found
    check_each_once(rows, written)
    assert rows("SELECT count(*) AS n FROM gap") == [{"n": 0}]
