"""Airflow itself is asked about our DAGs: what is paused, what cannot be parsed, what it does not know."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kronos_health.airflow_plugin.asking import ask_airflow
from kronos_health.airflow_plugin.cleaning import DATABASE_VARIABLE
from tests.airflow.conftest import ROOT, Home

pytestmark = pytest.mark.airflow
PATIENCE = 180.0


def _airflow(home: Home, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "airflow", *words], env=home.environ, check=True, capture_output=True)


@pytest.mark.slow
def it_tells_what_is_paused_and_what_cannot_be_parsed(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "dags"
    shutil.copytree(ROOT / "dags", folder)
    (folder / "kronos_digest.py").write_text("import nowhere_to_be_found  # airflow dag\n")
    (folder / "somebody_elses.py").write_text("1 / 0  # airflow dag\n")
    home.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder)
    _airflow(home, "dags", "reserialize")
    _airflow(home, "dags", "pause", "kronos_log_scan")
    found = ask_airflow(home.folder / "elsewhere", None, PATIENCE, home.environ)
    assert (found.problem, found.not_asked) == ("", "")
    assert found.paused == ("kronos_log_scan",)
    assert set(found.expected) - set(found.known) == {"kronos_digest"}
    ((file, error),) = found.unparsed
    assert file == "kronos_digest.py"
    assert "nowhere_to_be_found" in error
    # By the folder of kronos-health up the same, from a shell that knows nothing of Airflow.
    environ = {name: value for name, value in home.environ.items() if not name.startswith("AIRFLOW")}
    del environ[DATABASE_VARIABLE]
    assert ask_airflow(home.folder / "var", home.config, PATIENCE, environ).paused == ("kronos_log_scan",)


def it_asks_nobody_where_there_is_no_airflow(tmp_path: Path) -> None:
    assert ask_airflow(tmp_path, None, PATIENCE, {}).not_asked == "no Airflow here"


def it_asks_nobody_in_a_task_that_was_handed_no_address(tmp_path: Path) -> None:
    blocked = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "airflow-db-not-allowed:///", "AIRFLOW_HOME": str(tmp_path)}
    assert "no way" in ask_airflow(tmp_path, None, PATIENCE, blocked).not_asked


def it_says_why_airflow_gave_no_answer(tmp_path: Path) -> None:
    nowhere = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nowhere/at/all.db"}
    assert "airflow dags list" in ask_airflow(tmp_path / "x", None, PATIENCE, nowhere).problem
