"""Airflow connections over the settings file, looked up by Airflow itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from tests.airflow.conftest import make_home, run_program

pytestmark = pytest.mark.airflow


DATABASE, SLACK = "AIRFLOW_CONN_KRONOS_HEALTH_DB", "AIRFLOW_CONN_KRONOS_HEALTH_SLACK"
APPRISE = "AIRFLOW_CONN_KRONOS_HEALTH_APPRISE"
MAIL = "mailto://u:p@mail.example/ops@example.org"
POSTGRES = {
    "conn_type": "postgres",
    "host": "db.example",
    "login": "kronos@office",
    "password": "p/w:@ #%",
    "port": 5433,
    "schema": "health",
    "extra": {"sslmode": "require", "cursor": "dictcursor", "sqlalchemy_query": {"application_name": "kronos"}},
}
BOT = {
    "conn_type": "slack",
    "password": "xoxb-1",
    "extra": {"base_url": "http://127.0.0.1:9/api/", "channel": "#kronos", "app_token": "xapp-1"},
}
HOOK = "https://hooks.slack.com/services/T0/B0/secret"
CASES = {
    "none": {},
    "postgres": {DATABASE: json.dumps(POSTGRES)},
    "uri": {DATABASE: "postgresql://u:p@db.example/health"},
    "sqlite": {DATABASE: json.dumps({"conn_type": "sqlite", "host": "/srv/history.db"})},
    "mysql": {DATABASE: json.dumps({"conn_type": "mysql", "host": "db.example"})},
    "bot": {SLACK: json.dumps(BOT)},
    "webhook": {SLACK: json.dumps({"conn_type": "slackwebhook", "password": "T0/B0/secret"})},
    "apprise": {APPRISE: json.dumps({"conn_type": "generic", "extra": {"ops": MAIL}})},
    "whole webhook": {SLACK: json.dumps({"conn_type": "slackwebhook", "password": HOOK})},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("connections")


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, Any]:
    return dict(run_program("tests.airflow.show_settings", make_home(folder), json.dumps(CASES)))


def it_uses_the_file_where_there_is_no_connection(seen: dict[str, Any], folder: Path) -> None:
    found = seen["none"]
    assert found["database"] == f"sqlite:///{folder}/var/kronos_health.db"
    assert (found["database_origin"], found["token"]) == ("default", "")


def it_reaches_the_history_through_a_postgres_connection_with_every_part_quoted(seen: dict[str, Any]) -> None:
    url = make_url(seen["postgres"]["database"])
    assert (url.drivername, url.host, url.port, url.database) == ("postgresql+psycopg", "db.example", 5433, "health")
    assert (url.username, url.password) == ("kronos@office", "p/w:@ #%")
    assert dict(url.query) == {"sslmode": "require", "application_name": "kronos"}
    assert seen["postgres"]["database_origin"] == "Airflow connection kronos_health_db"


def it_takes_a_file_from_a_sqlite_connection(seen: dict[str, Any]) -> None:
    assert seen["sqlite"]["database"] == "sqlite:////srv/history.db"


def it_never_asks_for_a_connection_while_a_dag_file_is_parsed(seen: dict[str, Any]) -> None:
    assert seen["uri"]["database"] == "postgresql+psycopg://u:p@db.example/health"
    assert seen["uri"]["while_parsing"] == seen["none"]["database"]


def it_takes_token_address_and_channel_from_a_slack_connection(seen: dict[str, Any]) -> None:
    found = seen["bot"]
    assert (found["token"], found["base_url"], found["channel"]) == ("xoxb-1", "http://127.0.0.1:9/api/", "#kronos")
    assert found["app_token"] == "xapp-1"
    assert found["channel_origin"] == "Airflow connection kronos_health_slack"


@pytest.mark.parametrize("case", ["webhook", "whole webhook"])
def it_takes_an_incoming_webhook_from_a_slackwebhook_connection(seen: dict[str, Any], case: str) -> None:
    assert (seen[case]["webhook"], seen[case]["token"]) == (HOOK, "")


def it_takes_the_addresses_of_other_services_from_the_extra_of_a_connection(seen: dict[str, Any]) -> None:
    assert seen["apprise"]["apprise"] == {"ops": MAIL}
    assert seen["none"]["apprise"] == {}


def it_says_which_connection_cannot_be_used(seen: dict[str, Any]) -> None:
    error = seen["mysql"]["error"]
    assert error.startswith("database.airflow_connection: the Airflow connection kronos_health_db is of type mysql")
