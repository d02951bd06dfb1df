"""The compose file's own start commands and environments, really run on this host: Celery, PostgreSQL, Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.packaging.stack import Stack, plain_host

pytestmark = [pytest.mark.slow, pytest.mark.airflow]

DAG = "kronos_log_scan"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with plain_host(tmp_path_factory.mktemp("stack")) as stack:
        assert "Schemas, pools and login are in place." in stack.run_init()
        for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
            stack.start(name)
        stack.wait_until_healthy("api-server")
        for name in ("worker", "gpu-worker"):
            stack.start(name)
        for name in [*stack.running]:
            stack.wait_until_healthy(name)
        yield stack


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    """Logged in with the password of docker/.env."""
    login = {"username": "admin", "password": stack.variables["KRONOS_HEALTH_ADMIN_PASSWORD"]}
    token = httpx.post(f"{stack.address}/auth/token", json=login, timeout=30).raise_for_status().json()["access_token"]
    with httpx.Client(
        base_url=f"{stack.address}/api/v2", headers={"Authorization": f"Bearer {token}"}, timeout=30
    ) as client:
        yield client


def _wait_for_dag(api: httpx.Client) -> None:
    deadline = time.monotonic() + 120
    while api.get(f"/dags/{DAG}").status_code != 200:
        errors = api.get("/importErrors").json()
        assert not errors.get("import_errors"), errors
        assert time.monotonic() < deadline, api.get("/dags").text
        time.sleep(1)


def _finished(api: httpx.Client, run_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 240
    while True:
        run = api.get(f"/dags/{DAG}/dagRuns/{run_id}").raise_for_status().json()
        if run["state"] in {"success", "failed"}:
            return dict(run)
        assert time.monotonic() < deadline, run
        time.sleep(1)


class DescribeStack:
    def it_migrates_again_without_harm(self, stack: Stack) -> None:
        assert "Schemas, pools and login are in place." in stack.run_init()

    def it_knows_the_pool_that_probes_wait_for(self, api: httpx.Client) -> None:
        assert api.get("/pools/gpu").raise_for_status().json()["slots"] == 1

    def it_lets_nobody_in_without_the_password(self, stack: Stack) -> None:
        wrong = {"username": "admin", "password": "admin"}
        assert httpx.post(f"{stack.address}/auth/token", json=wrong, timeout=30).status_code == 401
        assert httpx.get(f"{stack.address}/api/v2/dags", timeout=30).status_code == 401

    def it_scans_the_log_on_a_worker_and_keeps_what_it_found(self, stack: Stack, api: httpx.Client) -> None:
        _wait_for_dag(api)
        api.patch(f"/dags/{DAG}", json={"is_paused": False}).raise_for_status()
        started = api.post(f"/dags/{DAG}/dagRuns", json={"logical_date": None}).raise_for_status().json()
        run = _finished(api, started["dag_run_id"])
        tasks = api.get(f"/dags/{DAG}/dagRuns/{run['dag_run_id']}/taskInstances").json()["task_instances"]
        assert run["state"] == "success", json.dumps(tasks, indent=1)[-4000:]
        assert {task["queue"] for task in tasks} == {"default"}
        engine = create_engine(stack.history_url)
        with engine.connect() as connection:
            scans = connection.execute(text("SELECT count(*) FROM log_scan")).scalar_one()
            findings = connection.execute(text("SELECT count(*) FROM finding")).scalar_one()
        engine.dispose()
        assert scans >= 1
        assert findings >= 1

    def it_shows_the_workers_log_to_people(self, api: httpx.Client) -> None:
        runs = api.get(f"/dags/{DAG}/dagRuns", params={"limit": 1}).json()["dag_runs"]
        path = f"/dags/{DAG}/dagRuns/{runs[0]['dag_run_id']}/taskInstances/scan/logs/1"
        shown = api.get(path, params={"map_index": 0}, headers={"Accept": "application/json"}).raise_for_status()
        assert "bytes read" in shown.text

    def it_ends_workers_quietly(self, stack: Stack) -> None:
        for name in ("worker", "gpu-worker"):
            assert stack.stop(name) == 0, stack.log(name)[-3000:]


def it_writes_the_login_for_its_owner_alone(stack: Stack) -> None:
    written = Path(stack.folder / "login/passwords.json")
    assert written.stat().st_mode & 0o077 == 0
