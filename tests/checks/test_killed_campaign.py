"""The probe command killed at random points and resumed until it is done: each iteration is measured once."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.checks.planted import Planted
from tests.conftest import postgresql_slow

Rows = Callable[[str], list[dict[str, Any]]]
COMMAND = Path(sys.executable).with_name("kronos-health")
ITERATIONS = 4
DONE = {0, 1}  # 1: a measured probe did not pass

SETTINGS = """
[probe]
targets = ["kronos", "other"]
device = "cpu"
predictions = 2
regimes = ["saturated", "growing"]
[targets.kronos]
interpreter = "{interpreter}"
[targets.other]
interpreter = "{interpreter}"
"""


@dataclass
class Commands:
    """The command line in a folder of its own."""

    folder: Path
    environment: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,  # a line that waits in a buffer of ours would be hidden from select
            start_new_session=True,
        )


@pytest.fixture
def commands(tmp_path: Path, database_url: str) -> Commands:
    planted = Planted(tmp_path / "planted")
    planted.pace(0.1)
    (tmp_path / "kronos_health.toml").write_text(SETTINGS.format(interpreter=planted.path))
    return Commands(tmp_path, {**os.environ, "KRONOS_HEALTH__DATABASE__URL": database_url, "PYTHONUNBUFFERED": "1"})


def lines(running: subprocess.Popen[bytes], seconds: float) -> Iterator[str]:
    """What the command writes, for so long."""
    assert running.stdout is not None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ready, _, _ = select.select([running.stdout], [], [], 0.2)
        line = running.stdout.readline() if ready else b""
        if line:
            yield line.decode()
        elif ready:
            return  # it has ended


def killed_while_measuring(running: subprocess.Popen[bytes], chance: random.Random) -> bool:
    """SIGKILL after a random number of progress lines; ``False`` when the command was done before."""
    steps = chance.randint(1, 12)
    for line in lines(running, 60):
        steps -= ": iteration " in line
        if steps <= 0:
            time.sleep(chance.uniform(0, 0.05))
            break
    alive = running.poll() is None
    running.send_signal(signal.SIGKILL)
    running.wait(30)
    return alive


def killed_until_done(commands: Commands, rows: Rows, kills: int, seed: int) -> int:
    """Start a campaign, kill it and what goes on with it up to ``kills`` times, then two end it; how many were hit."""
    chance, hit = random.Random(seed), 0
    order = ("probe", "-n", str(ITERATIONS), "-v", "eager", "--no-rehearse")
    for _kill in range(kills):
        if rows("SELECT count(*) AS n FROM campaign WHERE finished_at IS NOT NULL") != [{"n": 0}]:
            break
        begun = rows("SELECT count(*) AS n FROM campaign_probe")[0]["n"]
        hit += killed_while_measuring(commands.start(*(("probe", "--resume") if begun else order)), chance)
    two = [commands.start("probe", "--resume"), commands.start("probe", "--resume")]
    told = [running.communicate(timeout=300)[0] for running in two]
    refused = (b"no unfinished campaign", b"is being measured by", b"is finished")
    for running, words in zip(two, told, strict=True):
        assert running.returncode in DONE or any(reason in words for reason in refused), words
    return hit


def check_measured_once(rows: Rows, planted: Path) -> None:
    assert rows("SELECT count(*) AS n, count(finished_at) AS finished FROM campaign") == [{"n": 1, "finished": 1}]
    probes = rows("SELECT id, target, regime, outcome, passed, requested FROM probe")
    assert len({(probe["target"], probe["regime"]) for probe in probes}) == len(probes) == 4
    assert {(probe["outcome"], probe["passed"], probe["requested"]) for probe in probes} == {("passed", 4, 4)}
    seeds = rows(
        'SELECT i.probe_id, i."index" AS iteration, p."index" AS prediction, p.seed FROM iteration i '
        "JOIN prediction p ON p.iteration_id = i.id"
    )
    assert len({(row["probe_id"], row["iteration"], row["prediction"]) for row in seeds}) == len(seeds) == 4 * 4 * 2
    assert all(row["seed"] == 1000 + 1000 * row["iteration"] + row["prediction"] for row in seeds)
    lost = rows(
        'SELECT p.target, p.regime, n."index", count(*) AS n FROM interruption n JOIN probe p ON p.id = n.probe_id '
        'GROUP BY p.target, p.regime, n."index"'
    )
    losses = {f"{row['target']} eager {row['regime']} {row['index']}": row["n"] for row in lost}
    started = (planted / "started").read_text().splitlines()
    for name in set(started):
        assert started.count(name) <= 1 + losses.get(name, 0), f"{name} was measured again although nothing was lost"
    assert rows("SELECT count(*) AS n FROM campaign_probe WHERE claim IS NOT NULL") == [{"n": 0}]


@postgresql_slow
def it_measures_each_iteration_once_however_often_it_is_killed(commands: Commands, rows: Rows, tmp_path: Path) -> None:
    assert killed_until_done(commands, rows, kills=3, seed=20251030) >= 2
    check_measured_once(rows, tmp_path / "planted")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def it_measures_each_iteration_once_after_many_kills(commands: Commands, rows: Rows, tmp_path: Path, seed: int) -> None:
    Planted(tmp_path / "planted").pace(0.3)
    hit = killed_until_done(commands, rows, kills=25, seed=seed)
    check_measured_once(rows, tmp_path / "planted")
    assert hit >= 5


REAL = """
[probe]
device = "cpu"
predictions = 2
rehearsal_iterations = 2
evaluation = {lookback = 32, max_context = 32, sample_count = 1}
[targets.kronos]
size = "tiny"
"""


@pytest.mark.slow
def it_measures_each_iteration_of_the_real_worker_once(commands: Commands, rows: Rows, tmp_path: Path) -> None:
    """Eager, compiled, and compiled as a rehearsal: real models, real graphs."""
    (tmp_path / "kronos_health.toml").write_text(REAL)
    chance, hit = random.Random(7), 0
    order = ("probe", "-n", "2", "-v", "eager", "-v", "compiled")
    for _kill in range(6):
        begun = rows("SELECT count(*) AS n FROM campaign_probe")[0]["n"]
        hit += killed_while_measuring(commands.start(*(("probe", "--resume") if begun else order)), chance)
    last = commands.start("probe", "--resume")
    told, _ = last.communicate(timeout=900)
    assert last.returncode in DONE or b"no unfinished campaign" in told, told
    assert hit
    found = rows('SELECT p.variant, p.kind, i."index", i.outcome FROM iteration i JOIN probe p ON p.id = i.probe_id')
    by_place = {(row["kind"], row["variant"], row["index"]): row["outcome"] for row in found}
    assert len(by_place) == len(found)
    assert by_place == {
        (kind, variant, index): outcome
        for kind, variant, outcome in (
            ("measured", "eager", "passed"),
            ("measured", "compiled", "passed"),
            ("rehearsed", "compiled", "graph_reuse"),
        )
        for index in range(2)
    }
    assert rows("SELECT count(*) AS n FROM campaign WHERE finished_at IS NOT NULL") == [{"n": 1}]
