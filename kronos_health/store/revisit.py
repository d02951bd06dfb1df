"""The history that a decision rests on, and the decisions themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, Subquery, column, func, select
from sqlalchemy import table as view

from kronos_health.domain.probes import AccuracyState, CacheState, Outcome, ProbeKind, Regime
from kronos_health.domain.revisit import (
    ComparisonFacts,
    Confidence,
    Criterion,
    CriterionName,
    CriterionState,
    Decision,
    Evidence,
    History,
    Mode,
    ProbeFacts,
    ReleaseFacts,
    ResetFacts,
    RevisionFacts,
    VariantStanding,
)
from kronos_health.store.tables.probes import comparison, environment, iteration, probe
from kronos_health.store.tables.revisit import criterion_evaluation, criterion_evidence, decision, variant_standing
from kronos_health.store.tables.upstream import upstream_commit, upstream_release
from kronos_health.store.types import UtcDateTime, new_id
from kronos_health.store.upstream import HEAD, look

# Views: iterations are counted, and changes of the fingerprint put into words, in SQL only.
_COUNTS = view("v_probe_count", *map(column, ("probe_id", "failed", "graph_failures", "cold", "warm")))
_RESETS = view(
    "v_fingerprint_reset",
    *map(column, ("target", "variant", "candidate", "counted_as", "changed", "current_stretch")),
    column("reset_at", UtcDateTime(timezone=True)),
)
_PRODUCTION = "production"
_STANDING_COLUMNS = tuple(name for name in VariantStanding.__dataclass_fields__ if name != "confidence")


def load_history(
    connection: Connection, target: str, *, package: str = "torch", repository: str | None = None, ref: str = ""
) -> History:
    """Everything stored about ``target``, in time order.

    ``repository`` and ``ref`` name the watched checkout that carries this target's code (``"kronos"`` and
    ``upstream.kronos_ref``); ``None`` for a target without one. Production's torch is that of the newest measured probe
    in production's environment that got far enough to say.
    """
    probes = _probes(connection, target)
    measured = [
        item for item in probes if item.candidate == _PRODUCTION and item.kind is ProbeKind.MEASURED and item.torch
    ]
    head, remote, commits = _revisions(connection, repository) if repository else (None, None, frozenset[str]())
    return History(
        target=target,
        probes=probes,
        resets=_resets(connection, target),
        comparisons=_comparisons(connection, target),
        releases=_releases(connection, package),
        release_look=look(connection, package),
        head=head,
        remote=remote,
        revision_look=look(connection, f"{repository} {ref}") if repository else None,
        known_commits=commits,
        production_torch=measured[-1].torch if measured else None,
    )


def _probes(connection: Connection, target: str) -> tuple[ProbeFacts, ...]:
    counted, most = _COUNTS.c, _torch_counts(target)
    torch = most.c
    query = (
        select(probe, environment.c.device, environment.c.fingerprint, environment.c.torch,
               environment.c.target_revision, counted.failed.label("iterations_failed"), counted.graph_failures,
               counted.cold, counted.warm, torch.recompiles, torch.cudagraph_skips)
        .outerjoin(environment, probe.c.environment_id == environment.c.id)
        .join(_COUNTS, counted.probe_id == probe.c.id)
        .outerjoin(most, torch.probe_id == probe.c.id)
        .where(probe.c.target == target)
        .order_by(probe.c.started_at, probe.c.id)
    )  # fmt: skip
    return tuple(_probe(row) for row in connection.execute(query).mappings())


def _torch_counts(target: str) -> Subquery:
    """The most that torch counted in one process of each probe, of those that say something about the model."""
    table = iteration.c
    says_nothing = [outcome.value for outcome in Outcome if not outcome.about_the_model]
    return (
        select(
            table.probe_id,
            func.max(table.recompiles).label("recompiles"),
            func.max(table.cudagraph_skips).label("cudagraph_skips"),
        )
        .join(probe, table.probe_id == probe.c.id)
        .where(probe.c.target == target, table.outcome.not_in(says_nothing))
        .group_by(table.probe_id)
        .subquery("most")
    )


def _probe(row: RowMapping) -> ProbeFacts:
    caches = {CacheState.COLD: row["cold"], CacheState.WARM: row["warm"]}
    return ProbeFacts(
        probe_id=row["id"],
        target=row["target"],
        variant=row["variant"],
        candidate=row["candidate"],
        kind=ProbeKind(row["kind"]),
        regime=Regime(row["regime"]),
        imported=row["imported"],
        device=row["device"],
        fingerprint=row["fingerprint"],
        torch=row["torch"],
        target_revision=row["target_revision"],
        started_at=row["started_at"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        requested=row["requested"],
        passed=row["passed"],
        failed=int(row["iterations_failed"]),
        graph_failures=int(row["graph_failures"]),
        cache_states=frozenset(state for state, count in caches.items() if count),
        noisy=bool(row["noise"]),
        message=row["message"] or row["skipped_reason"],
        recompiles=row["recompiles"],
        cudagraph_skips=row["cudagraph_skips"],
    )


def _resets(connection: Connection, target: str) -> tuple[ResetFacts, ...]:
    reset = _RESETS.c
    query = select(reset.variant, reset.candidate, reset.counted_as, reset.reset_at, reset.changed)
    rows = connection.execute(query.where(reset.target == target, reset.current_stretch == 1))
    return tuple(ResetFacts(*row) for row in rows)


def _comparisons(connection: Connection, target: str) -> tuple[ComparisonFacts, ...]:
    query = (
        select(comparison)
        .join(probe, comparison.c.candidate_probe_id == probe.c.id)
        .where(probe.c.target == target)
        .order_by(comparison.c.created_at, comparison.c.id)
    )
    return tuple(
        ComparisonFacts(
            comparison_id=row["id"],
            baseline_probe=row["baseline_probe_id"],
            candidate_probe=row["candidate_probe_id"],
            accuracy=AccuracyState(row["accuracy"]),
            **{name: row[name] for name in _COMPARISON_COLUMNS},
        )
        for row in connection.execute(query).mappings()
    )


_COMPARISON_COLUMNS = tuple(
    name
    for name in ComparisonFacts.__dataclass_fields__
    if name not in ("comparison_id", "baseline_probe", "candidate_probe", "accuracy")
)


def _releases(connection: Connection, package: str) -> tuple[ReleaseFacts, ...]:
    table = upstream_release.c
    query = select(table.id, table.version, table.seen_at).where(table.package == package)
    rows = connection.execute(query.order_by(table.seen_at, table.id))
    return tuple(ReleaseFacts(row.id, row.version, row.seen_at) for row in rows)


def _revisions(
    connection: Connection, repository: str
) -> tuple[RevisionFacts | None, RevisionFacts | None, frozenset[str]]:
    """What is checked out now, what the remote has now, and every commit ever seen of either."""
    table = upstream_commit.c
    query = select(upstream_commit).where(table.repository == repository).order_by(table.last_seen_at, table.id)
    latest: dict[bool, RevisionFacts] = {}
    commits = set()
    for row in connection.execute(query):
        commits.add(row.commit)
        latest[row.ref == HEAD] = RevisionFacts(row.id, row.commit, row.ref, row.subject, row.contained, row.seen_at)
    return latest.get(True), latest.get(False), frozenset(commits)


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """A decision with its row id; ``imported`` for one that people took and a results file recorded."""

    decision_id: str
    imported: bool
    decision: Decision


def record_decision(connection: Connection, taken: Decision, imported: bool = False) -> str:
    """Store a decision with its criteria, their evidence and the standings; returns its id."""
    decision_id = new_id()
    connection.execute(
        decision.insert().values(
            id=decision_id, target=taken.target, decided_at=taken.decided_at, mode=taken.mode.value,
            variant=taken.variant, confidence=taken.confidence.value, sentence=taken.sentence, reason=taken.reason,
            next_step=taken.next_step, evidence_at=taken.evidence_at, imported=imported,
        )
    )  # fmt: skip
    for criterion in taken.criteria:
        _record_criterion(connection, decision_id, criterion)
    rows = [
        {
            "id": new_id(),
            "decision_id": decision_id,
            "confidence": figures.confidence.value,
            **{name: getattr(figures, name) for name in _STANDING_COLUMNS},
        }
        for figures in taken.standings
    ]
    if rows:
        connection.execute(variant_standing.insert(), rows)
    return decision_id


def _record_criterion(connection: Connection, decision_id: str, criterion: Criterion) -> None:
    evaluation_id = new_id()
    connection.execute(
        criterion_evaluation.insert().values(
            id=evaluation_id, decision_id=decision_id, name=criterion.name.value, variant=criterion.variant,
            state=criterion.state.value, value=criterion.value, threshold=criterion.threshold,
            explanation=criterion.explanation,
        )
    )  # fmt: skip
    rows = [
        {
            "id": new_id(), "evaluation_id": evaluation_id, "table_name": item.table, "row_id": item.row_id,
            "admissible": item.admissible, "note": item.note,
        }
        for item in criterion.evidence
    ]  # fmt: skip
    if rows:
        connection.execute(criterion_evidence.insert(), rows)


def latest_decision(connection: Connection, target: str, *, imported: bool | None = None) -> StoredDecision | None:
    """The last decision about ``target``, whole; ``imported`` chooses between people's and the checker's own."""
    found = decisions(connection, target, imported=imported, limit=1)
    return found[0] if found else None


def decisions(
    connection: Connection,
    target: str,
    *,
    imported: bool | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> tuple[StoredDecision, ...]:
    """Decisions about ``target``, newest first, each with its criteria, evidence and standings."""
    table = decision.c
    query = select(decision).where(table.target == target).order_by(table.decided_at.desc(), table.id.desc())
    if imported is not None:
        query = query.where(table.imported.is_(imported))
    if since is not None:
        query = query.where(table.decided_at >= since)
    rows = connection.execute(query.limit(limit)).mappings().all()
    return tuple(StoredDecision(row["id"], row["imported"], _decision(connection, row)) for row in rows)


def _decision(connection: Connection, row: RowMapping) -> Decision:
    return Decision(
        target=row["target"],
        decided_at=row["decided_at"],
        mode=Mode(row["mode"]),
        variant=row["variant"],
        confidence=Confidence(row["confidence"]),
        sentence=row["sentence"],
        reason=row["reason"],
        next_step=row["next_step"],
        criteria=tuple(_criteria(connection, row["id"])),
        standings=tuple(_standings(connection, row["id"])),
        evidence_at=row["evidence_at"],
    )


def _criteria(connection: Connection, decision_id: str) -> Iterable[Criterion]:
    table = criterion_evaluation.c
    rows = connection.execute(select(criterion_evaluation).where(table.decision_id == decision_id).order_by(table.id))
    for row in rows.mappings().all():
        yield Criterion(
            name=CriterionName(row["name"]),
            variant=row["variant"],
            state=CriterionState(row["state"]),
            value=row["value"],
            threshold=row["threshold"],
            explanation=row["explanation"],
            evidence=tuple(_evidence(connection, row["id"])),
        )


def _evidence(connection: Connection, evaluation_id: str) -> Iterable[Evidence]:
    table = criterion_evidence.c
    query = select(criterion_evidence).where(table.evaluation_id == evaluation_id).order_by(table.id)
    for row in connection.execute(query):
        yield Evidence(row.table_name, row.row_id, row.admissible, row.note)


def _standings(connection: Connection, decision_id: str) -> Iterable[VariantStanding]:
    table = variant_standing.c
    query = select(variant_standing).where(table.decision_id == decision_id).order_by(table.id)
    for row in connection.execute(query).mappings():
        yield VariantStanding(
            confidence=Confidence(row["confidence"]), **{name: row[name] for name in _STANDING_COLUMNS}
        )
