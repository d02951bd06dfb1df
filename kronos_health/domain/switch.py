"""The switch: a proposed change of production's settings file, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kronos_health.domain.revisit import Confidence

# A variable's value; ``None``: it is not set.
Values = tuple[tuple[str, str | None], ...]


class SwitchState(StrEnum):
    """Where a proposal stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"  # a person said yes, and the file does not hold it yet
    WRITTEN = "written"  # the file holds it; the deployment checks have not answered
    PASSED = "passed"  # the deployment checks are good
    FAILED = "failed"  # a deployment check is not: the way back is proposed
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"  # the file or the decision changed before anybody answered, or before it was written
    ROLLED_BACK = "rolled_back"

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done before the file holds it."""
        return self in (SwitchState.PROPOSED, SwitchState.APPROVED)

    @property
    def in_force(self) -> bool:
        """Whether production is meant to run by it now."""
        return self in (SwitchState.WRITTEN, SwitchState.PASSED, SwitchState.FAILED)


@dataclass(frozen=True, slots=True)
class Switch:
    """One proposal. Of the file only fingerprints (SHA-256) are kept, since it may hold secrets; the diff is masked.

    ``undoes`` is the proposal that this one takes back. ``changes`` are the variables as they are to be, ``former`` as
    they were. ``problem`` says why an approved one is not written.
    """

    switch_id: str
    target: str
    variant: str
    decision_id: str | None
    evidence_key: str
    confidence: Confidence
    state: SwitchState
    proposed_at: datetime
    file: str
    before_sha256: str
    after_sha256: str
    diff: str
    changes: Values
    former: Values
    summary: str
    undoes: str | None = None
    who: str | None = None
    reason: str | None = None
    answered_at: datetime | None = None
    written_at: datetime | None = None
    by_hand: bool = False
    backup: str | None = None
    problem: str | None = None
    settled_at: datetime | None = None
    asked_by: str | None = None
    asked_until: datetime | None = None
    version: int = 0

    @property
    def is_way_back(self) -> bool:
        """Whether it takes another one back."""
        return self.undoes is not None
