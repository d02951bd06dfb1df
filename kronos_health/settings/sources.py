"""The places settings come from, merged into one tree that remembers the origin of every value.

Lowest to highest: the settings file, the environment, overrides handed in by a face (an Airflow connection or secret).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kronos_health.settings.errors import Problem, SettingsError
from kronos_health.settings.models import Section, Settings
from kronos_health.settings.shape import (
    Parts,
    close_match,
    field_at,
    is_list,
    is_secret,
    is_text,
    section_class,
    table_value,
)

PREFIX = "KRONOS_HEALTH__"
CONFIG_VARIABLE = "KRONOS_HEALTH_CONFIG"
STATE_DIR_VARIABLE = "KRONOS_HEALTH_STATE_DIR"
FILE_NAME = "kronos_health.toml"
MASK = "********"


@dataclass
class Tree:
    """Raw values by section, the origin of each, and what was wrong already while reading them."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Parts, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def put(self, parts: Parts, value: Any, origin: str) -> None:
        """Set one value, or every value of a table, replacing what a lower source said."""
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                self.put((*parts, str(name)), inner, origin)
            return
        node = self._open(parts[:-1])
        if node is not None:
            node[parts[-1]] = value
            self.origins[parts] = origin

    def _open(self, parts: Parts) -> dict[str, Any] | None:
        """The table at ``parts``; ``None`` where a lower source put something else there, which validation reports."""
        node = self.values
        for depth, part in enumerate(parts, start=1):
            inner = node.setdefault(part, {})
            if not isinstance(inner, dict):
                return None
            self.origins.pop(parts[:depth], None)
            node = inner
        return node

    def seed(self, parts: Parts) -> None:
        """Write a table of free names out in full, so that adding to its default does not replace it."""
        for depth in range(1, len(parts)):
            above = parts[:depth]
            declared = field_at(above)
            named_within = declared is field_at(above[:-1])  # a name in the table, not the table itself
            if declared is None or named_within or table_value(declared.annotation) is None or self._has(above):
                continue
            default = declared.get_default(call_default_factory=True)
            for name, value in default.items():
                node = self._open(above)
                if node is not None:
                    node[name] = value.model_dump(exclude_unset=True) if isinstance(value, Section) else value

    def _has(self, parts: Parts) -> bool:
        node: Any = self.values
        for part in parts:
            if not isinstance(node, dict) or part not in node:
                return False
            node = node[part]
        return True


def find_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The settings file: the one asked for, the one the environment names, or the one in the current folder.

    Raises ``SettingsError`` when a file was named and is not there; none at all is fine, defaults apply.
    """
    named, origin = (path, "asked for on the command line") if path else (None, "")
    if named is None and environ.get(CONFIG_VARIABLE):
        named, origin = Path(environ[CONFIG_VARIABLE]), f"environment variable {CONFIG_VARIABLE}"
    if named is None:
        beside = Path.cwd() / FILE_NAME
        return beside if beside.is_file() else None
    absolute = Path.cwd() / named.expanduser()
    if absolute.is_dir() and (absolute / FILE_NAME).is_file():
        return absolute / FILE_NAME
    if not absolute.is_file():
        what = "is a folder without " + FILE_NAME if absolute.is_dir() else "does not exist"
        raise SettingsError(
            [
                Problem(
                    str(named),
                    f"the settings file {what}",
                    "Name an existing file, or none for defaults.",
                    None,
                    origin,
                )
            ]
        )
    return absolute


def read_file(tree: Tree, path: Path) -> None:
    """Read the TOML file into ``tree``. Raises ``SettingsError`` naming file, line and column when it is not TOML."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            [Problem(str(path), f"cannot be read ({error.strerror})", "Check its permissions.")]
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            [
                Problem(
                    str(path), f"is not UTF-8 text (byte {error.start})", "Save it as UTF-8; TOML allows nothing else."
                )
            ]
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            [Problem(str(path), f"is not valid TOML: {error}", "Strings need quotes, tables look like [probe].")]
        ) from error
    for name, value in content.items():
        tree.put((name,), value, path.name)


def read_environment(tree: Tree, environ: Mapping[str, str]) -> None:
    """Read every ``KRONOS_HEALTH__SECTION__KEY`` into ``tree``; what cannot be understood becomes a problem."""
    if environ.get(STATE_DIR_VARIABLE):
        tree.put(("state_dir",), environ[STATE_DIR_VARIABLE], f"environment variable {STATE_DIR_VARIABLE}")
    for name in sorted(environ):
        if name.startswith(PREFIX):
            _read_variable(tree, name, environ[name])
        elif name.startswith("KRONOS_HEALTH_") and "__" in name:
            meant = name.replace("KRONOS_HEALTH_", PREFIX, 1)
            tree.problems.append(
                Problem(name, "is not read", f"Two underscores follow KRONOS_HEALTH: {meant}.", None, "environment")
            )


def read_overrides(tree: Tree, overrides: Mapping[str, tuple[Any, str]]) -> None:
    """Read dotted keys with their value and origin into ``tree``."""
    for key, (value, origin) in overrides.items():
        parts = tuple(key.split("."))
        tree.seed(parts)
        tree.put(parts, value, origin)


def _read_variable(tree: Tree, name: str, raw: str) -> None:
    origin = f"environment variable {name}"
    parts, annotation, wrong = _key_path(tree, name.removeprefix(PREFIX).split("__"))
    if wrong is not None:
        tree.problems.append(Problem(name, wrong[0], wrong[1], None, "environment"))
        return
    if raw == "" and not is_text(annotation):
        return  # compose files pass empty variables for "not set"
    try:
        value = _decode(raw, annotation)
    except ValueError as error:
        shown = MASK if is_secret(parts) else repr(raw)
        tree.problems.append(Problem(".".join(parts), str(error), "Write JSON.", shown, origin))
        return
    tree.seed(parts)
    tree.put(parts, value, origin)


def _key_path(tree: Tree, words: list[str]) -> tuple[Parts, Any, tuple[str, str] | None]:
    """The key path that upper-case words stand for, its type, and (what is wrong, the fix) if nothing fits."""
    parts: Parts = ()
    annotation: Any = Settings
    for word in words:
        section = section_class(annotation)
        if section is not None:
            known = section.model_fields
            if word.lower() not in known:
                return parts, None, ("is no setting", _suggest(parts, word, tuple(known)))
            parts, annotation = (*parts, word.lower()), known[word.lower()].annotation
            continue
        annotation = table_value(annotation)
        if annotation is None:
            return parts, None, ("is no setting", f"{'.'.join(parts)} is a single value; nothing comes after it.")
        parts = (*parts, _free_name(tree, parts, word, annotation))
    return parts, annotation, None


def _free_name(tree: Tree, parts: Parts, word: str, annotation: Any) -> str:
    """A name a person chose: as it is already written somewhere, else lower case for tables, else as given."""
    node: Any = tree.values
    for part in parts:
        node = node.get(part, {}) if isinstance(node, dict) else {}
    declared = field_at(parts)
    defaults = declared.get_default(call_default_factory=True) if declared else {}
    for name in [*(node if isinstance(node, dict) else ()), *defaults]:
        if name.lower() == word.lower():
            return str(name)
    return word.lower() if section_class(annotation) and word.isupper() else word


def _suggest(parts: Parts, word: str, known: tuple[str, ...]) -> str:
    match = close_match(word, known)
    if match:
        return f"Did you mean {PREFIX}{'__'.join((*parts, match)).upper()}?"
    return f"Known here: {', '.join(known)}."


def _decode(raw: str, annotation: Any) -> Any:
    """The value of a variable's text. Raises ``ValueError`` saying what was expected."""
    if section_class(annotation) or table_value(annotation) is not None:
        return _json(raw, dict, "must be a JSON object")
    if is_list(annotation):
        if raw.lstrip().startswith("["):
            return _json(raw, list, "must be a JSON list")
        return [word.strip() for word in raw.split(",") if word.strip()]
    return raw


def _json(raw: str, kind: type, message: str) -> Any:
    try:
        value = json.loads(raw)
    except json.JSONDecodeError as error:
        raise ValueError(f"{message} ({error.msg} at character {error.pos})") from error
    if not isinstance(value, kind):
        raise ValueError(message)
    return value
