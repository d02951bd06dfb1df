"""What fails a task and what does not."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.airflow.conftest import ROOT, SETTINGS, Home, make_home, run_program

pytestmark = pytest.mark.airflow


def run(home: Home, *orders: tuple[str, dict[str, object]]) -> list[tuple[str, dict[str, str]]]:
    """State and task states of each run."""
    done = run_program("tests.airflow.run_dags", home, json.dumps(orders))
    return [(each["state"], {name: task["state"] for name, task in each["tasks"].items()}) for each in done]


def it_fails_the_run_and_still_reports_when_the_history_is_of_a_newer_program(home: Home) -> None:
    with sqlite3.connect(home.history) as history:
        history.execute("update alembic_version set version_num = '9999'")
    ((state, tasks),) = run(home, ("kronos_upstream_watch", {}))
    assert (state, tasks["watch"], tasks["report_failures"]) == ("failed", "failed", "failed")


def it_keeps_an_unreadable_log_and_a_model_that_cannot_be_probed_as_outcomes(home: Home, tmp_path: Path) -> None:
    broken = SETTINGS.replace('size = "tiny"', f'interpreter = "{sys.executable}"\nloader = "no_such_module:make"')
    make_home(home.folder, broken)
    home.log.unlink()
    home.log.mkdir()
    scan, probe = run(
        home, ("kronos_log_scan", {}), ("kronos_compile_probe", {"variants": ["eager"], "rehearse": "never"})
    )
    assert scan[0] == "success"
    assert (probe[0], probe[1]["probe[0]"]) == ("success", "success")
    with sqlite3.connect(home.history) as history:
        assert history.execute("select outcome from probe where not imported").fetchall() == [("worker_error",)]
        assert history.execute("select problem is not null from log_source").fetchall() == [(1,)]


def it_refuses_an_unknown_variant_with_the_nearest_one(home: Home) -> None:
    ((state, tasks),) = run(home, ("kronos_compile_probe", {"variants": ["compild"]}))
    assert (state, tasks["plan"]) == ("failed", "failed")
    assert tasks["finish"] == "success"


HANGING = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"],
                 start_new_session=True)
time.sleep(600)
"""


class HangingProbe:
    """A probe's task whose model hangs while it is imported, with a grandchild that hears no signal either."""

    def __init__(self, home: Home) -> None:
        self.home, self.marker = home, os.urandom(8).hex()
        (home.folder / "hanging.py").write_text(HANGING)
        target = f'loader = "hanging:make"\npython_path = ["{home.folder}"]'
        make_home(home.folder, SETTINGS.replace('size = "tiny"', target))
        order = json.dumps([("kronos_compile_probe", {"variants": ["eager"], "rehearse": "never"})])
        self.task = subprocess.Popen(
            [sys.executable, "-m", "tests.airflow.run_dags", str(home.folder / "done.json"), order],
            env={
                **home.environ,
                "PYTHONPATH": str(ROOT),
                "PATH": f"{home.environ['PATH']}:/{self.marker}",  # of the few things a probe's child inherits
            },
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def below(self) -> list[int]:
        """Processes that the task started, wherever they went."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = self.marker in process.environ().get("PATH", "") and process.pid != self.task.pid
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
        return found

    def await_that(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.below()
            time.sleep(0.1)


@pytest.fixture
def hanging(home: Home) -> Iterator[HangingProbe]:
    probe = HangingProbe(home)
    probe.await_that(lambda: len(probe.below()) >= 3)  # the guard, the child and its grandchild
    yield probe
    for pid in [probe.task.pid, *probe.below()]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    probe.task.wait()


def it_stops_the_probe_and_says_so_when_its_task_is_asked_to_end(hanging: HangingProbe) -> None:
    hanging.task.send_signal(signal.SIGTERM)
    hanging.await_that(lambda: hanging.below() == [], 10)
    assert hanging.task.wait(60) == 0
    done = json.loads((hanging.home.folder / "done.json").read_text())[0]
    assert (done["state"], done["tasks"]["probe[0]"]["state"]) == ("failed", "failed")
    with sqlite3.connect(hanging.home.history) as history:
        outcome, reason = history.execute("select outcome, skipped_reason from probe where not imported").fetchone()
    assert (outcome, "stopped on request" in reason) == ("skipped", True)


def it_leaves_no_process_when_its_task_is_killed(hanging: HangingProbe) -> None:
    hanging.task.kill()
    hanging.await_that(lambda: hanging.below() == [], 10)
