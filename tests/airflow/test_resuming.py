"""A DAG run whose process is killed in the middle of a probe, and runs again: the probe goes on where it was."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.conftest import ROOT, SETTINGS, Home, make_home, run_program
from tests.checks.planted import Planted

pytestmark = pytest.mark.airflow

DATE = "2026-11-24T03:00:00+00:00"
ORDER = ("kronos_compile_probe", {"variants": ["eager"], "iterations": 3, "rehearse": "never"}, DATE)


def rows(home: Home, statement: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(home.history) as history:
        return history.execute(statement).fetchall()


@pytest.mark.slow
def it_goes_on_with_its_own_probe_after_a_kill(home: Home, tmp_path: Path) -> None:
    planted = Planted(tmp_path / "planted")
    make_home(home.folder, SETTINGS.replace('size = "tiny"', f'interpreter = "{planted.path}"'))
    planted.hold("kronos eager saturated 1")
    words = [sys.executable, "-m", "tests.airflow.run_dags", str(home.folder / "done.json"), json.dumps([ORDER])]
    quiet = subprocess.DEVNULL
    task = subprocess.Popen(words, env=home.environ | {"PYTHONPATH": str(ROOT)}, cwd=ROOT, stdout=quiet, stderr=quiet)
    deadline = time.monotonic() + 120
    while planted.started["kronos eager saturated 1"] == 0:
        assert time.monotonic() < deadline
        assert task.poll() is None
        time.sleep(0.1)
    task.kill()
    task.wait(30)
    planted.let_go()
    (done,) = run_program("tests.airflow.run_dags", home, json.dumps([ORDER]))
    assert (done["state"], done["tasks"]["probe[0]"]["state"]) == ("success", "success")
    assert rows(home, "select origin, finished_at is not null from campaign where origin <> 'import'") == [
        ("dag run", 1)
    ]
    assert rows(home, "select outcome, passed, requested from probe where not imported") == [("passed", 3, 3)]
    ours = 'select i."index", i.outcome from iteration i join probe p on p.id = i.probe_id where not p.imported'
    assert sorted(rows(home, ours)) == [(index, "passed") for index in range(3)]
    assert planted.started == {
        "kronos eager saturated 0": 1, "kronos eager saturated 1": 2, "kronos eager saturated 2": 1,
    }  # fmt: skip
    ((index, reason),) = rows(home, 'select "index", reason from interruption')
    assert index == 1
    assert reason.startswith("killed: process ")
