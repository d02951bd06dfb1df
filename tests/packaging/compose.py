"""docker/compose.yaml as Compose would read it: merged, with every variable put in."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker/compose.yaml"

_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")


def new_environment() -> dict[str, str]:
    """The variables that docker/new-env.sh prints, comments left out."""
    printed = subprocess.run([ROOT / "docker/new-env.sh"], check=True, capture_output=True, text=True).stdout
    lines = [line for line in printed.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def services(variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Every service with ``variables`` put in. Raises ``KeyError`` where the file demands one that is missing."""
    merged = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    return {name: _interpolated(service, variables) for name, service in merged.items()}


def environment(service: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """What the service's process sees; a key without a value is passed on only where ``variables`` has it."""
    found = {}
    for key, value in service.get("environment", {}).items():
        if value is not None:
            found[key] = value
        elif key in variables:
            found[key] = variables[key]
    return found


def _interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _interpolated(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [_interpolated(inner, variables) for inner in value]
    if not isinstance(value, str):
        return value
    return _VARIABLE.sub(lambda match: _replacement(match, variables), value)


def _replacement(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match["escaped"]:
        return "$"
    name, kind = match["name"], match["kind"]
    if variables.get(name):
        return variables[name]
    if kind == "?":
        raise KeyError(f"{name}: {match['rest']}")
    return match["rest"] or ""
