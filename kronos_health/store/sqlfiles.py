"""The SQL that travels with the project: views and named queries, read from ``sql/`` and never assembled in Python.

``sql/views/NNN_v_name.sql`` holds one ``CREATE VIEW``; the number orders them, since views build on each other.
``sql/queries/name.sql`` holds one SELECT under a header of comment lines::

    -- title: Probe history
    -- question: What did every probe of a target find, newest first?
    -- param: target text = kronos | the model under watch
    -- param: since timestamp = 30d | from when; a time, or how long ago
    -- column: started_at timestamp | when the probe began, UTC

``param`` is ``name type [= default] | meaning``; without a default the parameter must be given, ``= null`` means "all".
Types: text, integer, number, boolean, timestamp, date. Where the dialects differ, ``name.postgresql.sql`` beside
``name.sql`` is the same for PostgreSQL; its header, if it has none of its own, is that of ``name.sql``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from kronos_health.store.errors import StoreError

TYPES: Final = ("text", "integer", "number", "boolean", "timestamp", "date")
REQUIRED: Final = object()

_HEADER = re.compile(r"^--\s*(title|question|param|column):\s*(.+?)\s*$")
_PARAM = re.compile(r"^(\w+)\s+(\w+)(?:\s*=\s*(.*?))?\s*\|\s*(.+)$")
_COLUMN = re.compile(r"^(\w+)\s+(\w+)\s*\|\s*(.+)$")
_VIEW = re.compile(r"^\d+_(v_\w+)$")
_POSTGRESQL = ".postgresql.sql"


class SqlFileError(StoreError):
    """A file under ``sql/`` is missing or its header cannot be read: the installation or the file is broken."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One named parameter; ``default`` is text as written, ``None`` for null, ``REQUIRED`` where it must be given."""

    name: str
    type: str
    default: object
    meaning: str


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of the answer."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Query:
    """A named, documented, parameterised question."""

    name: str
    title: str
    question: str
    parameters: tuple[Parameter, ...]
    columns: tuple[OutputColumn, ...]
    sql: str


def folder() -> Path:
    """``sql/`` inside the installed package, or of the checkout this package is run from."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "sql", package.parent / "sql"):
        if (candidate / "views").is_dir():
            return candidate
    raise SqlFileError(f"the SQL files of kronos-health are missing beside {package}; install it again.")


def views(dialect: str) -> list[tuple[str, str]]:
    """The views as (name, CREATE VIEW statement) for ``dialect``, in the order in which they can be created."""
    found = []
    for stem, path in _files(folder() / "views", dialect).items():
        match = _VIEW.match(stem)
        if match is None:
            raise SqlFileError(f"{path.name} must be called NNN_v_name.sql")
        found.append((match[1], path.read_text(encoding="utf-8").strip().rstrip(";")))
    return found


@cache
def queries(dialect: str) -> dict[str, Query]:
    """Every named query by name for ``dialect`` (``sqlite`` or ``postgresql``)."""
    return {name: _query(name, path) for name, path in _files(folder() / "queries", dialect).items()}


def _files(where: Path, dialect: str) -> dict[str, Path]:
    """Stem → file, in order, the dialect's own file where there is one."""
    chosen = {path.name.removesuffix(".sql"): path for path in where.glob("*.sql") if _POSTGRESQL not in path.name}
    if dialect == "postgresql":
        chosen |= {path.name.removesuffix(_POSTGRESQL): path for path in where.glob(f"*{_POSTGRESQL}")}
    return dict(sorted(chosen.items()))


def _query(name: str, path: Path) -> Query:
    text = path.read_text(encoding="utf-8")
    lines = _header(text) or _header(path.with_name(f"{name}.sql").read_text(encoding="utf-8"))
    single = dict(line for line in lines if line[0] in {"title", "question"})
    if set(single) != {"title", "question"}:
        raise SqlFileError(f"{path.name} needs a '-- title:' and a '-- question:' line at its top")
    return Query(
        name=name,
        title=single["title"],
        question=single["question"],
        parameters=tuple(_parameter(path, rest) for word, rest in lines if word == "param"),
        columns=tuple(_column(path, rest) for word, rest in lines if word == "column"),
        sql=text.strip().rstrip(";"),
    )


def _header(text: str) -> list[tuple[str, str]]:
    found = []
    for line in text.splitlines():
        match = _HEADER.match(line)
        if match is None and not line.startswith("--"):
            break
        if match is not None:
            found.append((match[1], match[2]))
    return found


def _parameter(path: Path, text: str) -> Parameter:
    match = _PARAM.match(text)
    if match is None or match[2] not in TYPES:
        raise SqlFileError(
            f"{path.name}: '-- param: {text}' is not 'name type [= default] | meaning' ({', '.join(TYPES)})"
        )
    default: object = REQUIRED if match[3] is None else None if match[3] == "null" else match[3]
    return Parameter(match[1], match[2], default, match[4])


def _column(path: Path, text: str) -> OutputColumn:
    match = _COLUMN.match(text)
    if match is None or match[2] not in TYPES:
        raise SqlFileError(f"{path.name}: '-- column: {text}' is not 'name type | meaning' ({', '.join(TYPES)})")
    return OutputColumn(match[1], match[2], match[3])
