"""What the history holds, as plain values for people-facing views. Field names are those of the named queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kronos_health.domain.probes import Leak


@dataclass(frozen=True, slots=True)
class ProbeFacts:
    """A row of ``latest_probes``, ``baseline_probes`` or ``campaign_probes``; times in ms, memory in MiB."""

    target: str
    variant: str
    candidate: str
    kind: str
    evidence: str  # cuda, cpu, rehearsal, baseline, none
    regime: str
    started_at: datetime
    outcome: str | None
    skipped_reason: str | None
    error_class: str | None
    message: str | None
    frame_file: str | None
    frame_line: int | None
    frame_function: str | None
    frame_code: str | None
    passed: int
    requested: int
    passes_with_warmups: int | None  # set when it passes only with so many warm-up calls or more
    fails_with_warmups: int | None
    mae_mean: float | None
    mae_std: float | None
    latency_mean_ms: float | None
    latency_std_ms: float | None
    first_call_median_ms: float | None
    steady_median_ms: float | None
    steady_p95_ms: float | None
    memory_mb: float | None
    noise: str | None
    device: str | None
    gpu: str | None
    torch: str | None
    model_shape: str | None
    probe_id: str


@dataclass(frozen=True, slots=True)
class DecisionFacts:
    """A row of ``current_decisions``."""

    target: str
    decision_id: str
    decided_at: datetime
    mode: str
    variant: str | None
    confidence: str
    sentence: str
    reason: str
    next_step: str
    evidence_at: datetime | None
    imported: bool


@dataclass(frozen=True, slots=True)
class EvidenceFacts:
    """A row a criterion rests on."""

    table_name: str
    row_id: str
    admissible: bool
    note: str


@dataclass(frozen=True, slots=True)
class CriterionFacts:
    """One criterion of the newest decision, with its evidence."""

    name: str
    variant: str | None
    state: str  # met, not_met, unknown
    value: str
    threshold: str
    explanation: str
    evidence: tuple[EvidenceFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class StandingFacts:
    """A row of ``variant_standings``."""

    variant: str
    candidate: str
    fingerprint: str | None
    passed: int
    failed: int
    days: int
    broken: bool
    confidence: str
    lower_bound: float
    e_value_half: float
    e_value_four_fifths: float
    e_value_nine_tenths: float
    last_outcome: str | None
    admissible: bool
    since: datetime | None
    newest_at: datetime | None
    reset: str | None = None


@dataclass(frozen=True, slots=True)
class FigureFacts:
    """A row of ``current_figures``; ``change`` and ``regressed_by`` are shares, 0.1 = 10 % more."""

    target: str
    variant: str
    candidate: str
    regime: str
    device: str
    figure: str
    value: float
    unit: str
    baseline: float | None
    change: float | None
    label: str
    reason: str
    sample: int
    reference: float | None
    regressed_by: float | None
    started_at: datetime
    probe_id: str


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """A row of ``findings_by_signature``."""

    source: str
    signature: str
    severity: str
    findings: int
    kinds: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """A row of ``log_sources`` with what was found lately."""

    source: str
    path: str
    host: str
    last_scanned_at: datetime | None
    problem: str | None
    problem_since: datetime | None
    lag_bytes: int
    scans: int
    gaps: int
    findings: tuple[FindingFacts, ...] = ()
    earlier: tuple[FindingFacts, ...] = ()  # all there ever was, where the time looked at holds nothing of concern


@dataclass(frozen=True, slots=True)
class LookFacts:
    """A row of ``upstream_looks``."""

    subject: str
    last_ok_at: datetime | None
    unknown_since: datetime | None
    reason: str | None

    @property
    def of_settings(self) -> bool:
        """A look at production's settings (a file or a process), not at upstream."""
        return self.subject.startswith(("file ", "process"))


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """A row of ``upstream_releases``."""

    package: str
    version: str
    seen_at: datetime
    news: bool


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """A row of ``upstream_commits``."""

    repository: str
    ref: str
    revision: str
    subject: str
    committed_at: datetime | None
    contained: bool | None
    seen_at: datetime
    news: bool


@dataclass(frozen=True, slots=True)
class DriftFacts:
    """A row of ``open_drift``."""

    place: str
    key: str
    expected: str
    actual: str | None
    kind: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """A row of ``open_alerts``, with the silence over it."""

    severity: str
    state: str
    kind: str
    key: str
    title: str
    since: datetime | None
    occurrences: int
    episode: int
    last_bad_at: datetime | None
    unknown_since: datetime | None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    silenced_until: datetime | None = None
    silenced_by: str | None = None

    @property
    def fingerprint(self) -> str:
        """What commands call it."""
        return f"{self.kind}:{self.key}"


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """A row of ``delivery_state``."""

    channel: str
    waiting: int
    unknown: int
    dead: int
    sent: int
    oldest_waiting_at: datetime | None
    slowest_seconds: float | None
    last_sent_at: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True)
class PulseFacts:
    """A row of ``check_pulse``."""

    check_name: str
    subject: str | None
    started_at: datetime
    finished_at: datetime | None
    verdict: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class SourceCount:
    """What one log contributes to a deployment check."""

    source: str
    state: str  # good, bad, unknown
    count: int
    bad: int


@dataclass(frozen=True, slots=True)
class DeploymentCheckFacts:
    """A row of ``deployment_checks``, with each log's share where there are several."""

    number: int
    check_name: str
    state: str  # good, bad, unknown
    count: int
    bad: int
    first_at: datetime | None
    last_at: datetime | None
    median: float | None
    since: datetime | None
    by_source: tuple[SourceCount, ...] = ()


@dataclass(frozen=True, slots=True)
class AgreementFacts:
    """A row of ``rehearsal_agreement``: a rehearsal and a probe on CUDA of the same variant, torch and code."""

    target: str
    variant: str
    candidate: str
    regime: str
    torch_release: str | None
    target_revision: str | None
    rehearsed: str
    measured: str
    agrees: bool
    same_line: bool | None
    rehearsed_at: datetime
    measured_at: datetime
    rehearsal_probe_id: str
    cuda_probe_id: str


@dataclass(frozen=True, slots=True)
class TargetView:
    """One model: what is decided, on what grounds, and what the last probes found. No decision yet is ``None``.

    ``leaks`` are those of the newest rehearsals, by probe id, the one that was read first.
    """

    name: str
    decision: DecisionFacts | None
    criteria: tuple[CriterionFacts, ...]
    standings: tuple[StandingFacts, ...]
    probes: tuple[ProbeFacts, ...]
    baseline: tuple[ProbeFacts, ...]
    figures: tuple[FigureFacts, ...] = ()
    leaks: Mapping[str, tuple[Leak, ...]] = field(default_factory=dict)
    agreement: tuple[AgreementFacts, ...] = ()

    @property
    def rehearsed(self) -> bool:
        """Whether any of the newest probes is a rehearsal."""
        return any(probe.evidence == "rehearsal" for probe in self.probes)


@dataclass(frozen=True, slots=True)
class StatusView:
    """Everything the status screen and the page show, read at one moment."""

    at: datetime
    findings_since: datetime
    targets: tuple[TargetView, ...]
    sources: tuple[SourceFacts, ...]
    looks: tuple[LookFacts, ...]
    releases: tuple[ReleaseFacts, ...]  # the newest of each package
    commits: tuple[CommitFacts, ...]
    drift: tuple[DriftFacts, ...]
    alerts: tuple[AlertFacts, ...]
    channels: tuple[ChannelFacts, ...]
    pulse: tuple[PulseFacts, ...]
