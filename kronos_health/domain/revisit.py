"""The four criteria, the evidence under them, and the decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kronos_health.domain.probes import AccuracyState, CacheState, Outcome, ProbeKind, Regime
from kronos_health.domain.upstream import Look


class CriterionName(StrEnum):
    """The four reasons to revisit the decision of 2025-10-30, in the order the team wrote them down; then Toto's."""

    TORCH_RELEASE = "torch_release"
    KRONOS_UPDATE = "kronos_update"
    COMPILED_ITERATIONS = "compiled_iterations"
    ACCURACY = "accuracy"
    RECOMPILES = "recompiles"
    SPEED_UP = "speed_up"
    CUDAGRAPH_SKIPS = "cudagraph_skips"


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
    candidate: str = "production"
    since: datetime | None = None  # first probe counted: the one after the last change of the fingerprint
    newest_at: datetime | None = None  # last probe counted
    reset: str | None = None  # what changed when counting began anew, e.g. "torch 2.13.0 → 2.14.1"


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


@dataclass(frozen=True, slots=True)
class ProbeFacts:
    """One stored probe, reduced to what the decision needs.

    ``passed`` and ``failed`` count iterations (fresh processes); an iteration that says nothing about the model
    (worker error, skipped, lost) is in neither. ``graph_failures`` counts those that broke on CUDA graphs.
    """

    probe_id: str
    target: str
    variant: str
    candidate: str
    kind: ProbeKind
    regime: Regime
    imported: bool
    device: str | None  # "cpu", "cuda", or None when no child got far enough to say
    fingerprint: str | None
    torch: str | None
    target_revision: str | None
    started_at: datetime
    outcome: Outcome | None  # None while running
    requested: int
    passed: int
    failed: int
    graph_failures: int
    cache_states: frozenset[CacheState]  # of the iterations that passed
    noisy: bool = False  # figures may be disturbed; passing and failing stand
    message: str | None = None
    recompiles: int | None = None  # most in one iteration about the model; None: no iteration counted
    cudagraph_skips: int | None = None  # likewise


@dataclass(frozen=True, slots=True)
class ResetFacts:
    """The last time that counting of one variant began anew. ``counted_as``: admissible, measured or rehearsed."""

    variant: str
    candidate: str
    counted_as: str
    reset_at: datetime
    changed: str  # in words, e.g. "torch 2.13.0 → 2.14.1, driver 580 → 590"


@dataclass(frozen=True, slots=True)
class ComparisonFacts:
    """One stored comparison of a variant with eager; ``baseline_probe`` and ``candidate_probe`` are probe ids."""

    comparison_id: str
    baseline_probe: str
    candidate_probe: str
    pairs: int
    accuracy: AccuracyState
    accuracy_reason: str
    scaled_difference: float | None
    upper_bound: float | None
    margin: float
    mae_ratio: float | None
    speed_up: float | None
    memory_ratio: float | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """One stored release of torch."""

    release_id: str
    version: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """One stored revision of the target's upstream: what is checked out (``ref`` "HEAD") or what the remote has."""

    revision_id: str
    commit: str
    ref: str
    subject: str
    contained: bool | None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """Everything the decision about one target rests on. The order of its parts carries no meaning."""

    target: str
    probes: tuple[ProbeFacts, ...] = ()
    resets: tuple[ResetFacts, ...] = ()
    comparisons: tuple[ComparisonFacts, ...] = ()
    releases: tuple[ReleaseFacts, ...] = ()
    release_look: Look | None = None  # None: never looked up
    head: RevisionFacts | None = None
    remote: RevisionFacts | None = None
    revision_look: Look | None = None
    known_commits: frozenset[str] = frozenset()  # every commit ever seen of the upstream checkout and its remote
    production_torch: str | None = None


class TrialResult(StrEnum):
    """What trying a release or revision came to; the words are meant to be shown."""

    FIXED_BY_DEFAULT = "fixed by default"
    FIXED_WITH_OPT_IN = "fixed with opt-in"
    STILL_BROKEN = "still broken"
    UNDECIDED = "not decided"
    NOT_TRIED = "not tried on CUDA"


@dataclass(frozen=True, slots=True)
class Trial:
    """A target tried in one candidate: the result, the variant it rests on, and what became of every variant."""

    target: str
    candidate: str
    result: TrialResult
    variant: str | None
    explanation: str
    variants: tuple[tuple[str, str], ...] = ()  # each compiled variant, and what became of it on CUDA
    rehearsed: tuple[tuple[str, str], ...] = ()  # the same under the emulated lifetime rule: no evidence
    in_production: str | None = None  # what became of ``variant`` in production's own environment
    evidence: tuple[Evidence, ...] = ()

    @property
    def verdict(self) -> str:
        """E.g. ``fixed with opt-in compiled_whole_step``."""
        opted_in = self.result is TrialResult.FIXED_WITH_OPT_IN and self.variant
        return f"{self.result.value} {self.variant}" if opted_in else self.result.value


@dataclass(frozen=True, slots=True)
class News:
    """A release or revision that the upstream watch saw, by the candidate that tries it."""

    candidate: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """A trial that was ordered: the ``number``-th for this candidate."""

    candidate: str
    number: int
    ordered_at: datetime


@dataclass(frozen=True, slots=True)
class TrialOrder:
    """What to probe now: a candidate, the targets and variants that are still without an answer, which attempt."""

    candidate: str
    targets: tuple[str, ...]
    variants: tuple[str, ...]
    attempt: int
