"""What may change production's settings, and when."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from kronos_health.settings.models.section import Count, Positive, Section

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"[A-Za-z0-9_./:,+-]+")


def plain_variables(variables: dict[str, str]) -> dict[str, str]:
    """Names and values that a shell file can hold without quotes; anything else a person should write."""
    for name, value in variables.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"{name} = {value!r} is no plain variable of a shell")
    return variables


class Switch(Section):
    """What happens when a person approves a proposed change of production's settings."""

    enabled: bool = Field(
        False, description="whether production.env_file is written on approval; otherwise a person applies the diff"
    )
    carried: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="variants whose change of code production carries already, each with further variables it needs",
    )
    predictions: Count = Field(20, description="completed predictions after the restart before it has passed")
    ask_hours: Positive = Field(168.0, description="how long a run of kronos_switch waits for an answer in Airflow")

    @field_validator("carried")
    @classmethod
    def _plain_variables(cls, value: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for variables in value.values():
            plain_variables(variables)
        return value
