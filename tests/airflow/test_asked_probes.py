"""A probe that a person asked for becomes one run of the probe DAG, which says what came of it."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.airflow.conftest import Home, run_program

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

ID = "0199a000-0000-7000-8000-000000000001"


def it_starts_one_run_however_often_delivery_looks(home: Home) -> None:
    with sqlite3.connect(home.history) as history:
        history.execute(
            "INSERT INTO probe_request (id, asked_at, who, via, target) VALUES (?, '2026-11-23 12:00:00.000000', "
            "'anna (U0ANNA)', 'slack', 'kronos')",
            (ID,),
        )
    orders = json.dumps([("kronos_alert_delivery", {})] * 2)
    first, second = run_program("tests.airflow.run_dags", home, orders, timeout=500)
    assert first["tasks"]["start_asked[0]"]["state"] == "success"
    assert second["tasks"]["start_asked[0]"]["state"] == "skipped"  # it stands already
    assert (first["state"], second["state"]) == ("success", "success")
    with sqlite3.connect(home.folder / "var" / "airflow" / "airflow.db") as airflow:
        found = airflow.execute("SELECT run_id, conf FROM dag_run WHERE dag_id = 'kronos_compile_probe'").fetchall()
    assert [(run_id, json.loads(conf)) for run_id, conf in found] == [(f"asked__{ID}", {"targets": ["kronos"]})]
