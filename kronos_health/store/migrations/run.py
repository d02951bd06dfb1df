"""Upgrade a database; one that a newer program made is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from kronos_health.store import sqlfiles
from kronos_health.store.database import writing
from kronos_health.store.migrations.revision import Revisions, refuse_newer, revisions_on

if TYPE_CHECKING:
    from alembic.config import Config

# PostgreSQL: one upgrade at a time; the number only has to be ours.
_ADVISORY_LOCK = 0x6B726F6E
_VIEW_PREFIX = "v_"


def upgrade(engine: Engine) -> Revisions:
    """Bring the schema to this program's revision and reinstall the views, in one transaction.

    Running it twice changes nothing. Raises ``SchemaTooNew`` and leaves a newer database as it is.
    """
    from alembic import command

    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        refuse_newer(engine.url.render_as_string(hide_password=True), revisions_on(connection))
        _drop_views(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        for _name, statement in sqlfiles.views(connection.dialect.name):
            # Without parameters the driver leaves a percent sign alone.
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        return revisions_on(connection)


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _drop_views(connection: Connection) -> None:
    """Drop every view of ours, also those an older program had and this one has not; nothing of another's."""
    installed = {name for name in inspect(connection).get_view_names() if name.startswith(_VIEW_PREFIX)}
    current = [name for name, _statement in sqlfiles.views(connection.dialect.name)]
    for name in [*sorted(installed - set(current)), *reversed(current)]:
        cascade = " CASCADE" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}{cascade}")
