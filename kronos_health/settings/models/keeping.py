"""Where the history is kept, and for how long."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from kronos_health.settings.models.section import Positive, Section


class Database(Section):
    """Where the history is kept; never Airflow's own metadata database."""

    url: SecretStr = Field(
        SecretStr(""), description="SQLAlchemy URL; empty means SQLite at <state_dir>/kronos_health.db"
    )
    airflow_connection: str = Field(
        "kronos_health_db", description="Airflow connection that overrides url if it exists"
    )
    busy_timeout_seconds: Positive = Field(30.0, description="how long SQLite waits for another writer")


class Retention(Section):
    """How long rows are kept, in days."""

    findings_days: Positive = 365.0
    samples_days: Annotated[float, Field(ge=1)] = Field(
        7.0, description="numbers one by one; by the hour they are kept for windows_days"
    )
    windows_days: Positive = Field(1825.0, description="numbers by the hour, with their percentiles")
    deliveries_days: Positive = 180.0
    airflow_days: Positive = 30.0
    lost_after_hours: Positive = 6.0
