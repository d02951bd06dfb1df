"""Images that go with messages: all their SQL, inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from kronos_health.store.alerts import insert_if_absent
from kronos_health.store.tables.alerts import picture


def keep(connection: Connection, picture_id: str, png: bytes, now: datetime) -> bool:
    """Store an image under its id unless there is one; whether it was new."""
    return insert_if_absent(connection, picture, id=picture_id, made_at=now, png=png)


def png_of(connection: Connection, picture_id: str) -> bytes | None:
    """The image, or ``None`` once it is past its retention."""
    return connection.execute(select(picture.c.png).where(picture.c.id == picture_id)).scalar()


def forget(connection: Connection, before: datetime) -> int:
    """Delete images made before ``before``."""
    return connection.execute(delete(picture).where(picture.c.made_at < before)).rowcount
