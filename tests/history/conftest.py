"""Seven days of history, inserted once per database; every test sees it in a transaction that is rolled back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine

from kronos_health.store.database import open_engine, writing
from kronos_health.store.history import run_query
from tests.support.history import History, seven_days_of_history

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def sqlite_history_url(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> str:
    path = tmp_path_factory.mktemp("history") / "history.db"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgres_history_url(postgres: str) -> str:
    engine = create_engine(postgres.format(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE kh_history TEMPLATE template_kh")
    engine.dispose()
    return postgres.format(database="kh_history")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest) -> Iterator[tuple[Engine, History]]:
    """An engine whose database holds the history, and its ids; written to only inside rolled-back transactions."""
    name = "sqlite_history_url" if request.param == "sqlite" else "postgres_history_url"
    engine = open_engine(request.getfixturevalue(name), busy_timeout_seconds=10)
    with writing(engine) as connection:
        history = seven_days_of_history(connection, NOW)
    yield engine, history
    engine.dispose()


@pytest.fixture
def recorded(filled: tuple[Engine, History]) -> History:
    """Ids of the rows."""
    return filled[1]


@pytest.fixture
def connection(filled: tuple[Engine, History]) -> Iterator[Connection]:
    """A transaction in which a test may change the history; nothing of it stays."""
    with filled[0].connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


@pytest.fixture
def ask(connection: Connection) -> Any:
    """The rows of a named query as dictionaries."""

    def asked(name: str, **params: Any) -> list[dict[str, Any]]:
        return run_query(connection, name, params, now=NOW).dicts()

    return asked
