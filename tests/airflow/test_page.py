"""The health page, mounted as the api-server mounts it."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

import pytest

from tests.airflow.conftest import Home, run_program

pytestmark = pytest.mark.airflow

HOSTILE = "<script>alert('from a log')</script>"


@pytest.fixture(scope="module")
def walk(migrated_home: Home) -> dict[str, Any]:
    with sqlite3.connect(migrated_home.history) as history:
        history.execute(
            "insert into log_source (id, name, path, host, timezone) values ('1', 'trading', ?, 'h', 'UTC')", [HOSTILE]
        )
    found = dict(run_program("tests.airflow.walk_page", migrated_home))
    with sqlite3.connect(migrated_home.history) as history:
        history.execute("delete from log_source")
    return found


@pytest.fixture(scope="module")
def answers(walk: dict[str, Any]) -> dict[str, Any]:
    return dict(walk["answers"])


def it_has_no_route_that_answers_without_a_login(walk: dict[str, Any]) -> None:
    assert len(walk["walked"]) >= 5
    for address in walk["walked"]:
        assert walk["answers"][address]["without"] == 401, address


def it_refuses_a_forged_token(walk: dict[str, Any]) -> None:
    assert {walk["answers"][address]["forged"] for address in walk["walked"]} <= {401, 403}


def it_answers_whoever_is_logged_in(walk: dict[str, Any]) -> None:
    for address in walk["walked"]:
        assert walk["answers"][address]["status"] == 200, (address, walk["answers"][address]["body"])


def it_has_no_documentation_routes_and_takes_nothing_but_questions(answers: dict[str, Any]) -> None:
    assert answers["GET /kronos-health/docs"]["status"] == 404
    assert answers["GET /kronos-health/openapi.json"]["status"] == 404
    assert answers["POST /kronos-health/queries/latest_probes"]["status"] == 405


def it_tells_the_browser_to_load_and_run_nothing(answers: dict[str, Any]) -> None:
    for address, answer in answers.items():
        policy = answer["headers"]["content-security-policy"]
        assert "default-src 'none'" in policy, address
        assert "script-src" not in policy
        assert "frame-ancestors 'self'" in policy
        assert answer["headers"]["cache-control"] == "no-store"


def it_shows_the_health_page_without_script(answers: dict[str, Any]) -> None:
    body = answers["GET /kronos-health/"]["body"]
    assert "<h1" in body
    assert not re.search(r"<script|\son\w+\s*=|javascript:", body, re.IGNORECASE)


def it_gives_the_status_as_json(answers: dict[str, Any]) -> None:
    status = json.loads(answers["GET /kronos-health/api/status"]["body"])
    assert "kronos" in [target["name"] for target in status["targets"]]
    assert {"sources", "alerts", "channels", "drift", "pulse"} <= set(status)


def it_answers_named_queries_as_tables_with_a_form(answers: dict[str, Any]) -> None:
    body = answers["GET /kronos-health/queries/latest_probes"]["body"]
    assert "kronos-health query latest_probes" in body


def it_shows_what_stands_in_a_row_as_text(answers: dict[str, Any]) -> None:
    body = answers["GET /kronos-health/queries/log_sources"]["body"]
    assert "&lt;script&gt;alert" in body
    assert "<script" not in body


def it_explains_a_wrong_question(answers: dict[str, Any]) -> None:
    unknown = answers["GET /kronos-health/queries/no_such_query"]
    assert (unknown["status"], "no query named" in unknown["body"]) == (400, True)
    wrong = answers["GET /kronos-health/queries/latest_probes?nonsense=1"]
    assert (wrong["status"], "no parameter" in wrong["body"]) == (400, True)
