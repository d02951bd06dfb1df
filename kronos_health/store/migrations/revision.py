"""Say which revision a database has, and refuse what is not this program's.

Every command looks before it does anything, so this knows no Alembic, which takes a fifth of a second to import: the
newest revision is read off the names of the files, which begin with it (``0001_the_house_as_first_built.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from kronos_health.store.database import reading
from kronos_health.store.errors import SchemaOutdated, SchemaTooNew, StoreError

_VERSIONS = Path(__file__).parent / "versions"


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
        return revisions_on(connection)


def revisions_on(connection: Connection) -> Revisions:
    """As :func:`revisions`, within a transaction."""
    if not inspect(connection).has_table("alembic_version"):
        return _revisions_of(None)
    return _revisions_of(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none())


def check(engine: Engine) -> None:
    """Return when the schema is exactly the one this program was written for.

    Raises ``SchemaOutdated`` or ``SchemaTooNew`` with the command that helps, or ``DatabaseUnreachable``.
    """
    address = engine.url.render_as_string(hide_password=True)
    if _is_missing(engine):
        raise SchemaOutdated(f"the database {address} does not exist yet. Run: kronos-health db upgrade")
    found = revisions(engine)
    refuse_newer(address, found)
    if found.current != found.head:
        state = "is empty" if found.current is None else f"has schema {found.current}, this program needs {found.head}"
        raise SchemaOutdated(f"the database {address} {state}. Run: kronos-health db upgrade")


def refuse_newer(address: str, found: Revisions) -> None:
    """Raise ``SchemaTooNew`` for a revision that this program does not know."""
    if not found.known:
        raise SchemaTooNew(
            f"the database {address} has schema {found.current}, made by a newer kronos-health than this one "
            f"(which knows up to {found.head}). Upgrade kronos-health; the data was left alone."
        )


def _is_missing(engine: Engine) -> bool:
    database = engine.url.database
    in_file = engine.dialect.name == "sqlite" and database and database != ":memory:"
    return bool(in_file) and not Path(str(database)).exists()


def _revisions_of(current: str | None) -> Revisions:
    known = {path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py")}
    if not known:
        raise StoreError("this installation of kronos-health carries no migrations; install it again.")
    return Revisions(current, max(known), current is None or current in known)
