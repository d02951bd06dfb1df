"""Load the settings: file, environment and overrides, validated as a whole, with the origin of every value.

``load_settings`` judges keys and types and touches nothing but the settings file; ``check_reachable`` looks whether
the paths, interpreters, patterns and time zones named there can be used on this machine.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from kronos_health.settings.errors import Problem, SettingsError
from kronos_health.settings.models import Section, Settings
from kronos_health.settings.reachable import check_reachable
from kronos_health.settings.shape import close_match, leaves
from kronos_health.settings.sources import (
    CONFIG_VARIABLE,
    FILE_NAME,
    PREFIX,
    STATE_DIR_VARIABLE,
    Tree,
    find_file,
    read_environment,
    read_file,
    read_overrides,
)
from kronos_health.settings.wording import explain

__all__ = [
    "CONFIG_VARIABLE",
    "FILE_NAME",
    "PREFIX",
    "STATE_DIR_VARIABLE",
    "LoadedSettings",
    "check_reachable",
    "load_settings",
]

DEFAULT_ORIGIN = "default"
_RELATIVE_SQLITE = re.compile(r"^(sqlite(?:\+\w+)?:///)(?![/:]|file:)([^?]+)(.*)$")
_INTERPRETERS = {"interpreter", "torch_interpreter"}
_PATH_OR_NAME = {"weights", "tokenizer"}


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings in force; ``origins`` says for every dotted key where its value came from."""

    settings: Settings
    origins: Mapping[str, str]
    path: Path | None


def load_settings(
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, tuple[Any, str]] | None = None,
) -> LoadedSettings:
    """The settings in force.

    ``path`` names the file; without it KRONOS_HEALTH_CONFIG or ``./kronos_health.toml`` does, and no file means
    defaults. Precedence: ``overrides`` (dotted key → (value, origin)), then ``KRONOS_HEALTH__SECTION__KEY``, then the
    file, then defaults. Relative paths count from the file's folder, without a file from the current one.
    Raises ``SettingsError`` with every problem found, one line each.
    """
    file = find_file(Path(path) if path else None, environ)
    tree = Tree()
    if file is not None:
        read_file(tree, file)
    read_environment(tree, environ)
    read_overrides(tree, overrides or {})
    settings = _validate(tree)
    base = file.parent if file is not None else Path.cwd()
    settings = _resolve(settings, base, environ.get("PATH"))
    problems = _contradictions(settings, tree)
    if problems:
        raise SettingsError(problems)
    found = {".".join(parts): tree.origins.get(parts, DEFAULT_ORIGIN) for parts, _value in leaves(settings)}
    return LoadedSettings(settings, found, file)


def _validate(tree: Tree) -> Settings:
    try:
        settings = Settings.model_validate(tree.values)
    except ValidationError as error:
        problems = [explain(detail, lambda parts: _origin(tree, parts)) for detail in error.errors(include_url=False)]
        raise SettingsError([*tree.problems, *problems]) from None
    if tree.problems:
        raise SettingsError(tree.problems)
    return settings


def _origin(tree: Tree, parts: tuple[str, ...]) -> str:
    """The origin of the value at ``parts``, or of the table it was written in."""
    for depth in range(len(parts), 0, -1):
        if parts[:depth] in tree.origins:
            return tree.origins[parts[:depth]]
    return DEFAULT_ORIGIN


def _resolve(section: Any, base: Path, search: str | None) -> Any:
    """The same settings with every path absolute."""
    if isinstance(section, Section):
        changed = {
            name: _resolved(name, getattr(section, name), section, base, search) for name in type(section).model_fields
        }
        return section.model_copy(update=changed)
    if isinstance(section, dict):
        return {name: _resolve(value, base, search) for name, value in section.items()}
    return section


def _resolved(name: str, value: Any, section: Section, base: Path, search: str | None) -> Any:
    kind = type(section).__name__
    if name in _INTERPRETERS and isinstance(value, Path) and len(value.parts) == 1 and not value.is_absolute():
        if (base / value).is_file():
            return base / value
        found = shutil.which(str(value), path=search)  # a bare name is looked up as a shell would
        return Path(found) if found else value
    if isinstance(value, Path):
        return absolute(value, base)
    if isinstance(value, tuple) and value and isinstance(value[0], Path):
        return tuple(absolute(path, base) for path in value)
    if kind == "Source" and name == "path":
        if "://" in value:
            return value
        return str(absolute(Path(value), base))
    if kind == "Target" and name in _PATH_OR_NAME:
        return _folder_or_hub(value, base)
    if kind == "Database" and name == "url":
        return SecretStr(_sqlite_url(value.get_secret_value(), base))
    return _resolve(value, base, search)


def absolute(path: Path, base: Path) -> Path:
    """``path`` from ``base``, ``~`` expanded, dots removed; links are kept (an environment's python is one)."""
    return Path(os.path.normpath(base / path.expanduser()))


def _folder_or_hub(value: str, base: Path) -> str:
    """A local folder where one is meant or is there, else the hub id as it stands."""
    looks_local = value.startswith(("/", "./", "../", "~"))
    if value and (looks_local or (base / value).is_dir()):
        return str(absolute(Path(value), base))
    return value


def _sqlite_url(url: str, base: Path) -> str:
    match = _RELATIVE_SQLITE.match(url)
    return f"{match[1]}{absolute(Path(match[2]), base)}{match[3]}" if match else url


def _contradictions(settings: Settings, tree: Tree) -> list[Problem]:
    """What is right by itself and wrong together."""
    problems = []
    for name in settings.probe.targets:
        if name not in settings.targets:
            match = close_match(name, settings.targets)
            fix = (
                f"Did you mean {match}?"
                if match
                else f"Add a [targets.{name}] table, or name: {', '.join(settings.targets)}."
            )
            problems.append(
                Problem("probe.targets", "names no target", fix, repr(name), _origin(tree, ("probe", "targets")))
            )
    if settings.regression.window < settings.regression.minimum_sample:
        window, needed = settings.regression.window, settings.regression.minimum_sample
        message = f"holds fewer probes than regression.minimum_sample = {needed} asks for"
        origin = _origin(tree, ("regression", "window"))
        problems.append(Problem("regression.window", message, f"Write {needed} or more.", str(window), origin))
    for name, (low, high) in settings.bounds.ranges.items():
        if low > high:
            fix = f"Write [{high:g}, {low:g}]."
            origin = _origin(tree, ("bounds", name))
            problems.append(
                Problem(f"bounds.{name}", "the lower bound is above the upper", fix, f"[{low:g}, {high:g}]", origin)
            )
    shape = settings.probe.evaluation
    needed = max(shape.lookback, shape.max_context) + shape.pred_len
    if shape.rows < needed:
        key = "probe.evaluation.rows"
        fix = f"Write {needed} or more, or lower lookback and max_context."
        message = "is less than one window and its forecast"
        problems.append(Problem(key, message, fix, str(shape.rows), _origin(tree, ("probe", "evaluation", "rows"))))
    return problems
