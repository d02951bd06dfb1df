"""Validation errors in words for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from kronos_health.settings.errors import Problem
from kronos_health.settings.shape import choices, close_match, element_class, field_at, is_list, is_secret, keys_of
from kronos_health.settings.sources import MASK

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
_EXPECTED = {
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "string": "must be text in quotes",
    "path": "must be a path in quotes",
    "tuple": "must be a list in square brackets",
    "list": "must be a list in square brackets",
    "dict": "must be a table",
    "model": "must be a table",
    "is": "must be a table",  # pydantic's is_instance_of
}
_BOUNDS = {
    "greater_than": ("gt", "must be more than {}"),
    "greater_than_equal": ("ge", "must be {} or more"),
    "less_than": ("lt", "must be less than {}"),
    "less_than_equal": ("le", "must be {} or less"),
}


def explain(error: Mapping[str, Any], origin_of: Callable[[tuple[str, ...]], str]) -> Problem:
    """A pydantic error detail as a problem; ``origin_of`` answers where the value at a key path was written."""
    parts = tuple(part if isinstance(part, int) else str(part) for part in error["loc"] if part != "[key]")
    names = tuple(part for part in parts if isinstance(part, str))
    key = ".".join(names) or "settings"
    value = MASK if is_secret(names) else shorten(error.get("input"))
    kind = error["type"]
    if kind == "extra_forbidden":
        return Problem(key, "is no setting", _known(names), value, origin_of(names))
    if kind == "missing" and names[-1:] == parts[-1:]:  # else a value of a list is missing
        return Problem(key, "is missing", f"Add {names[-1]} = … under [{'.'.join(names[:-1])}]{_meaning(names)}.")
    return Problem(key, _message(kind, error, names), _fix(names, error), value, origin_of(names))


def shorten(value: Any, limit: int = 80) -> str:
    """A value as TOML would nearly write it, cut to one line, without the password of an address in it."""
    text = str(value).lower() if isinstance(value, bool) else _CREDENTIALS.sub(f"{MASK}@", repr(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _message(kind: str, error: Mapping[str, Any], names: tuple[str, ...]) -> str:
    if kind in _BOUNDS:
        context, sentence = _BOUNDS[kind]
        return sentence.format(f"{error['ctx'][context]:g}")
    field = field_at(names)
    words = choices(field.annotation) if field else ()
    if kind == "literal_error" and words:
        return f"must be {'one of ' if len(words) > 1 else ''}{', '.join(words)}"
    if kind in {"missing", "too_long", "too_short"}:
        return "has the wrong number of values"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "tuple_type" and field and element_class(field.annotation):
        return f"must be a list of tables, each written as [[{'.'.join(names)}]]"
    return _EXPECTED.get(kind.split("_")[0], str(error["msg"]).replace("Input should", "must"))


def _fix(names: tuple[str, ...], error: Mapping[str, Any]) -> str:
    field = field_at(names)
    if field is None:
        return ""
    words = choices(field.annotation)
    match = close_match(str(error.get("input")), words) if words else None
    if match:
        return f"Did you mean {match!r}?"
    default = field.get_default(call_default_factory=False)
    if default is PydanticUndefined or default is None or is_secret(names):
        return f"Expected{_meaning(names)}." if field.description else ""
    shown = list(default) if is_list(field.annotation) else str(default) if isinstance(default, Path) else default
    plain = isinstance(shown, str | int | float | list)
    return f"The default is {shorten(shown)}{_meaning(names)}." if plain else ""


def _meaning(names: tuple[str, ...]) -> str:
    field = field_at(names)
    return f": {field.description}" if field is not None and field.description else ""


def _known(names: tuple[str, ...]) -> str:
    known = keys_of(names[:-1])
    match = close_match(names[-1], known)
    if match:
        return f"Did you mean {'.'.join((*names[:-1], match))}?"
    return f"Known here: {', '.join(known)}." if known else ""
