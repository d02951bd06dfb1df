"""The scan command killed at random points: what was written is stored once, whatever the moment."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from tests.checks.test_scanning import REUSE, Log

KILLS = 12
COMMAND = Path(sys.executable).with_name("kronos-health")


def it_loses_and_doubles_nothing_when_killed(
    engine: Engine, database_url: str, rows: Callable[[str], list[dict[str, Any]]], tmp_path: Path
) -> None:
    log, chance = Log(tmp_path / "trade.log"), random.Random(20251030)
    (tmp_path / "kronos_health.toml").write_text(f'[sources.trade]\npath = "{log.path}"\n')
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
    found = rows("SELECT generation_id, start_offset FROM finding WHERE signature = 'graph_reuse'")
    assert len(found) == written
    assert len({(row["generation_id"], row["start_offset"]) for row in found}) == written
    # Alerts and outbox moved with the findings: one episode, told once as fired.
    fired = rows("SELECT count(*) AS n FROM outbox WHERE fingerprint = 'graph_reuse:trade' AND kind = 'fired'")
    assert fired == [{"n": 1}]
    counted = rows("SELECT occurrences FROM alert WHERE fingerprint = 'graph_reuse:trade'")
    assert counted == [{"occurrences": written}]
