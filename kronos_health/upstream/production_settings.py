"""Whether production's settings follow the decision: its ``.env.compile``, and the environment of what runs now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kronos_health.domain.upstream import Drift, DriftKind, Unknown
from kronos_health.upstream.processes import ProcessLook
from kronos_health.upstream.shell_settings import Variable, parse_shell_settings
from kronos_health.upstream.shell_words import Unclosed

_LARGEST_FILE = 1024**2  # bytes; a settings file is a screenful
_TRUE = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True)
class SettingsLook:
    """Drift from the decision, and what could not be read: ``Unknown.subject`` is the drift's ``where`` then."""

    drifts: tuple[Drift, ...]
    unknowns: tuple[Unknown, ...]


def file_drift(path: Path, expected: Mapping[str, str], forbidden: Mapping[str, str]) -> SettingsLook:
    """Drift of the settings file at ``path``; a file that cannot be read or understood is unknown, not drift."""
    where = f"file {path.name}"
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        return SettingsLook((), (Unknown(where, f"{path}: {error.strerror or error}"),))
    if len(content) > _LARGEST_FILE or b"\0" in content:
        return SettingsLook((), (Unknown(where, f"{path} is no settings file (binary, or larger than 1 MiB)"),))
    try:
        settings = parse_shell_settings(content.decode("utf-8-sig", errors="replace"))
    except Unclosed as error:
        return SettingsLook((), (Unknown(where, f"{path}: {error}, so a shell refuses the file"),))
    missing_reason = "another file is sourced, which may set it" if settings.runs_others else None
    return compare_settings(where, settings.variables, expected, forbidden, missing_reason)


def process_drift(look: ProcessLook, expected: Mapping[str, str], forbidden: Mapping[str, str]) -> SettingsLook:
    """Drift of each running process of production; one whose environment may not be read is unknown."""
    drifts: list[Drift] = []
    unknowns: list[Unknown] = [look.unknown] if look.unknown else []
    for process in look.processes:
        where = f"process {process.pid}"
        if process.environment is None:
            unknowns.append(
                Unknown(where, f"its environment may not be read: run the check as {process.user or 'its user'}")
            )
            continue
        variables = {name: Variable(value, True, True) for name, value in process.environment.items()}
        part = compare_settings(where, variables, expected, forbidden)
        drifts += part.drifts
        unknowns += part.unknowns
    return SettingsLook(tuple(drifts), tuple(unknowns))


def compare_settings(
    where: str,
    variables: Mapping[str, Variable],
    expected: Mapping[str, str],
    forbidden: Mapping[str, str],
    missing_reason: str | None = None,
) -> SettingsLook:
    """``variables`` of one place against the decision.

    ``missing_reason`` says why a variable that is not there may still be set. A forbidden ``1`` forbids every spelling
    of yes. An unknown variable's subject is ``"<where>: <key>"``.
    """
    drifts: list[Drift] = []
    unknowns: list[Unknown] = []
    for key in sorted({*expected, *forbidden}):
        variable = variables.get(key)
        if variable is not None and not variable.known:
            unknowns.append(Unknown(f"{where}: {key}", f"only running the file tells its value ({shown(variable)})"))
        elif variable is None and missing_reason:
            unknowns.append(Unknown(f"{where}: {key}", missing_reason))
        else:
            drifts += _drifts_of(where, key, variable, expected.get(key), forbidden.get(key))
    return SettingsLook(tuple(drifts), tuple(unknowns))


def _drifts_of(
    where: str, key: str, variable: Variable | None, expected: str | None, forbidden: str | None
) -> list[Drift]:
    if forbidden is not None and variable is not None and _is_forbidden(variable.value, forbidden):
        return [Drift(where, key, f"not {forbidden}", shown(variable), DriftKind.FORBIDDEN)]
    if expected is None:
        return []
    if variable is None:
        return [Drift(where, key, expected, None, DriftKind.MISSING)]
    if variable.value != expected or not variable.exported:
        return [Drift(where, key, expected, shown(variable), DriftKind.WRONG_VALUE)]
    return []


def _is_forbidden(value: str, forbidden: str) -> bool:
    return value == forbidden or (forbidden.lower() in _TRUE and value.strip().lower() in _TRUE)


def shown(variable: Variable) -> str:
    """A value for people: invisible characters visible, and whether it reaches the program at all."""
    text = variable.value if variable.value.isprintable() else repr(variable.value)
    return text if variable.exported else f"{text} (not exported)"
