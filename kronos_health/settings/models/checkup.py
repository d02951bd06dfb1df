"""When the checker itself wants attention."""

from __future__ import annotations

from pydantic import Field, field_validator

from kronos_health.settings.models.section import Positive, Section


class Doctor(Section):
    """What ``kronos-health doctor`` holds the checker against."""

    min_free_mb: Positive = Field(1024.0, description="free disk space under state_dir and the database")
    scan_age_minutes: Positive = Field(60.0, description="a log of which no scan ended for so long wants attention")
    max_lag_mb: Positive = Field(64.0, description="so much of a log may be left for the next scan")
    dead_days: Positive = Field(7.0, description="messages given up in so many days are told")
    clock_skew_seconds: Positive = Field(30.0, description="so far may this machine's clock be from another")
    clock_url: str = Field("", description="web address whose Date header the clock is held against; empty: none")
    timeout_seconds: Positive = Field(10.0, description="of the web address, and of the database's integrity check")
    airflow_timeout_seconds: Positive = Field(120.0, description="of the commands that ask Airflow about its DAGs")

    @field_validator("clock_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value
