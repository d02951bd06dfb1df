"""Engines and transactions, the same on SQLite (WAL) and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, NoSuchModuleError, OperationalError

from kronos_health.store.errors import DatabaseUnreachable, StoreError


def open_engine(url: str, busy_timeout_seconds: float = 30.0) -> Engine:
    """An engine for ``url``; SQLite gets WAL, foreign keys and a busy timeout, and its folder is made.

    Raises ``StoreError`` with the masked address for a URL that cannot be used. Nothing is connected yet.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername in {"postgres", "postgresql"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(parsed.render_as_string(hide_password=False), parsed.database, busy_timeout_seconds)
        return create_engine(
            parsed, pool_pre_ping=True, connect_args={"connect_timeout": int(max(busy_timeout_seconds, 2))}
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(
            f"database.url cannot be used ({error}). Write sqlite:///path/to/file.db or postgresql://user:password@host/name."
        ) from error


def _sqlite_engine(url: str, database: str | None, busy_timeout_seconds: float) -> Engine:
    if database and database != ":memory:":
        try:
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnreachable(f"the folder of the database {database} cannot be made: {error}.") from error
    engine = create_engine(url, connect_args={"timeout": busy_timeout_seconds})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # SQLAlchemy, not the driver, begins transactions: a write transaction must hold the lock from its first
        # read on, or two writers that read first would fail each other without waiting.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("kronos_writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that commits as a whole or not at all.

    Raises ``DatabaseUnreachable`` when the database is locked beyond the timeout, gone, or not to be reached.
    """
    with _translated(engine), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A consistent read that takes no write lock."""
    with _translated(engine), engine.connect().execution_options(kronos_writes=False) as connection:
        yield connection


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnreachable(_explain(engine, error)) from error
    except DBAPIError as error:
        # "file is not a database" is a plain DatabaseError; constraint violations are not ours to translate.
        if error.connection_invalidated or type(error) is DatabaseError:
            raise DatabaseUnreachable(_explain(engine, error)) from error
        raise


def _explain(engine: Engine, error: DBAPIError) -> str:
    address = engine.url.render_as_string(hide_password=True)
    cause = " ".join(str(error.orig).split())
    if "locked" in cause:
        return f"the database {address} is locked by another process ({cause}). Nothing was stored; try again later."
    if "no such table" in cause:
        return f"the database {address} has no tables yet ({cause}). Run: kronos-health db upgrade"
    return f"the database {address} cannot be used: {cause}. Check that it runs and that database.url is right."
