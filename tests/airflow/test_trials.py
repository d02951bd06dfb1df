"""News becomes a run of the probe DAG in the GPU pool, once, and its probes run in the candidate alone."""

from __future__ import annotations

import json
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.airflow.conftest import Home, run_program

pytestmark = pytest.mark.airflow


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


def it_starts_one_run_for_news_and_none_the_second_time(home: Home) -> None:
    plant_news(home)
    orders = json.dumps([("kronos_upstream_watch", {}), ("kronos_upstream_watch", {})])
    first, second = run_program("tests.airflow.run_dags", home, orders)
    assert (first["state"], second["state"]) == ("success", "success")
    assert states(first)["try_news[0]"] == "success"
    assert states(second)["try_news"] == "skipped"
    ((run_id, conf),) = ordered_runs(home)
    assert run_id == "trial__torch-2.99.0__1"
    assert (conf["candidates"], conf["targets"], conf["production"]) == (["torch=2.99.0"], ["kronos"], False)
    assert {"eager", "compiled"} <= set(conf["variants"])


def it_probes_in_the_candidates_of_the_form_and_tells_what_they_came_to(home: Home) -> None:
    name = f"python={sys.executable}"
    form = {"candidates": [name], "production": False, "variants": ["eager", "compiled"], "rehearse": "never"}
    (run,) = run_program("tests.airflow.run_dags", home, json.dumps([("kronos_compile_probe", form)]), timeout=290)
    assert run["state"] == "success"
    labels = [task["label"] for task_id, task in run["tasks"].items() if task_id.startswith("probe[")]
    assert sorted(labels) == [f"kronos compiled ({name})", f"kronos eager ({name})"]
    with sqlite3.connect(home.history) as history:
        found = history.execute("SELECT candidate, outcome FROM probe WHERE NOT imported").fetchall()
    assert {candidate for candidate, _ in found} == {name}
