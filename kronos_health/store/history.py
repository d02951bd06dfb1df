"""Ask a named query: parameters typed and checked, answers of the same types on both databases."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Connection, Date, Float, Integer, String, bindparam, text
from sqlalchemy.types import TypeEngine

from kronos_health.store.errors import StoreError
from kronos_health.store.sqlfiles import REQUIRED, Parameter, Query, queries
from kronos_health.store.types import UtcDateTime

_SQL_TYPES: dict[str, TypeEngine[Any]] = {
    "text": String(),
    "integer": Integer(),
    "number": Float(),
    "boolean": Boolean(),
    "timestamp": UtcDateTime(),
    "date": Date(),
}
_AGO = re.compile(r"^(\d+(?:\.\d+)?)\s*(s|m|h|d|w)$")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class QueryError(StoreError):
    """There is no such query or parameter, or a value does not fit; the line says which ones there are."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer: column names, and rows of Python values (aware UTC datetimes, floats, None)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def dicts(self) -> list[dict[str, Any]]:
        """Rows as dictionaries by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def list_queries(dialect: str = "sqlite") -> tuple[Query, ...]:
    """Every named query with its title, question, parameters and columns, by name."""
    return tuple(queries(dialect).values())


def run_query(
    connection: Connection, name: str, params: Mapping[str, Any] | None = None, now: datetime | None = None
) -> QueryResult:
    """The answer of the query ``name``.

    Values may be text as typed on a command line: a timestamp is ISO 8601 (UTC when it names no zone) or how long
    before ``now``, such as ``7d`` or ``12h``. Raises ``QueryError`` with one line and a suggestion.
    """
    query = _find(queries(connection.dialect.name), name)
    values = _values(query, dict(params or {}), now or datetime.now(UTC))
    binds = [bindparam(parameter.name, type_=_SQL_TYPES[parameter.type]) for parameter in query.parameters]
    result = connection.execute(text(query.sql).bindparams(*binds), values)
    types = {column.name: column.type for column in query.columns}
    columns = tuple(result.keys())
    kinds = [types.get(column, "text") for column in columns]
    rows = tuple(tuple(_out(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in result)
    return QueryResult(columns, rows)


def _find(known: dict[str, Query], name: str) -> Query:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise QueryError(f"there is no query named {name!r}. {hint}Known: {', '.join(known)}.")


def _values(query: Query, given: dict[str, Any], now: datetime) -> dict[str, Any]:
    names = [parameter.name for parameter in query.parameters]
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            takes = f"It takes: {', '.join(names)}." if names else "It takes no parameters."
            raise QueryError(f"the query {query.name} has no parameter {name!r}. {hint}{takes}")
    return {parameter.name: _value(query, parameter, given, now) for parameter in query.parameters}


def _value(query: Query, parameter: Parameter, given: dict[str, Any], now: datetime) -> Any:
    value = given.get(parameter.name, parameter.default)
    if value is REQUIRED:
        raise QueryError(f"the query {query.name} needs {parameter.name} ({parameter.type}): {parameter.meaning}.")
    if value is None:
        return None
    try:
        return _typed(value, parameter.type, now)
    except (ValueError, KeyError, TypeError, OverflowError):
        expected = {
            "timestamp": "a time such as 2026-11-23T12:00 or how long ago, such as 7d",
            "date": "a date such as 2026-11-23 or how long ago, such as 7d",
            "boolean": "true or false",
            "integer": "a whole number",
            "number": "a number",
        }.get(parameter.type, "text")
        raise QueryError(
            f"{parameter.name} = {value!r} does not fit the query {query.name}: write {expected}."
        ) from None


def _typed(value: Any, kind: str, now: datetime) -> Any:
    if kind == "timestamp":
        return _moment(value, now)
    if kind == "date":
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        return _moment(value, now).date()
    if kind == "boolean":
        return value if isinstance(value, bool) else _WORDS[str(value).lower()]
    if kind == "integer":
        return int(value)
    return float(value) if kind == "number" else str(value)


def _moment(value: Any, now: datetime) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    ago = _AGO.match(str(value).strip())
    if ago:
        return now - timedelta(**{_UNIT[ago[2]]: float(ago[1])})
    return _moment(datetime.fromisoformat(str(value).strip()), now)


def _out(value: Any, kind: str) -> Any:
    """One value as the header declares it: SQLite keeps times as text, PostgreSQL averages integers to Decimal."""
    if value is None:
        return None
    if kind == "timestamp":
        return _moment(value, datetime.min.replace(tzinfo=UTC))
    if kind == "date":
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    if kind == "boolean":
        return bool(value)
    if kind == "integer":
        return int(value)
    return float(value) if kind == "number" else value
