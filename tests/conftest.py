"""What every test may ask for: a fixed time, and real migrated databases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Engine, create_engine

from kronos_health.store.database import open_engine
from kronos_health.store.migrations import upgrade
from tests.support.postgres import postgres_server

# For what kills or measures for long, its SQL proven on both databases by others: PostgreSQL is for `make test-slow`.
postgresql_slow = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)

settings.register_profile("repeatable", derandomize=True, deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """The fast run tries the same examples every time, so that it says something of a change; the slow one explores."""
    if "not slow" in config.option.markexpr:
        settings.load_profile("repeatable")


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy: migrating once is enough."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()  # closing the last connection folds the write-ahead log into the file
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A running server's URL with ``{database}`` in it; ``template_kh`` there is migrated and empty."""
    with postgres_server() as url:
        _run(url, "CREATE DATABASE template_kh")
        engine = open_engine(url.format(database="template_kh"))
        upgrade(engine)
        engine.dispose()
        yield url


def _run(url: str, statement: str) -> None:
    engine = create_engine(url.format(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_sqlite: Path) -> str:
    path = tmp_path / "kronos_health.db"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres: str, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"kh_{abs(hash(request.node.nodeid)):x}"
    _run(postgres, f"CREATE DATABASE {name} TEMPLATE template_kh")
    yield postgres.format(database=name)
    _run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, empty database; every test that asks runs on both."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url, busy_timeout_seconds=10)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    engine = open_engine(sqlite_url, busy_timeout_seconds=10)
    yield engine
    engine.dispose()
