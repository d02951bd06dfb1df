"""Proposals of the switch and their answers.

Functions take a connection inside :func:`kronos_health.store.database.writing` and never begin or commit.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kronos_health.domain.revisit import Confidence
from kronos_health.domain.switch import Switch, SwitchState, Values
from kronos_health.store.errors import SwitchMoved
from kronos_health.store.tables.switch import switch as table
from kronos_health.store.types import new_id

_OPEN = "open"


def all_switches(connection: Connection) -> tuple[Switch, ...]:
    """Every proposal, oldest first."""
    rows = connection.execute(select(table).order_by(table.c.proposed_at, table.c.id)).mappings()
    return tuple(_switch(row) for row in rows)


def open_one(connection: Connection, proposal: Switch) -> Switch | None:
    """Store a new proposal under an id of its own; ``None`` where another is open: only one is at a time."""
    stored = replace(proposal, switch_id=new_id(), version=0)
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(id=stored.switch_id, **_values(stored))
    statement = statement.on_conflict_do_nothing(index_elements=["slot"])
    return stored if connection.execute(statement.returning(table.c.id)).first() else None


def save(connection: Connection, changed: Switch) -> Switch:
    """Store ``changed`` over the version it was read as. Raises ``SwitchMoved`` where somebody else was first."""
    stored = replace(changed, version=changed.version + 1)
    done = connection.execute(
        update(table)
        .where(table.c.id == changed.switch_id, table.c.version == changed.version)
        .values(**_values(stored))
    )
    if done.rowcount != 1:
        raise SwitchMoved(
            "the proposal was answered or changed by somebody else just now: kronos-health switch shows it"
        )
    return stored


def _values(one: Switch) -> dict[str, Any]:
    values = {field.name: getattr(one, field.name) for field in fields(one) if field.name != "switch_id"}
    return values | {
        "state": one.state.value,
        "confidence": one.confidence.value,
        "slot": _OPEN if one.state.is_open else None,
        "changes": json.dumps(one.changes),
        "former": json.dumps(one.former),
    }


def _switch(row: RowMapping) -> Switch:
    values = {name: value for name, value in row.items() if name not in ("id", "slot")}
    return Switch(
        **values
        | {
            "switch_id": row["id"],
            "state": SwitchState(row["state"]),
            "confidence": Confidence(row["confidence"]),
            "changes": _pairs(row["changes"]),
            "former": _pairs(row["former"]),
        }
    )


def _pairs(text: str) -> Values:
    return tuple((name, value) for name, value in json.loads(text))
