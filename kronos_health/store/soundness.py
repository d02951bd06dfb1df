"""Whether the database itself is sound: can it be written, is it whole, what time does it think it is.

Everything here leaves the database as it was. Raises ``DatabaseUnreachable`` where it cannot be asked.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from kronos_health.domain.alerts import DeliveryState
from kronos_health.store.database import reading, writing
from kronos_health.store.errors import StoreError
from kronos_health.store.tables.alerts import heartbeat, outbox
from kronos_health.store.types import METADATA, new_id

_STEPS = 10_000  # of SQLite's virtual machine between two looks at the time


class _Undone(Exception):
    """Thrown to leave nothing behind."""


def why_not_writable(engine: Engine) -> str | None:
    """Write a row and take it back; ``None`` when that works, else the database's own words."""
    try:
        with writing(engine) as connection:
            connection.execute(insert(heartbeat).values(id=new_id(), check="doctor", started_at=datetime.now(UTC)))
            raise _Undone
    except _Undone:
        return None
    except (StoreError, DBAPIError) as error:  # a read-only standby answers with an error of its own kind
        return " ".join(str(getattr(error, "orig", None) or error).split())


def damage(engine: Engine, seconds: float) -> str | None:
    """What a quick look at the integrity found, empty when nothing; ``None`` when it took longer than ``seconds``.

    SQLite: ``PRAGMA quick_check``. PostgreSQL keeps its own pages whole; there, every table is read from and indexes
    that it marked invalid are named.
    """
    with reading(engine) as connection:
        if connection.dialect.name == "sqlite":
            return _sqlite_damage(connection, seconds)
        connection.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
        return _postgresql_damage(connection)


def _sqlite_damage(connection: Connection, seconds: float) -> str | None:
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - for the type checker: the connection is open
    until = time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(3)")]
    except DBAPIError as error:
        if "interrupted" in str(error.orig):
            return None
        return " ".join(str(error.orig).split())
    finally:
        driver.set_progress_handler(None, 0)
    return "" if found == ["ok"] else "; ".join(" ".join(line.split()) for line in found)


def _postgresql_damage(connection: Connection) -> str | None:
    try:
        for table in METADATA.sorted_tables:
            connection.execute(select(table).limit(1)).first()
        invalid = connection.execute(
            text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1")
        ).scalars()
        return ", ".join(f"the index {name} is invalid" for name in invalid)
    except DBAPIError as error:
        words = " ".join(str(error.orig).split())
        return None if "statement timeout" in words else words


def clock(connection: Connection) -> datetime:
    """The time as the database's machine has it, aware UTC."""
    if connection.dialect.name == "sqlite":
        told = connection.exec_driver_sql("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')").scalar_one()
        return datetime.fromisoformat(str(told)).replace(tzinfo=UTC)
    told_at: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return told_at.astimezone(UTC)


def newest_run(connection: Connection) -> datetime | None:
    """When the newest recorded run of any check began; in the future where a clock was set back since."""
    found: datetime | None = connection.execute(select(func.max(heartbeat.c.started_at))).scalar_one()
    return found


def given_up(connection: Connection, since: datetime) -> dict[str, int]:
    """How many messages of each channel were given up, of those queued since then."""
    rows = connection.execute(
        select(outbox.c.channel, func.count().label("messages"))
        .where(outbox.c.state == DeliveryState.DEAD.value, outbox.c.created_at >= since)
        .group_by(outbox.c.channel)
    )
    return {row.channel: row.messages for row in rows}
