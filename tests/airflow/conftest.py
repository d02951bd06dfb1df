"""Airflow reads its configuration when it is imported: every test that needs it runs it in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kronos_health.airflow_plugin.serving.environment import Address, airflow_environment
from kronos_health.airflow_plugin.serving.state import Layout, secrets_of

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "production"

SETTINGS = f"""
state_dir = "var"
[production]
env_file = "{EXAMPLE / ".env.compile"}"
[upstream]
timeout_seconds = 20
[probe]
device = "cpu"
variants = ["eager", "compiled"]
iterations = 1
predictions = 2
rehearsal_iterations = 1
[targets.kronos]
size = "tiny"
[sources.trading]
path = "trade.log"
"""

LOG = """\
2026-11-20 10:00:00,000 INFO Kronos prediction completed for ETHUSD in 4,102 ms
2026-11-20 10:05:00,000 ERROR prediction failed
RuntimeError: Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run.
2026-11-20 10:10:00,000 INFO Kronos prediction completed for ETHUSD in 4,090 ms
"""


@dataclass(frozen=True, slots=True)
class Home:
    """A folder with settings, a log, and the environment that ``up`` would give to Airflow there."""

    folder: Path
    environ: dict[str, str]

    @property
    def config(self) -> Path:
        return self.folder / "kronos_health.toml"

    @property
    def history(self) -> Path:
        return self.folder / "var" / "kronos_health.db"

    @property
    def log(self) -> Path:
        return self.folder / "trade.log"


Ask = Callable[..., Any]


def make_home(folder: Path, settings: str = SETTINGS) -> Home:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "kronos_health.toml"
    config.write_text(settings, encoding="utf-8")
    (folder / "trade.log").write_text(LOG, encoding="utf-8")
    layout = Layout(folder / "var")
    layout.make()
    environ = airflow_environment(clean_environ(), layout, secrets_of(layout), Address("127.0.0.1", 1), config)
    return Home(folder, environ)


def clean_environ() -> dict[str, str]:
    """This process's environment without what belongs to another kronos-health or to pytest, and without a network.

    No package index means that torch's releases are unknown, which is quick and the same everywhere.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KRONOS_HEALTH", "PYTEST"))}
    return {**kept, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}


def run_program(module: str, home: Home, *words: str, environ: dict[str, str] | None = None, timeout: int = 200) -> Any:
    """Run ``python -m module`` in Airflow's environment; what it writes to the file it is given, as JSON."""
    out = home.folder / f"{module.rpartition('.')[2]}.json"
    done = subprocess.run(
        [sys.executable, "-m", module, str(out), *words],
        env=home.environ | {"PYTHONPATH": str(ROOT)} | (environ or {}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return json.loads(out.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose two databases are ready."""
    home = make_home(tmp_path_factory.mktemp("airflow"))
    prepare = [sys.executable, "-m", "kronos_health.airflow_plugin.serving.prepare"]
    done = subprocess.run(prepare, env=home.environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    for database in (home.folder / "var" / "airflow" / "airflow.db", home.history):
        shutil.copy(database, f"{database}.new")  # as made: other tests run their DAGs on the original
    return home


@pytest.fixture
def home(migrated_home: Home, tmp_path: Path) -> Home:
    """A home of one test, copied from the ready one."""
    own = make_home(tmp_path / "home")
    var = own.folder / "var"
    shutil.copy(migrated_home.folder / "var" / "airflow" / "airflow.db.new", var / "airflow" / "airflow.db")
    shutil.copy(f"{migrated_home.history}.new", own.history)
    return own


@pytest.fixture
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
