"""News becomes a run of the probe DAG in the GPU pool, once, and its probes run in the candidate alone."""

from __future__ import annotations

import json
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.airflow.conftest import Home, run_program

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]


def plant_news(home: Home) -> None:
    """As the watch would have left it six hours after its first look."""
    seen = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    with sqlite3.connect(home.history) as history:
        history.execute(
            "INSERT INTO upstream_release (id, package, version, seen_at, first_look) VALUES ('x', 'torch', ?, ?, 0)",
            ("2.99.0", seen),
        )


def ordered_runs(home: Home) -> list[tuple[str, dict[str, Any]]]:
    with sqlite3.connect(home.folder / "var" / "airflow" / "airflow.db") as airflow:
        query = "SELECT run_id, conf FROM dag_run WHERE dag_id = 'kronos_compile_probe' AND run_id LIKE 'trial__%'"
        return [(run_id, json.loads(conf)) for run_id, conf in airflow.execute(query)]


def states(run: dict[str, Any]) -> dict[str, str]:
    return {name: task["state"] for name, task in run["tasks"].items()}


def it_starts_one_run_for_news(home: Home) -> None:
    plant_news(home)
    (run,) = run_program("tests.airflow.run_dags", home, json.dumps([("kronos_upstream_watch", {})]), timeout=500)
    assert run["state"] == "success"
    assert states(run)["try_news[0]"] == "success"
    ((run_id, conf),) = ordered_runs(home)
    assert run_id == "trial__torch-2.99.0__1"
    assert (conf["candidates"], conf["targets"], conf["production"]) == (["torch=2.99.0"], ["kronos"], False)
    assert {"eager", "compiled"} <= set(conf["variants"])


@pytest.mark.slow
def it_probes_in_the_candidates_of_the_form_alone(home: Home) -> None:
    name = f"python={sys.executable}"
    form = {"candidates": [name], "production": False, "variants": ["eager"], "rehearse": "always"}
    (run,) = run_program("tests.airflow.run_dags", home, json.dumps([("kronos_compile_probe", form)]), timeout=500)
    assert run["state"] == "success"
    labels = [task["label"] for task_id, task in run["tasks"].items() if task_id.startswith("probe[")]
    assert labels == [f"kronos eager ({name})"]
    with sqlite3.connect(home.history) as history:
        found = history.execute("SELECT candidate, outcome FROM probe WHERE NOT imported").fetchall()
    assert found == [(name, "passed")]
