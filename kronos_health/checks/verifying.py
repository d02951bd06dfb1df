"""Verify: the four checks the team wrote down for after a deployment, answered from the logs under watch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from kronos_health.checks.attention import about_logs, watched
from kronos_health.checks.context import Context
from kronos_health.history.facts import AlertFacts, DeploymentCheckFacts, FindingFacts
from kronos_health.history.status import facts_of
from kronos_health.history.verification import deployment_checks
from kronos_health.store.database import reading

_THE_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Verification:
    """The four answers; ``good`` only when every one is, ``unknown`` answers are neither good nor bad.

    ``findings`` are all that the same logs hold since then; ``alerts`` those that are open, severity warning or above,
    whatever they are about.
    """

    checks: tuple[DeploymentCheckFacts, ...]
    findings: tuple[FindingFacts, ...] = ()
    alerts: tuple[AlertFacts, ...] = ()

    @property
    def bad(self) -> tuple[DeploymentCheckFacts, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.state == "bad")

    @property
    def unknown(self) -> tuple[DeploymentCheckFacts, ...]:
        """The checks that the logs do not answer."""
        return tuple(check for check in self.checks if check.state == "unknown")

    @property
    def open_about_logs(self) -> tuple[AlertFacts, ...]:
        """The open alerts that say something of a log."""
        return about_logs(self.alerts)


def verify(context: Context, since: datetime | None = None) -> Verification:
    """Answer the four checks from ``since``, or from the last known deployment, or from all there is."""
    sources, now = context.settings.sources, context.now()
    with reading(context.engine) as connection:
        checks = deployment_checks(connection, now, context.settings.bounds, since, sources)
        start = checks[0].since or _THE_BEGINNING
        found = facts_of(connection, now, FindingFacts, "findings_by_signature", since=start)
        alerts = facts_of(connection, now, AlertFacts, "open_alerts")
    return Verification(
        checks=checks,
        findings=tuple(item for item in found if item.source in sources),
        alerts=watched(alerts, sources),
    )
