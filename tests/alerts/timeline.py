"""A story told minute by minute to the pure policy, and what it said; :mod:`tests.alerts.scenario` tells whole ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kronos_health.alerts.policy import decide
from kronos_health.domain.alerts import (
    Alert,
    AlertDecision,
    AlertKind,
    AlertPolicy,
    AlertState,
    Observation,
    ObservationState,
    Overlays,
    TransitionKind,
)
from kronos_health.domain.logs import Severity

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def look(
    state: ObservationState, kind: AlertKind = AlertKind.GRAPH_REUSE, key: str = "prod", **values: object
) -> Observation:
    defaults = {"severity": Severity.CRITICAL, "title": "t", "summary": "s", "next_step": "n"}
    return Observation(kind=kind, key=key, state=state, **(defaults | values))  # type: ignore[arg-type]


@dataclass
class Timeline:
    policy: AlertPolicy
    alert: Alert | None = None
    decisions: list[AlertDecision] = field(default_factory=list)

    def bad(self, minute: float, occurrences: int = 1, **values: object) -> Timeline:
        return self.see(minute, look(ObservationState.BAD, occurrences=occurrences, **values))

    def good(self, minute: float, positives: int = 0, **values: object) -> Timeline:
        return self.see(minute, look(ObservationState.GOOD, positives=positives, **values))

    def unknown(self, minute: float) -> Timeline:
        return self.see(minute, look(ObservationState.UNKNOWN))

    def see(self, minute: float, observation: Observation, overlays: Overlays = Overlays()) -> Timeline:  # noqa: B008
        decision = decide(self.alert, observation, self.policy, START + timedelta(minutes=minute), overlays)
        self.decisions.append(decision)
        self.alert = decision.next
        return self

    @property
    def state(self) -> AlertState:
        assert self.alert is not None
        return self.alert.state

    @property
    def said(self) -> list[tuple[TransitionKind, int, int]]:
        """(kind, episode, sequence) of every message."""
        return [
            (step.kind, step.episode, step.sequence)
            for decision in self.decisions
            for step in decision.transitions
            if step.announce
        ]

    @property
    def steps(self) -> list[TransitionKind]:
        return [step.kind for decision in self.decisions for step in decision.transitions]
