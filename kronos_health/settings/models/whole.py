"""All of ``kronos_health.toml``, of the tables in the modules beside this one."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from kronos_health.settings.models.checkup import Doctor
from kronos_health.settings.models.judging import Regression, Revisit
from kronos_health.settings.models.keeping import Database, Retention
from kronos_health.settings.models.probing import Probe
from kronos_health.settings.models.section import Section
from kronos_health.settings.models.switching import Switch
from kronos_health.settings.models.targets import Candidates, Target
from kronos_health.settings.models.telling import Alerts, Apprise, Heartbeat, Slack
from kronos_health.settings.models.watched import Bounds, Follow, Logs, Production, Source, Upstream


class Settings(Section):
    """All of ``kronos_health.toml``."""

    state_dir: Path = Path("var")
    database: Database = Database()
    production: Production = Production()
    switch: Switch = Switch()
    upstream: Upstream = Upstream()
    probe: Probe = Probe()
    targets: dict[str, Target] = Field(default_factory=lambda: {"kronos": Target()})
    candidates: Candidates = Candidates()
    sources: dict[str, Source] = Field(default_factory=dict)
    logs: Logs = Logs()
    follow: Follow = Follow()
    bounds: Bounds = Bounds()
    revisit: Revisit = Revisit()
    regression: Regression = Regression()
    alerts: Alerts = Alerts()
    slack: Slack = Slack()
    apprise: Apprise = Apprise()
    heartbeat: Heartbeat = Heartbeat()
    doctor: Doctor = Doctor()
    retention: Retention = Retention()
    page_url: str = Field("", description="address of the Airflow UI, for links in messages")
    command: str = Field(
        "", description="how people start this program, for the commands in messages; empty: as it was started itself"
    )

    @field_validator("targets")
    @classmethod
    def _has_a_target(cls, value: dict[str, Target]) -> dict[str, Target]:
        if not value:
            raise ValueError("at least one [targets.NAME] table is needed")
        return value

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL in force, with the SQLite default filled in."""
        url = self.database.url.get_secret_value()
        return url or f"sqlite:///{self.state_dir / 'kronos_health.db'}"
