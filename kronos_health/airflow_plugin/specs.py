"""Probe specs on their way through XCom, which carries plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from kronos_health.domain.probes import ProbeSpec

_SPEC = TypeAdapter(ProbeSpec)


def to_json(spec: ProbeSpec) -> dict[str, Any]:
    """``spec`` as JSON-ready values."""
    return dict(_SPEC.dump_python(spec, mode="json"))


def from_json(values: Mapping[str, Any]) -> ProbeSpec:
    """The spec again. Raises pydantic's ``ValidationError`` for anything else."""
    return _SPEC.validate_python(dict(values))


def label(values: Mapping[str, Any]) -> str:
    """How the spec is called in Airflow's grid, e.g. ``kronos compiled (rehearsed)``."""
    spec = from_json(values)
    extras = [spec.kind.value if spec.kind.value != "measured" else ""]
    extras.append(spec.regime.value if spec.regime.value != "saturated" else "")
    extras.append(spec.candidate if spec.candidate != "production" else "")
    named = ", ".join(extra for extra in extras if extra)
    return f"{spec.target} {spec.variant}" + (f" ({named})" if named else "")
