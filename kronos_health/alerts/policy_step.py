"""What one decision looks at, and the forms a decision can take; shared by the parts of the policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kronos_health.domain.alerts import (
    Alert,
    AlertDecision,
    AlertPolicy,
    AlertState,
    Observation,
    ObservationState,
    Overlays,
    Transition,
    TransitionKind,
)
from kronos_health.domain.logs import Severity

OPEN = (AlertState.FIRING, AlertState.RECOVERING)
_STAMPS = (
    "pending_since", "fired_at", "last_bad_at", "recovering_since", "resolved_at", "last_message_at", "unknown_since",
    "acknowledged_at", "told_at", "escalated_at", "flapping_since", "changed_at",
)  # fmt: skip
_SAYS_HOW_SEVERE = (TransitionKind.FIRED, TransitionKind.FLAPPING, TransitionKind.NOTICE, TransitionKind.WORSENED)
_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@dataclass(frozen=True, slots=True)
class Step:
    """Everything one decision looks at. ``fresh`` is false for a replay of the previous observation."""

    alert: Alert
    observation: Observation
    policy: AlertPolicy
    now: datetime
    fresh: bool
    overlays: Overlays

    @property
    def at(self) -> datetime:
        """When it happened; a stamp from the future is a wrong clock or zone and counts as now."""
        return min(self.observation.observed_at or self.now, self.now)

    @property
    def since(self) -> datetime:
        """When it began: at the latest when it happened."""
        return min(self.observation.since or self.at, self.at)

    @property
    def is_bad(self) -> bool:
        """Whether it is bad at this very look."""
        return self.observation.state is ObservationState.BAD

    @property
    def occurrences(self) -> int:
        """How many are new."""
        return max(self.observation.occurrences, 0) if self.fresh else 0

    @property
    def positives(self) -> int:
        """How many new signs of health there are."""
        return max(self.observation.positives, 0) if self.fresh else 0

    @property
    def is_hushed(self) -> bool:
        """Whether something speaks against sending anything but the end of what was sent."""
        return bool(self.overlays.inhibited_by or self.overlays.silence)

    def passed(self, since: datetime | None, seconds: float) -> bool:
        """Whether ``since`` is so long ago."""
        return since is not None and (self.now - since).total_seconds() >= seconds


def rank(severity: Severity | None) -> int:
    """How severe, as a number; what nobody was told of ranks lowest."""
    return -1 if severity is None else _RANKS[severity]


def still(alert: Alert, reason: str) -> AlertDecision:
    """Nothing happened."""
    return AlertDecision(alert, (), reason)


def quiet(step: Step, alert: Alert, kind: TransitionKind, reason: str, episode: int | None = None) -> AlertDecision:
    """A step that is recorded and not sent."""
    number = alert.episode if episode is None else episode
    return AlertDecision(alert, (Transition(kind, number, alert.sequence, step.now, reason, announce=False),), reason)


def announce(step: Step, alert: Alert, kind: TransitionKind, reason: str) -> AlertDecision:
    """A step that is worth a message."""
    said = replace(
        alert, sequence=alert.sequence + 1, last_message_at=step.now, announced_occurrences=alert.occurrences,
        silenced_by=None,
    )  # fmt: skip
    if kind in _SAYS_HOW_SEVERE:
        said = replace(said, told_at=step.now, told_severity=step.observation.severity)
    step_taken = Transition(kind, said.episode, said.sequence, step.now, reason, announce=True)
    return AlertDecision(said, (step_taken,), reason)


def then(first: AlertDecision, after: Callable[[Alert], AlertDecision]) -> AlertDecision:
    """One decision after the other."""
    second = after(first.next)
    return AlertDecision(second.next, first.transitions + second.transitions, f"{first.reason}; {second.reason}")


def unowned(alert: Alert) -> Alert:
    """Nobody has taken this on (any more)."""
    return replace(alert, acknowledged_at=None, acknowledged_by=None)


def without_future(alert: Alert, now: datetime) -> Alert:
    """After a clock was set back, stamps from before lie ahead; kept as they are they would silence reminders."""
    ahead: dict[str, Any] = {
        name: now for name in _STAMPS if (stamp := getattr(alert, name)) is not None and stamp > now
    }
    return replace(alert, **ahead) if ahead else alert


def thawed(alert: Alert, now: datetime) -> Alert:
    """It can be seen again: the time nobody could see counts for no recovery."""
    if alert.unknown_since is None:
        return alert
    unseen: timedelta = now - alert.unknown_since
    recovering = alert.recovering_since
    return replace(alert, unknown_since=None, recovering_since=recovering + unseen if recovering else None)
