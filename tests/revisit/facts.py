"""Short ways to write down a history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from kronos_health.domain.probes import AccuracyState, CacheState, Outcome, ProbeKind, Regime
from kronos_health.domain.revisit import (
    ComparisonFacts,
    Criterion,
    CriterionName,
    Decision,
    History,
    ProbeFacts,
    ReleaseFacts,
    RevisionFacts,
    VariantStanding,
)
from kronos_health.domain.upstream import Look
from kronos_health.revisit.decision import decide
from kronos_health.settings.models import Revisit

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RULES = Revisit()
GPU, OTHER_GPU = "fingerprint of production", "fingerprint after an upgrade"
_numbers = count(1)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def probed(variant: str, days: float = 0.1, passed: int = 5, requested: int = 5, **changes: Any) -> ProbeFacts:
    """A measured probe on production's GPU; what did not pass failed by graph reuse unless ``outcome`` says else."""
    outcome = changes.pop("outcome", Outcome.PASSED if passed == requested else Outcome.GRAPH_REUSE)
    graph = outcome in (Outcome.GRAPH_REUSE, Outcome.SILENT_OVERWRITE)
    failed = requested - passed if outcome is not None and outcome.about_the_model else 0
    caches = frozenset({CacheState.NONE if variant == "eager" else CacheState.COLD}) if passed else frozenset()
    probe = ProbeFacts(
        probe_id=f"probe-{next(_numbers):06}",
        target="kronos",
        variant=variant,
        candidate="production",
        kind=ProbeKind.MEASURED,
        regime=Regime.SATURATED,
        imported=False,
        device="cuda",
        fingerprint=GPU,
        torch="2.13.0+cu130",
        target_revision="sktime-1.2.0+0123456789ab",
        started_at=days_ago(days),
        outcome=outcome,
        requested=requested,
        passed=passed,
        failed=failed,
        graph_failures=failed if graph else 0,
        cache_states=caches,
    )
    return replace(probe, **changes)


def imported(variant: str, passed: int = 0, requested: int = 5) -> ProbeFacts:
    """As the baseline of 2025-10-30 is stored: its file does not say what it ran on."""
    probe = probed(variant, 389, passed, requested, device=None, fingerprint=None, torch=None, target_revision=None)
    return replace(probe, imported=True, started_at=datetime(2025, 10, 30, tzinfo=UTC))


BASELINE = (imported("eager", 5), imported("compiled", 0))


def on_cpu(variant: str, days: float = 0.1, passed: int = 5, **changes: Any) -> ProbeFacts:
    changes = {"device": "cpu", "fingerprint": "fingerprint of a CPU", "torch": "2.13.0+cpu", **changes}
    return probed(variant, days, passed, **changes)


def rehearsed(variant: str, days: float = 0.1, passed: int = 0) -> ProbeFacts:
    return on_cpu(variant, days, passed, kind=ProbeKind.REHEARSED)


def compared(
    eager: ProbeFacts, variant: ProbeFacts, accuracy: AccuracyState = AccuracyState.PASS, **changes: Any
) -> ComparisonFacts:
    comparison = ComparisonFacts(
        comparison_id=f"comparison-{next(_numbers):06}",
        baseline_probe=eager.probe_id,
        candidate_probe=variant.probe_id,
        pairs=20,
        accuracy=accuracy,
        accuracy_reason="told by the comparison",
        scaled_difference=0.0,
        upper_bound=0.01,
        margin=0.05,
        mae_ratio=1.0,
        speed_up=1.6,
        memory_ratio=1.1,
        created_at=variant.started_at,
    )
    return replace(comparison, **changes)


def working(variant: str = "mended", days: float = 0.1, **changes: Any) -> History:
    """One campaign in which eager and ``variant`` pass and forecast alike."""
    eager, other = probed("eager", days), probed(variant, days, **changes)
    return History("kronos", probes=(eager, other), comparisons=(compared(eager, other),))


def joined(*histories: History, **changes: Any) -> History:
    return History(
        "kronos",
        probes=tuple(probe for history in histories for probe in history.probes),
        comparisons=tuple(comparison for history in histories for comparison in history.comparisons),
        **changes,
    )


def released(*versions: str) -> tuple[ReleaseFacts, ...]:
    return tuple(ReleaseFacts(f"release-{version}", version, days_ago(2)) for version in versions)


def revision(commit: str, ref: str = "origin/HEAD", contained: bool | None = False) -> RevisionFacts:
    return RevisionFacts(f"commit-{commit[0]}", commit * 40, ref, "fix: rotary tables ahead", contained, days_ago(2))


SEEN = Look("torch", NOW, None, None)
UNSEEN = Look("torch", days_ago(9), days_ago(3), "the index does not answer")


def judged(history: History, previous: Decision | None = None, rules: Revisit = RULES) -> Decision:
    return decide(history, previous, rules, NOW)


def criterion(decision: Decision, name: CriterionName) -> Criterion:
    return next(criterion for criterion in decision.criteria if criterion.name is name)


def standing_of(decision: Decision, variant: str) -> VariantStanding:
    return next(standing for standing in decision.standings if standing.variant == variant)
