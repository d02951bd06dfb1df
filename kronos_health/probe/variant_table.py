"""A variant, and how it is read from a table: of the built-in file, or of a user's entry point."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OWN_RECIPE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,127}")  # 128 characters is what its column holds
_KEYS = (
    *("name", "summary", "production_change", "settings_suffice", "recipe", "compiled", "claims_graphs", "options"),
)


@dataclass(frozen=True, slots=True)
class Variant:
    """A named way to run a target.

    ``compiled`` says that it must run compiled to pass, ``claims_graphs`` that on CUDA it must replay CUDA graphs,
    ``settings_suffice`` that production's code can run it as it is, once its settings say so.
    """

    name: str
    summary: str  # one line: what it is
    production_change: str  # one line: what production would have to change to run so
    recipe: str  # of the worker, or the user's own module:function
    compiled: bool
    claims_graphs: bool
    settings_suffice: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # fields of the worker's recipe to replace, or keywords


class VariantProblem(ValueError):
    """A table that describes no variant; one line names the key and what it must be."""


def variant_of(table: Mapping[str, Any], name: str) -> Variant:
    """The variant that ``table`` describes; it is called ``name`` unless the table says otherwise.

    Raises :class:`VariantProblem`.
    """
    unknown = sorted(set(map(str, table)) - set(_KEYS))
    if unknown:
        raise VariantProblem(f"{name}: {', '.join(unknown)} is not known. There are: {', '.join(_KEYS)}.")
    name = _line(table, "name", name, name)
    if not _NAME.fullmatch(name):
        raise VariantProblem(f"{name}: a name has at most 128 small letters, digits and underscores.")
    options = table.get("options", {})
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise VariantProblem(f"{name}: options must be a table of keywords.")
    return Variant(
        name=name,
        summary=_line(table, "summary", name),
        production_change=_line(table, "production_change", name),
        recipe=_line(table, "recipe", name, name),
        compiled=_flag(table, "compiled", name),
        claims_graphs=_flag(table, "claims_graphs", name),
        settings_suffice=_flag(table, "settings_suffice", name, default=False),
        options=dict(options),
    )


def _line(table: Mapping[str, Any], key: str, name: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or not value.strip() or len(value.splitlines()) != 1:
        raise VariantProblem(f"{name}: {key} must be one line of text.")
    return value


def _flag(table: Mapping[str, Any], key: str, name: str, default: bool = True) -> bool:
    value = table.get(key, default)
    if not isinstance(value, bool):
        raise VariantProblem(f"{name}: {key} must be true or false.")
    return value
