"""Upgrade a database, say which revision it has, and refuse what a newer program made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from kronos_health.store import sqlfiles
from kronos_health.store.database import reading, writing
from kronos_health.store.errors import SchemaOutdated, SchemaTooNew, StoreError

# PostgreSQL: one upgrade at a time; the number only has to be ours.
_ADVISORY_LOCK = 0x6B726F6E
_VIEW_PREFIX = "v_"


@dataclass(frozen=True, slots=True)
class Revisions:
    """The database's revision (``None``: empty) and the newest this program knows."""

    current: str | None
    head: str
    known: bool


def revisions(engine: Engine) -> Revisions:
    """Which schema the database has. Only looking leaves no empty file behind. Raises ``DatabaseUnreachable``."""
    if _is_missing(engine):
        return _revisions_of(None)
    with reading(engine) as connection:
        return _revisions(connection)


def check(engine: Engine) -> None:
    """Return when the schema is exactly the one this program was written for.

    Raises ``SchemaOutdated`` or ``SchemaTooNew`` with the command that helps, or ``DatabaseUnreachable``.
    """
    address = engine.url.render_as_string(hide_password=True)
    if _is_missing(engine):
        raise SchemaOutdated(f"the database {address} does not exist yet. Run: kronos-health db upgrade")
    found = revisions(engine)
    if not found.known:
        raise SchemaTooNew(_too_new(address, found))
    if found.current != found.head:
        state = "is empty" if found.current is None else f"has schema {found.current}, this program needs {found.head}"
        raise SchemaOutdated(f"the database {address} {state}. Run: kronos-health db upgrade")


def upgrade(engine: Engine) -> Revisions:
    """Bring the schema to this program's revision and reinstall the views, in one transaction.

    Running it twice changes nothing. Raises ``SchemaTooNew`` and leaves a newer database as it is.
    """
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        found = _revisions(connection)
        if not found.known:
            raise SchemaTooNew(_too_new(engine.url.render_as_string(hide_password=True), found))
        _drop_views(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        for _name, statement in sqlfiles.views(connection.dialect.name):
            # Without parameters the driver leaves a percent sign alone.
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        return _revisions(connection)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _is_missing(engine: Engine) -> bool:
    database = engine.url.database
    in_file = engine.dialect.name == "sqlite" and database and database != ":memory:"
    return bool(in_file) and not Path(str(database)).exists()


def _revisions(connection: Connection) -> Revisions:
    return _revisions_of(MigrationContext.configure(connection).get_current_revision())


def _revisions_of(current: str | None) -> Revisions:
    script = ScriptDirectory.from_config(_config())
    head = script.get_current_head()
    if head is None:
        raise StoreError("this installation of kronos-health carries no migrations; install it again.")
    known = current is None or current in {revision.revision for revision in script.walk_revisions()}
    return Revisions(current, head, known)


def _drop_views(connection: Connection) -> None:
    """Drop every view of ours, also those an older program had and this one has not; nothing of another's."""
    installed = {name for name in inspect(connection).get_view_names() if name.startswith(_VIEW_PREFIX)}
    current = [name for name, _statement in sqlfiles.views(connection.dialect.name)]
    for name in [*sorted(installed - set(current)), *reversed(current)]:
        cascade = " CASCADE" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}{cascade}")


def _too_new(address: str, found: Revisions) -> str:
    return (
        f"the database {address} has schema {found.current}, made by a newer kronos-health than this one "
        f"(which knows up to {found.head}). Upgrade kronos-health; the data was left alone."
    )
