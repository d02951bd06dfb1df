"""The DAGs run to their end by ``dag.test()``, against a real history database and real child processes."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from tests.airflow.conftest import Home, run_program

pytestmark = pytest.mark.airflow

ORDERS: list[tuple[str, dict[str, Any]]] = [
    ("kronos_upstream_watch", {}),
    ("kronos_log_scan", {}),
    ("kronos_log_scan", {}),
    ("kronos_compile_probe", {"variants": ["eager"], "iterations": 1, "rehearse": "never"}),
    ("kronos_revisit", {}),
    ("kronos_alert_delivery", {}),
    ("kronos_digest", {}),
    ("kronos_housekeeping", {}),
    ("kronos_doctor", {}),
    ("kronos_switch", {}),
]


@pytest.fixture(scope="module")
def day(migrated_home: Home) -> list[dict[str, Any]]:
    """A day of the checker: every DAG once, the log scan twice."""
    return list(run_program("tests.airflow.run_dags", migrated_home, json.dumps(ORDERS), timeout=280))


def rows(home: Home, statement: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(home.history) as history:
        return history.execute(statement).fetchall()


def states(run: dict[str, Any]) -> dict[str, str]:
    return {name: task["state"] for name, task in run["tasks"].items()}


def it_succeeds_in_every_dag(day: list[dict[str, Any]]) -> None:
    assert {run["dag_id"]: run["state"] for run in day} == {dag_id: "success" for dag_id, _ in ORDERS}


def it_delivers_at_the_end_of_every_run_and_reports_no_failure(day: list[dict[str, Any]]) -> None:
    for run in day:
        assert (states(run)["deliver"], states(run)["report_failures"]) == ("success", "skipped")


def it_stores_what_the_log_says_once(day: list[dict[str, Any]], migrated_home: Home) -> None:
    assert len(day) == len(ORDERS)
    assert rows(
        migrated_home, "select signature, count(*) from finding where signature = 'graph_reuse' group by 1"
    ) == [("graph_reuse", 1)]


def it_leaves_a_look_at_the_checker_itself(day: list[dict[str, Any]], migrated_home: Home) -> None:
    assert [run for run in day if run["dag_id"] == "kronos_doctor"]
    found = rows(migrated_home, "select verdict from heartbeat where \"check\" = 'doctor'")
    assert found
    assert {verdict for (verdict,) in found} <= {"ok", "attention"}


def it_wakes_the_revisit_by_a_scan_only_when_there_is_news(day: list[dict[str, Any]]) -> None:
    first, second = (run for run in day if run["dag_id"] == "kronos_log_scan")
    assert (states(first)["announce"], states(second)["announce"]) == ("success", "skipped")


def it_names_mapped_tasks_after_what_they_do(day: list[dict[str, Any]]) -> None:
    labels = [task["label"] for run in day for name, task in run["tasks"].items() if "[" in name]
    assert labels == ["trading", "trading", "kronos eager"]


def it_stores_the_probe_with_the_run_that_made_it(day: list[dict[str, Any]], migrated_home: Home) -> None:
    assert len(day) == len(ORDERS)
    found = rows(
        migrated_home,
        "select c.origin, c.airflow_dag_id, c.finished_at is not null, p.variant, p.requested, p.outcome "
        "from probe p join campaign c on c.id = p.campaign_id where not p.imported",
    )
    assert found == [("dag run", "kronos_compile_probe", 1, "eager", 1, "passed")]


def it_decides_and_gives_the_reason(day: list[dict[str, Any]], migrated_home: Home) -> None:
    assert len(day) == len(ORDERS)
    decided = rows(migrated_home, "select target, mode, sentence from decision where not imported")
    assert [(target, mode) for target, mode, _ in decided] == [("kronos", "EAGER")]
    assert "EAGER" in decided[0][2]
