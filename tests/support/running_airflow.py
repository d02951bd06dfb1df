"""Airflow as ``make up`` runs it (four processes, SQLite, LocalExecutor), without the first check and its probes."""

from __future__ import annotations

import io
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from kronos_health.airflow_plugin.serving.components import Components
from kronos_health.airflow_plugin.serving.environment import Address, airflow_environment
from kronos_health.airflow_plugin.serving.first_check import DAG_IDS
from kronos_health.airflow_plugin.serving.rest import Airflow, AirflowAway
from kronos_health.airflow_plugin.serving.state import Layout, secrets_of, take_lock
from kronos_health.airflow_plugin.serving.terminal import Terminal
from kronos_health.airflow_plugin.standalone import POOLS

_HEALTHY = {"metadatabase", "scheduler", "dag_processor", "triggerer"}
_START_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Running:
    """A running Airflow with every DAG read, and its metadata database to look into."""

    airflow: Airflow
    layout: Layout
    address: Address
    require: Callable[[], None]

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of Airflow's own database."""
        with sqlite3.connect(f"file:{self.layout.database}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(statement, values).fetchall()

    def pause(self, dag_id: str, paused: bool = True) -> None:
        """Start no more runs of a DAG, or again."""
        url = f"{self.address.url}/api/v2/dags/{dag_id}"
        answer = httpx.patch(
            url, json={"is_paused": paused}, headers=self.airflow.headers, timeout=60.0, trust_env=False
        )
        answer.raise_for_status()

    def wait_for(self, condition: Callable[[], object], seconds: float = 120.0, every: float = 0.2) -> None:
        """Return when ``condition`` holds; raises ``TimeoutError`` after ``seconds``.

        Airflow may be too busy to answer: its api-server takes long over the first task that it hears of.
        """
        deadline = time.monotonic() + seconds
        while not _holds(condition):
            self.require()
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds:.0f} s; logs: {self.layout.logs}, {self.layout.components}")
            time.sleep(every)

    def triggerer_log(self) -> str:
        """What the triggerer wrote so far."""
        return (self.layout.components / "triggerer.log").read_text(encoding="utf-8", errors="replace")


@contextmanager
def running_airflow(config: Path, state: Path, **environ: str) -> Iterator[Running]:
    """Start Airflow on settings and a state folder of one's own; everything ends with the block."""
    layout = Layout(state)
    layout.make()
    secrets, address = secrets_of(layout), Address("127.0.0.1", _free_port())
    parent = {name: value for name, value in os.environ.items() if not name.startswith(("KRONOS_HEALTH", "PYTEST"))}
    # No package index: nothing here is about torch's releases.
    parent |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", **environ}
    environment = airflow_environment(parent, layout, secrets, address, config)
    prepare = [sys.executable, "-m", "kronos_health.airflow_plugin.serving.prepare"]
    subprocess.run(prepare, env=environment, check=True, capture_output=True, timeout=300)
    terminal = Terminal(Console(file=io.StringIO()))
    lock, _crashed = take_lock(layout)
    with lock, Components.started(environment, layout, lock.descriptor, terminal) as components:
        airflow = Airflow(address, secrets.password)
        running = Running(airflow, layout, address, components.require)
        try:
            running.wait_for(lambda: _healthy(airflow) >= _HEALTHY, _START_SECONDS, 0.5)
            airflow.log_in()
            airflow.set_pools(POOLS)
            running.wait_for(lambda: airflow.dags() >= set(DAG_IDS), _START_SECONDS, 0.5)
            yield running
        finally:
            airflow.close()


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except AirflowAway:
        return False


def _healthy(airflow: Airflow) -> set[str]:
    return {name for name, state in airflow.health().items() if state == "healthy"}


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
