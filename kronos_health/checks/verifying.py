"""Verify: the four checks the team wrote down for after a deployment, answered from the logs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kronos_health.checks.context import Context
from kronos_health.history.facts import DeploymentCheckFacts
from kronos_health.history.production import deployment_checks
from kronos_health.store.database import reading


@dataclass(frozen=True, slots=True)
class Verification:
    """The four answers; ``good`` only when every one is, ``unknown`` answers are neither good nor bad."""

    checks: tuple[DeploymentCheckFacts, ...]

    @property
    def bad(self) -> tuple[DeploymentCheckFacts, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.state == "bad")

    @property
    def unknown(self) -> tuple[DeploymentCheckFacts, ...]:
        """The checks that the logs do not answer."""
        return tuple(check for check in self.checks if check.state == "unknown")


def verify(context: Context, since: datetime | None = None) -> Verification:
    """Answer the four checks from ``since``, or from the last known deployment, or from all there is."""
    with reading(context.engine) as connection:
        return Verification(deployment_checks(connection, context.now(), context.settings.bounds, since))
