"""The approval round trip through a real Airflow: asked, answered over REST as the UI does it, written or not."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from kronos_health.airflow_plugin.serving.rest import Airflow, Run
from kronos_health.checks import switching
from kronos_health.checks.context import Context, open_context
from kronos_health.domain.switch import Switch
from kronos_health.settings.loading import load_settings
from kronos_health.store.database import writing
from tests.airflow.conftest import SETTINGS, Home, make_home
from tests.airflow.test_up import Up
from tests.checks.test_switching import EXAMPLE
from tests.support.history_switch import insert_compiled_history

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(900)]

WANTED = EXAMPLE.replace("# export KRONOS_COMPILE=1", "export KRONOS_COMPILE=1")
DAG = "kronos_switch"


class Asking:
    """A running ``up`` whose history says COMPILED, and production's file in the home."""

    def __init__(self, up: Up, file: Path) -> None:
        self.up, self.file = up, file
        self.airflow: Airflow = up.airflow()
        self.base = up.found(r"Airflow  (http://localhost:[0-9]+)/")

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        return httpx.request(
            method, f"{self.base}{path}", json=body, headers=self.airflow.headers, trust_env=False, timeout=30
        )

    def start(self) -> Run:
        return self.airflow.trigger(DAG, "by the test")

    def question(self, run: Run) -> dict[str, Any]:
        """What the UI shows under Required Actions for the run, once it waits."""
        path = f"/api/v2/dags/{DAG}/dagRuns/{run.run_id}/hitlDetails"
        found: list[dict[str, Any]] = []

        def waits() -> bool:
            found[:] = self.ask("GET", path).json().get("hitl_details", [])
            return bool(found)

        self.up.wait_for(waits, 180)
        # A person takes longer than the process that asked takes to end. Airflow fails a task that was answered before
        # its executor has told that this process is gone.
        self.up.wait_for(lambda: self.states(run)["answer"] == "awaiting_input" and not self.task_processes(), 60)
        time.sleep(5)
        return found[0]

    def respond(self, run: Run, option: str, reason: str) -> httpx.Response:
        path = f"/api/v2/dags/{DAG}/dagRuns/{run.run_id}/taskInstances/answer/-1/hitlDetails"
        return self.ask("PATCH", path, {"chosen_options": [option], "params_input": {"reason": reason}})

    def end_of(self, run: Run) -> str:
        self.up.wait_for(lambda: self.airflow.run(run.dag_id, run.run_id).over, 180)
        return self.airflow.run(run.dag_id, run.run_id).state

    @contextmanager
    def nobody_can_read_the_file(self) -> Iterator[None]:
        """A pipe stands in its place: whoever opens it waits for somebody who writes."""
        aside = self.file.with_name("aside")
        self.file.rename(aside)
        os.mkfifo(self.file)
        try:
            yield
        finally:
            aside.replace(self.file)

    def task_processes(self) -> list[psutil.Process]:
        """Every process that runs a task now: the children of the executor's workers."""
        found = []
        for process in psutil.Process(self.up.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                parent = process.parent()
                if parent is not None and "LocalExecutor" in " ".join(parent.cmdline()):
                    found.append(process)
        return found

    def kill_tasks(self) -> None:
        """SIGKILL them."""
        for process in self.task_processes():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def states(self, run: Run) -> dict[str, str | None]:
        return {task.label: task.state for task in self.airflow.tasks(run)}


def context_of(home: Home) -> Context:
    return open_context(load_settings(home.config, {}).settings)


def proposals(home: Home) -> tuple[Switch, ...]:
    return switching.listed(context_of(home))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose history says COMPILED for stock compiled Kronos; probing is none of this test's business."""
    folder = tmp_path_factory.mktemp("switch")
    file = folder / ".env.compile"
    file.write_text(EXAMPLE)
    line = next(line for line in SETTINGS.splitlines() if line.startswith("env_file"))
    home = make_home(folder, SETTINGS.replace(line, f'env_file = "{file}"\n[switch]\nenabled = true'))
    prepare = [sys.executable, "-m", "kronos_health.airflow_plugin.serving.prepare"]
    subprocess.run(prepare, env=home.environ, capture_output=True, timeout=300, check=True)
    context = context_of(home)
    with writing(context.engine) as connection:
        insert_compiled_history(connection, datetime.now(UTC))
    return home


@pytest.fixture(scope="module")
def asking(home: Home) -> Iterator[Asking]:
    running = Up(home, 18480)
    try:
        running.await_text("Ctrl-C ends everything", 600)
        yield Asking(running, home.folder / ".env.compile")
    finally:
        running.close()


def it_asks_with_evidence_and_diff_and_keeps_a_refusal_with_its_reason(asking: Asking, home: Home) -> None:
    run = asking.start()
    asked = asking.question(run)
    assert asked["subject"] == "Switch kronos to compiled? A person decides"
    for words in ("COMPILED (compiled)", "fresh processes passed", "+export KRONOS_COMPILE=1", "Rows: ", "probe:"):
        assert words in asked["body"]
    assert asked["options"] == ["Approve", "Reject", "Ask again later"]
    assert asking.respond(run, "Reject", "not before the release").status_code == 200
    assert asking.end_of(run) == "success"
    assert asking.file.read_text() == EXAMPLE
    (refused,) = proposals(home)
    assert (refused.state.value, refused.who, refused.reason) == ("rejected", "admin", "not before the release")
    again = asking.start()
    assert asking.end_of(again) == "success"
    assert asking.states(again)["answer"] == "skipped", "the same evidence is not asked about again"


def it_writes_what_was_approved_though_the_task_is_killed_between_approval_and_writing(
    asking: Asking, home: Home
) -> None:
    context = context_of(home)
    with writing(context.engine) as connection:
        connection.exec_driver_sql("UPDATE environment SET fingerprint = fingerprint || ' after an upgrade'")
    revisited = asking.airflow.trigger("kronos_revisit", "by the test")
    assert asking.end_of(revisited) == "success"
    run = asking.start()
    asking.question(run)
    assert asking.file.read_text() == EXAMPLE, "nothing is written while nobody has answered"
    with asking.nobody_can_read_the_file():
        assert asking.respond(run, "Approve", "measured it").status_code == 200
        asking.up.wait_for(lambda: proposals(home)[-1].state.value == "approved", 120)
        asking.kill_tasks()
    assert asking.file.read_text() == EXAMPLE
    assert asking.end_of(run) == "success"
    tried = asking.ask("GET", f"/api/v2/dags/{DAG}/dagRuns/{run.run_id}/taskInstances/take_answer").json()
    assert tried["try_number"] > 1
    written = proposals(home)[-1]
    assert (written.state.value, written.who, written.reason) == ("written", "admin", "measured it")
    assert asking.file.read_text() == WANTED
    assert Path(written.backup or "").read_text() == EXAMPLE
    assert asking.respond(run, "Reject", "too late").status_code == 409, "answered once"


def it_leads_back_to_the_byte(asking: Asking, home: Home) -> None:
    assert asking.file.read_text() == WANTED
    switching.roll_back(context_of(home), "bob", "by the test")
    assert asking.file.read_text() == EXAMPLE
    assert [one.state.value for one in proposals(home)] == ["rejected", "rolled_back", "written"]
