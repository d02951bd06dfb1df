"""The little of Airflow's REST API that ``up`` uses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from kronos_health.airflow_plugin.serving.environment import Address
from kronos_health.airflow_plugin.serving.state import USER

RUNNING = ("queued", "running")
_TIMEOUT_SECONDS = 20.0
_AGAIN_AFTER = (1.0, 2.0, 4.0)  # seconds


class AirflowAway(Exception):
    """Airflow does not answer, or answers what nobody asked; the text says what was asked."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a DAG."""

    dag_id: str
    run_id: str
    state: str

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state not in RUNNING


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task of a run; ``label`` is its name with the mapped index spelled out."""

    label: str
    state: str | None
    started_at: datetime | None


class Airflow:
    """A logged-in client. Every method raises :class:`AirflowAway` when it gets no good answer."""

    def __init__(self, address: Address, password: str) -> None:
        # No proxy of the environment: this is our own process, on this machine.
        self._http = httpx.Client(base_url=address.url, timeout=_TIMEOUT_SECONDS, trust_env=False)
        self._password = password

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def headers(self) -> dict[str, str]:
        """What a request of one's own needs to be let in."""
        return {"Authorization": self._http.headers["Authorization"]}

    def health(self) -> dict[str, str]:
        """Component → status; empty as long as nobody answers."""
        try:
            answer = self._http.get("/api/v2/monitor/health", timeout=5.0)
            return {name: str(part["status"]) for name, part in answer.json().items() if part.get("status")}
        except (httpx.HTTPError, ValueError, AttributeError):
            return {}

    def log_in(self) -> None:
        """Get a token for all that follows."""
        body = {"username": USER, "password": self._password}
        token = self._ask("POST", "/auth/token", body)["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def set_pools(self, file: Path) -> None:
        """Create or correct the pools of ``file``: a task whose pool is missing would wait for ever."""
        for name, wanted in json.loads(file.read_text(encoding="utf-8")).items():
            body = {"name": name, **wanted}
            known = [pool["name"] for pool in self._ask("GET", "/api/v2/pools?limit=100")["pools"]]
            if name in known:
                self._ask("PATCH", f"/api/v2/pools/{name}", body)
            else:
                self._ask("POST", "/api/v2/pools", body)

    def dags(self) -> set[str]:
        """Ids of the DAGs that Airflow has parsed."""
        return {dag["dag_id"] for dag in self._ask("GET", "/api/v2/dags?limit=100")["dags"]}

    def import_errors(self) -> dict[str, str]:
        """File → the last line of why it could not be parsed."""
        errors = self._ask("GET", "/api/v2/importErrors?limit=100")["import_errors"]
        return {error["filename"]: error["stack_trace"].strip().splitlines()[-1] for error in errors}

    def unfinished(self, dag_ids: Iterable[str]) -> list[Run]:
        """Runs of ``dag_ids`` that are queued or running."""
        states = "&".join(f"state={state}" for state in RUNNING)
        found = [self._ask("GET", f"/api/v2/dags/{dag_id}/dagRuns?{states}")["dag_runs"] for dag_id in dag_ids]
        return [_run(row) for rows in found for row in rows]

    def trigger(self, dag_id: str, note: str) -> Run:
        """Start a run now."""
        return _run(self._ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "note": note}))

    def run(self, dag_id: str, run_id: str) -> Run:
        """The run as it stands."""
        return _run(self._ask("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"))

    def fail(self, run: Run, note: str) -> None:
        """Mark a run failed, which ends its tasks."""
        self._ask("PATCH", f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}", {"state": "failed", "note": note})

    def tasks(self, run: Run) -> list[TaskState]:
        """The tasks of a run."""
        rows = self._ask("GET", f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances?limit=500")
        return [_task(row) for row in rows["task_instances"]]

    def health_page(self) -> dict[str, Any]:
        """What the health page knows, as JSON."""
        return self._ask("GET", "/kronos-health/api/status")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = self._answer(method, path, body)
            if answer.status_code == httpx.codes.UNAUTHORIZED and path != "/auth/token":
                self.log_in()  # the token's day is over
                answer = self._answer(method, path, body)
            answer.raise_for_status()
            return dict(answer.json())
        except (httpx.HTTPError, ValueError) as error:
            raise AirflowAway(f"Airflow gave no good answer to {method} {path.partition('?')[0]}: {error}") from error

    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        """The answer; asked again where Airflow had none and asking twice does no harm.

        On SQLite it answers 500 when its scheduler held the database for five seconds, as it may just after a start.
        """
        answer = self._http.request(method, path, json=body)
        for seconds in _AGAIN_AFTER if method != "POST" else ():
            if not answer.is_server_error:
                break
            time.sleep(seconds)
            answer = self._http.request(method, path, json=body)
        return answer


def _run(row: Mapping[str, Any]) -> Run:
    return Run(str(row["dag_id"]), str(row["dag_run_id"]), str(row["state"]))


def _task(row: Mapping[str, Any]) -> TaskState:
    started = row.get("start_date")
    index = row.get("rendered_map_index")
    if index is None and row.get("map_index", -1) >= 0:
        index = str(row["map_index"])
    return TaskState(
        label=f"{row['task_id']} {index}" if index else str(row["task_id"]),
        state=row.get("state"),
        started_at=datetime.fromisoformat(started) if started else None,
    )
