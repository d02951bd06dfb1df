"""The DAG files, read as Airflow reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kronos_health.airflow_plugin.serving.first_check import DAG_IDS
from kronos_health.airflow_plugin.standalone import POOLS
from tests.airflow.conftest import SETTINGS, Home, make_home, run_program

pytestmark = pytest.mark.airflow

QUEUED = (
    SETTINGS
    + """
[sources.far]
path = "far.log"
queue = "far host"
[targets.big]
size = "base"
queue = "gpu-2"
"""
)


@pytest.fixture(scope="module")
def parsed(migrated_home: Home) -> dict[str, Any]:
    return dict(run_program("tests.airflow.parse_dags", migrated_home))


@pytest.fixture(scope="module")
def dags(parsed: dict[str, Any]) -> dict[str, Any]:
    return dict(parsed["dags"])


def it_parses_without_errors_heavy_modules_or_a_database(parsed: dict[str, Any]) -> None:
    assert parsed["import_errors"] == {}
    assert parsed["heavy"] == []


def it_parses_in_a_blink(parsed: dict[str, Any]) -> None:
    assert parsed["seconds"] < 3.0  # 0.2 s alone; other builds may share the machine


def it_has_the_dags_that_the_first_check_knows(dags: dict[str, Any]) -> None:
    assert set(dags) == set(DAG_IDS)


def it_explains_every_dag_in_the_ui(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        assert len(dag["doc"]) > 80, dag_id
        assert "kronos-health" in dag["tags"]
        assert len(dag["tags"]) >= 2


def it_never_backfills_and_never_runs_a_dag_beside_itself(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        # A question that was answered elsewhere still waits in its run; it must not keep the next from being asked.
        beside = 4 if dag_id == "kronos_switch" else 1
        assert (dag["start_date"], dag["catchup"], dag["max_active_runs"]) == (None, False, beside)


def it_runs_at_the_promised_times(dags: dict[str, Any]) -> None:
    assert {dag_id: dag["schedule"] for dag_id, dag in dags.items()} == {
        "kronos_compile_probe": "0 3 * * *",
        "kronos_log_scan": "*/5 * * * *",
        "kronos_log_alarm": None,
        "kronos_upstream_watch": "11 */6 * * *",
        "kronos_revisit": "41 */6 * * *",
        "kronos_alert_delivery": "*/5 * * * *",
        "kronos_digest": "0 8 * * 1",
        "kronos_doctor": "23 * * * *",
        "kronos_housekeeping": "30 4 * * *",
        "kronos_switch": "7,22,37,52 * * * *",
    }


def it_wakes_the_revisit_by_what_one_task_of_each_other_dag_updates(dags: dict[str, Any]) -> None:
    updated = [
        (dag_id, task_id, asset)
        for dag_id, dag in dags.items()
        for task_id, task in dag["tasks"].items()
        for asset in task["outlets"]
    ]
    assert sorted(updated) == [
        ("kronos_compile_probe", "finish", "kronos_health_probes"),
        ("kronos_log_alarm", "answer", "kronos_health_findings"),
        ("kronos_log_scan", "announce", "kronos_health_findings"),
        ("kronos_revisit", "announce", "kronos_health_proposal"),
        ("kronos_upstream_watch", "announce", "kronos_health_upstream"),
    ]
    assert dags["kronos_switch"]["waits_for"] == ["kronos_health_proposal"]
    others = sorted({asset for dag_id, _, asset in updated if dag_id != "kronos_revisit"})
    assert dags["kronos_revisit"]["waits_for"] == others


def it_follows_the_logs_of_the_default_queue_in_the_triggerer(dags: dict[str, Any], tmp_path: Path) -> None:
    alarm = dags["kronos_log_alarm"]
    assert (alarm["waits_for"], list(alarm["tasks"])) == (["kronos_health_log_hits"], ["answer"])
    ((trigger, arguments),) = alarm["watchers"]
    assert (trigger, arguments["names"]) == ("kronos_health.airflow_plugin.triggers.LogHits", ["trading"])
    ((_, others),) = alarm_of(make_home(tmp_path / "queued", QUEUED))["watchers"]
    assert others["names"] == ["trading"]  # far is for its own host
    assert others["settings"] != arguments["settings"]  # so Airflow replaces the trigger
    assert alarm_of(make_home(tmp_path / "off", SETTINGS + "[follow]\nenabled = false\n"))["watchers"] == []


def alarm_of(home: Home) -> dict[str, Any]:
    return dict(run_program("tests.airflow.parse_dags", home)["dags"]["kronos_log_alarm"])


def it_ends_every_run_with_delivery_and_the_report_of_failures(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        if dag_id == "kronos_log_alarm":
            continue  # its one task delivers itself: every further one costs seconds
        tasks = dag["tasks"]
        others = sorted(set(tasks) - {"report_failures"})
        assert tasks["report_failures"]["upstream"] == others
        assert tasks["report_failures"]["trigger_rule"] == "one_failed"
        assert tasks["deliver"]["trigger_rule"] == "all_done"
        assert tasks["deliver"]["downstream"] == ["report_failures"]


def it_bounds_every_task_in_time(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert all(task["timeout"] for task in dag["tasks"].values())


def it_uses_only_pools_that_are_imported(dags: dict[str, Any]) -> None:
    used = {task["pool"] for dag in dags.values() for task in dag["tasks"].values()} - {"default_pool"}
    pools = json.loads(POOLS.read_text(encoding="utf-8"))
    assert used == set(pools) == {"gpu"}
    assert pools["gpu"]["slots"] == 1


def it_maps_probes_into_the_gpu_pool(dags: dict[str, Any]) -> None:
    probe = dags["kronos_compile_probe"]["tasks"]["probe"]
    assert (probe["mapped"], probe["pool"], probe["queue"]) == (True, "gpu", "default")
    assert dags["kronos_log_scan"]["tasks"]["scan"]["mapped"]


def it_offers_a_form_of_known_targets_and_variants(dags: dict[str, Any]) -> None:
    params = dags["kronos_compile_probe"]["params"]
    assert params["targets"]["items"]["enum"] == ["kronos"]
    assert {"eager", "compiled"} <= set(params["variants"]["examples"])
    assert params["iterations"]["minimum"] == 1
    assert set(params) == {
        *("targets", "variants", "iterations", "candidates", "production", "rehearse", "ignore_blackout")
    }


def it_gives_every_worker_queue_tasks_of_its_own(tmp_path: Path) -> None:
    found = run_program("tests.airflow.parse_dags", make_home(tmp_path, QUEUED))
    assert found["import_errors"] == {}
    scans = found["dags"]["kronos_log_scan"]["tasks"]
    assert (scans["scan"]["queue"], scans["on_far_host.scan"]["queue"]) == ("default", "far host")
    assert scans["announce"]["upstream"] == ["on_far_host.scan", "scan"]
    probes = found["dags"]["kronos_compile_probe"]["tasks"]
    assert [probes[name]["queue"] for name in ("on_gpu-2.plan", "on_gpu-2.probe")] == ["gpu-2", "gpu-2"]
    assert probes["finish"]["upstream"] == ["begin", "on_gpu-2.probe", "probe"]


def it_says_in_one_line_what_is_wrong_with_the_settings(tmp_path: Path) -> None:
    found = run_program("tests.airflow.parse_dags", make_home(tmp_path, "[probe]\niterations = 0\n"))
    assert set(found["dags"]) == set(DAG_IDS) - {
        "kronos_compile_probe",
        "kronos_log_scan",
        "kronos_log_alarm",
        "kronos_switch",
    }
    for error in found["import_errors"].values():
        assert "probe.iterations" in error.strip().splitlines()[-1]
