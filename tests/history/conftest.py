"""Seven days of history, inserted once per database; every test sees it in a transaction that is rolled back."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine

from kronos_health.store.database import open_engine, writing
from kronos_health.store.history import run_query
from tests.support.history import History, seven_days_of_history

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Engine, History]]:
    """An engine whose database holds the history, and its ids; written to only inside rolled-back transactions.

    Made anew whenever pytest comes back to the same database after the other one: so each time in a place of its own.
    """
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("history") / "history.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        url = f"sqlite:///{path}"
    else:
        url = _new_database(request.getfixturevalue("postgres"))
    engine = open_engine(url, busy_timeout_seconds=10)
    with writing(engine) as connection:
        history = seven_days_of_history(connection, NOW)
    yield engine, history
    engine.dispose()


def _new_database(server: str) -> str:
    name = f"kh_history_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server.format(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template_kh")
    engine.dispose()
    return server.format(database=name)


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
