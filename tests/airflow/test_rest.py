"""What ``up`` does where Airflow's API, spoken here by a server on loopback, answers badly."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from kronos_health.airflow_plugin.serving import rest
from kronos_health.airflow_plugin.serving.environment import Address
from kronos_health.airflow_plugin.serving.rest import Airflow, AirflowAway, Run

RUN = Run("kronos_log_scan", "manual__1", "running")


class Api(ThreadingHTTPServer):
    """Answers with ``statuses`` one after the other, then with 200, and remembers what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: deque[int] = deque()
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(f"{self.command} {self.path}")
        status = self.server.statuses.popleft() if self.server.statuses else 200
        body = json.dumps({"dag_id": RUN.dag_id, "dag_run_id": RUN.run_id, "state": "failed", "dags": []}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PATCH = do_POST = _answer  # noqa: N815

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def airflow(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    monkeypatch.setattr(rest, "_AGAIN_AFTER", (0.0, 0.0, 0.0))
    client = Airflow(Address("127.0.0.1", api.server_address[1]), "password")
    yield client
    client.close()


def it_asks_again_where_the_database_was_busy(api: Api, airflow: Airflow) -> None:
    api.statuses.extend([500, 503])
    airflow.fail(RUN, "left over")
    assert api.asked == ["PATCH /api/v2/dags/kronos_log_scan/dagRuns/manual__1"] * 3


def it_gives_up_after_a_few_tries_and_says_what_it_asked(api: Api, airflow: Airflow) -> None:
    api.statuses.extend([500] * 9)
    with pytest.raises(AirflowAway, match="no good answer to GET /api/v2/dags: Server error '500"):
        airflow.dags()
    assert len(api.asked) == 4


def it_starts_no_run_twice(api: Api, airflow: Airflow) -> None:
    api.statuses.append(500)
    with pytest.raises(AirflowAway):
        airflow.trigger("kronos_log_scan", "note")
    assert len(api.asked) == 1


def it_takes_a_refusal_for_an_answer(api: Api, airflow: Airflow) -> None:
    api.statuses.append(404)
    with pytest.raises(AirflowAway, match="404"):
        airflow.run(RUN.dag_id, RUN.run_id)
    assert len(api.asked) == 1
