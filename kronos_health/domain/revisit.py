"""The four criteria, the evidence under them, and the decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CriterionName(StrEnum):
    """The four reasons to revisit the decision of 2025-10-30, in the order the team wrote them down."""

    TORCH_RELEASE = "torch_release"
    KRONOS_UPDATE = "kronos_update"
    COMPILED_ITERATIONS = "compiled_iterations"
    ACCURACY = "accuracy"


class CriterionState(StrEnum):
    """Unknown is an answer of its own; it never counts as met or not met."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


class Mode(StrEnum):
    """How production should run the model."""

    EAGER = "EAGER"
    COMPILED = "COMPILED"


class Confidence(StrEnum):
    """How sure the decision is, by the e-process rule of :mod:`kronos_health.revisit.statistics`."""

    LOW = "LOW"
    MODERATE = "MODERATE"
    HIGH = "HIGH"
    VERY_HIGH = "VERY HIGH"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A row that a criterion or a decision rests on. ``admissible`` is false for CPU, rehearsed or stale rows."""

    table: str
    row_id: str
    admissible: bool
    note: str


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion as evaluated: its state, the value found against the threshold, and the rows that say so."""

    name: CriterionName
    variant: str | None
    state: CriterionState
    value: str
    threshold: str
    explanation: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class VariantStanding:
    """What the history since the last change of the fingerprint says of one variant."""

    variant: str
    fingerprint: str | None
    passed: int
    failed: int
    days: int
    broken: bool
    confidence: Confidence
    e_value_half: float  # e-values against p0 = 0.5, 0.8, 0.9
    e_value_four_fifths: float
    e_value_nine_tenths: float
    lower_bound: float  # Clopper-Pearson, one-sided 95 %
    last_outcome: str | None
    admissible: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """EAGER or COMPILED for one target, with the variant, how sure, and what to do next."""

    target: str
    decided_at: datetime
    mode: Mode
    variant: str | None
    confidence: Confidence
    sentence: str
    reason: str
    next_step: str
    criteria: tuple[Criterion, ...]
    standings: tuple[VariantStanding, ...] = ()
    evidence_at: datetime | None = None  # newest admissible evidence
