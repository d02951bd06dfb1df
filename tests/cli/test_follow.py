"""``kronos-health follow`` as a service runs it: lines come out, SIGTERM ends it well, a kill loses nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.logs.support import line, reuse

PROGRAM = [sys.executable, "-c", "from kronos_health.cli import main; main()"]
SETTINGS = """
[follow]
look_seconds = 0.1
pause_seconds = 0.2
[sources.trade]
path = "trade.log"
[sources.far]
path = "nowhere/far.log"
queue = "gpu"
"""


class Following:
    """The running command."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, folder / f"{time.monotonic_ns()}.txt"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_HEALTH")}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*PROGRAM, "follow"],
                cwd=folder,
                env={**clean, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_for(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, self.text()
            assert self.process.poll() is None, self.text()
            time.sleep(0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kronos_health.toml").write_text(SETTINGS, encoding="utf-8")
    write(tmp_path, line("started"))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_HEALTH")}
    subprocess.run([*PROGRAM, "db", "upgrade"], cwd=tmp_path, env=clean, check=True, capture_output=True, timeout=120)
    return tmp_path


@pytest.fixture
def following(folder: Path) -> Iterator[Following]:
    started = Following(folder)
    yield started
    started.process.kill()
    started.process.wait()


def write(folder: Path, text: str) -> None:
    with (folder / "trade.log").open("a", encoding="utf-8") as log:
        log.write(text)


def found(folder: Path) -> int:
    with sqlite3.connect(folder / "var" / "kronos_health.db", timeout=30) as history:
        (count,) = history.execute("SELECT count(*) FROM finding WHERE signature = 'graph_reuse'").fetchone()
    return int(count)


def scanned(folder: Path) -> bool:
    with sqlite3.connect(folder / "var" / "kronos_health.db", timeout=30) as history:
        return bool(history.execute("SELECT 1 FROM log_scan").fetchone())


def it_tells_what_it_follows_and_finds_and_ends_well_at_sigterm(following: Following, folder: Path) -> None:
    following.wait_for(lambda: scanned(folder))
    write(folder, reuse("at once"))
    following.wait_for(lambda: "trade: graph_reuse ×1" in following.text())
    following.process.send_signal(signal.SIGTERM)
    assert following.process.wait(60) == 0
    text = following.text()
    assert "far is on the worker queue gpu and not to be seen here" in text
    assert "Following trade. Ctrl-C ends it." in text
    assert text.rstrip().endswith("Ended; the next scan goes on where this one stopped.")
    assert "kronos_health/" not in text  # no traceback of ours
    assert found(folder) == 1


def it_loses_and_doubles_nothing_when_it_is_killed(folder: Path) -> None:
    for number in range(1, 4):
        following = Following(folder)
        try:
            following.wait_for(lambda: scanned(folder))
            write(folder, reuse(f"before kill {number}"))
            if number > 1:  # the first one is killed before it can have answered
                following.wait_for(lambda expected=number: found(folder) >= expected)
        finally:
            following.process.kill()
            following.process.wait()
    assert found(folder) == 3
