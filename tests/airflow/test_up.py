"""``kronos-health up`` as a person starts it: a real Airflow, driven over its REST API."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import httpx
import psutil
import pytest

from kronos_health.airflow_plugin.serving.environment import Address
from kronos_health.airflow_plugin.serving.rest import Airflow
from kronos_health.airflow_plugin.serving.state import Layout
from tests.airflow.conftest import LOG, SETTINGS, Home, clean_environ, make_home

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

QUICK = SETTINGS.replace('["eager", "compiled"]', '["eager"]').replace(
    'device = "cpu"', 'device = "cpu"\nrehearse = "never"'
)


class Up:
    """A running ``kronos-health up`` in a home of its own."""

    def __init__(self, home: Home, port: int, name: str = "up") -> None:
        self.home, self.marker = home, os.urandom(8).hex()
        self.output = home.folder / f"{name}.txt"
        self._file: IO[bytes] = self.output.open("wb")
        program = "from kronos_health.cli import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "--config", str(home.config), "up", "--port", str(port)],
            cwd=home.folder,
            env={**clean_environ(), "KRONOS_TEST_MARKER": self.marker, "COLUMNS": "300"},
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._process = psutil.Process(self.process.pid)
        self._known: set[tuple[int, float]] = set()
        self._sessions = {self.process.pid}

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def await_text(self, words: str, seconds: float = 400.0) -> str:
        self.wait_for(lambda: words in self.text() or self.process.poll() is not None, seconds)
        assert words in self.text(), self.text()
        return self.text()

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.2)

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.text())
        assert match, self.text()
        return match[1]

    def left(self) -> list[str]:
        """Every process that descends from this one, wherever it went.

        Known by the tree as it was whenever this was asked, by session, and by the environment; no sign alone is
        enough: orphans leave the tree, guards have sessions of their own, a process with a title has no environment.
        """
        with contextlib.suppress(psutil.Error):
            self._known |= {(each.pid, each.create_time()) for each in self._process.children(recursive=True)}
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and self._is_ours(process):
                    self._sessions.add(os.getsid(process.pid))
                    found.append(f"{process.pid} {' '.join(process.cmdline())}")
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        if (process.pid, process.create_time()) in self._known or os.getsid(process.pid) in self._sessions:
            return True
        return process.environ().get("KRONOS_TEST_MARKER") == self.marker

    def airflow(self) -> Airflow:
        password = json.loads(Layout(self.home.folder / "var").passwords.read_text())["admin"]
        airflow = Airflow(Address("127.0.0.1", int(self.found(r"Airflow  http://localhost:(\d+)/"))), password)
        airflow.log_in()
        return airflow

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        for line in self.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line.split()[0]), signal.SIGKILL)
        self.process.wait()
        self._file.close()


@pytest.fixture(scope="module")
def taken() -> Iterator[socket.socket]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, taken: socket.socket) -> Iterator[Up]:
    """Serving, after its first check; started on a port that is taken."""
    running = Up(make_home(tmp_path_factory.mktemp("up"), QUICK), taken.getsockname()[1])
    try:
        running.await_text("Ctrl-C ends everything")
        yield running
    finally:
        running.close()


def it_names_the_taken_port_and_serves_on_another(up: Up, taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    assert f"Port {port} is taken by another program; using " in up.text()
    assert int(up.found(r"Airflow  http://localhost:(\d+)/")) > port


def it_runs_the_first_check_through_the_dags_and_prints_the_verdict(up: Up) -> None:
    assert " failed: " not in up.text()
    with sqlite3.connect(up.home.history) as history:
        (sentence,) = history.execute("select sentence from decision where not imported").fetchone()
        assert history.execute("select outcome from probe where not imported").fetchall() == [("passed",)]
    assert sentence in up.text()


def it_prints_address_and_login(up: Up) -> None:
    address = up.found(r"Page     (\S+)")
    user, password = up.found(r"Login    (.+)").split(" / ")
    assert httpx.get(address, trust_env=False).status_code == 200  # Airflow's own page, which asks for the login
    base = address.removesuffix("/plugin/kronos-health")
    token = httpx.post(f"{base}/auth/token", json={"username": user, "password": password}, trust_env=False)
    assert token.status_code == 201


def it_scans_what_was_written_meanwhile_when_airflow_is_told_to(up: Up) -> None:
    with up.home.log.open("a", encoding="utf-8") as log:
        log.write(LOG.replace("2026-11-20", "2026-11-21"))
    airflow = up.airflow()
    run = airflow.trigger("kronos_log_scan", "by the test")
    up.wait_for(lambda: airflow.run(run.dag_id, run.run_id).over, 180)
    assert airflow.run(run.dag_id, run.run_id).state == "success"
    with sqlite3.connect(up.home.history) as history:
        seen = "select count(*) from finding where signature = 'graph_reuse'"
        assert history.execute(seen).fetchone() == (2,)


def it_shows_the_health_page_to_whoever_is_logged_in_and_to_nobody_else(up: Up) -> None:
    airflow = up.airflow()
    url = f"{up.found(r'Airflow  (http://localhost:[0-9]+)/')}/kronos-health/"
    assert httpx.get(url, trust_env=False).status_code == 401
    assert httpx.get(f"{url}api/status", trust_env=False).status_code == 401
    page = httpx.get(url, headers=airflow.headers, trust_env=False)
    assert page.status_code == 200
    assert "kronos" in page.text


def it_links_a_probes_task_to_what_the_page_knows_of_it(up: Up) -> None:
    airflow = up.airflow()
    base = up.found(r"Airflow  (http://localhost:[0-9]+)/")
    (run,) = httpx.get(
        f"{base}/api/v2/dags/kronos_compile_probe/dagRuns", headers=airflow.headers, trust_env=False
    ).json()["dag_runs"]
    address = f"{base}/api/v2/dags/kronos_compile_probe/dagRuns/{run['dag_run_id']}/taskInstances/probe/links"
    links = httpx.get(f"{address}?map_index=0", headers=airflow.headers, trust_env=False).json()["extra_links"]
    with sqlite3.connect(up.home.history) as history:
        (probe_id,) = history.execute("select id from probe where not imported").fetchone()
    assert links == {"Kronos health": f"{base}/kronos-health/probes/{probe_id}"}
    assert httpx.get(links["Kronos health"], headers=airflow.headers, trust_env=False).status_code == 200


def it_listens_on_one_port_of_this_machine_only(up: Up) -> None:
    listening = set()
    for line in up.left():
        with contextlib.suppress(psutil.Error):
            connections = psutil.Process(int(line.split()[0])).net_connections("inet")
            listening |= {tuple(each.laddr) for each in connections if each.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", int(up.found(r"Airflow  http://localhost:(\d+)/")))}


def it_has_the_gpu_pool_with_one_slot(up: Up) -> None:
    url = f"{up.found(r'Airflow  (http://localhost:[0-9]+)/')}/api/v2/pools/gpu"
    assert httpx.get(url, headers=up.airflow().headers, trust_env=False).json()["slots"] == 1


def it_refuses_a_second_start_on_the_same_folder_and_names_the_first(up: Up) -> None:
    second = Up(up.home, 8080, "second")
    try:
        assert second.process.wait(60) == 2
        said = "".join(second.text().split())  # a terminal wraps long paths where it likes
        assert f"alreadyrunson{up.home.folder / 'var'}(process{up.process.pid})" in said
    finally:
        second.close()


def it_writes_nothing_outside_its_state_folder(up: Up) -> None:
    assert {path.name for path in up.home.folder.iterdir()} == {
        "kronos_health.toml",
        "trade.log",
        "var",
        "up.txt",
        "second.txt",
    }


def it_ends_all_its_processes_at_ctrl_c(up: Up) -> None:
    assert len(up.left()) > 5
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 0
    assert up.left() == []


@pytest.mark.slow
def it_goes_on_after_being_killed_in_the_middle_of_a_probe(tmp_path: Path, free_port: int) -> None:
    home = make_home(tmp_path / "home", SETTINGS)
    first = Up(home, free_port, "first")
    try:
        first.await_text("Looking upstream and into the logs ·")
        first.wait_for(lambda: any("probe/worker" in line for line in first.left()), 200)
        login = json.loads(Layout(home.folder / "var").passwords.read_text())
        first.process.kill()
        first.wait_for(lambda: not first.left(), 60)
    finally:
        first.close()
    second = Up(home, free_port, "again")
    try:
        second.await_text("Ctrl-C ends everything")
        assert f"(process {first.process.pid}) did not end tidily" in second.text()
        assert f"Login    admin / {login['admin']}" in second.text()
        with sqlite3.connect(home.history) as history:
            unfinished = history.execute("select count(*) from probe where outcome is null").fetchone()
            done = history.execute("select count(*) from probe where outcome is not null and not imported").fetchone()
        assert unfinished <= (1,)
        assert done >= (3,)
    finally:
        second.close()
    assert second.left() == []
