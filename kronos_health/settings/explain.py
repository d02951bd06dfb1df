"""What ``kronos-health config check`` prints: every setting in force, where it came from, and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kronos_health.settings.errors import Problem
from kronos_health.settings.loading import DEFAULT_ORIGIN, LoadedSettings
from kronos_health.settings.shape import field_at, is_secret, leaves
from kronos_health.settings.sources import MASK

# Up to the last @: a password may hold one that somebody forgot to quote, and then too much is hidden, not too little.
_URL_PASSWORD = re.compile(r"(://[^:/@]*:).*(@)", re.DOTALL)
_QUERY_PASSWORD = re.compile(r"(?i)(?<=password=)[^&]+")


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting in force; ``value`` is masked where it is a secret."""

    key: str
    value: str
    origin: str
    description: str


def rows(loaded: LoadedSettings, changed_only: bool = False) -> tuple[SettingRow, ...]:
    """Every setting in the order of the settings file; with ``changed_only`` those that are not defaults."""
    found = []
    for parts, value in leaves(loaded.settings):
        key = ".".join(parts)
        origin = loaded.origins.get(key, DEFAULT_ORIGIN)
        if changed_only and origin == DEFAULT_ORIGIN:
            continue
        field = field_at(parts)
        found.append(SettingRow(key, shown(parts, value), origin, (field.description or "") if field else ""))
    return tuple(found)


def shown(parts: tuple[str, ...], value: Any) -> str:
    """A value as a person may see it: secrets masked, a database address without its password."""
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        if parts == ("database", "url"):
            return mask_url(secret)
        return MASK if secret else ""
    if is_secret(parts) and value:
        return MASK
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ", ".join(str(item) for item in value)
    return "(none)" if value == {} else str(value)


def mask_url(url: str) -> str:
    """An address with every password in it replaced."""
    return _QUERY_PASSWORD.sub(MASK, _URL_PASSWORD.sub(rf"\g<1>{MASK}\g<2>", url))


def render_settings(loaded: LoadedSettings, changed_only: bool = False) -> RenderableType:
    """The settings as a table for a rich console; defaults are dimmed."""
    source = str(loaded.path) if loaded.path else "no settings file: defaults, and the environment"
    table = Table(title=f"Settings in force ({source})", title_justify="left", box=None, pad_edge=False)
    table.add_column("key", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("origin", overflow="fold")
    for row in rows(loaded, changed_only):
        style = "dim" if row.origin == DEFAULT_ORIGIN else ""
        table.add_row(Text(row.key), Text(row.value), Text(row.origin), style=style)
    return table


def render_problems(problems: Iterable[Problem]) -> RenderableType:
    """A line per problem, errors first; one line that says so when there is none."""
    ordered = sorted(problems, key=lambda problem: problem.severity)
    if not ordered:
        return Text("Every path, interpreter, pattern and time zone can be used.", style="green")
    styles = {"error": "bold red", "warning": "yellow"}
    return Group(
        *(Text.assemble((f"{problem.severity}: ", styles[problem.severity]), problem.line) for problem in ordered)
    )
