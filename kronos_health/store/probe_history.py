"""Reading probes back: what deciding, comparing and reporting need, as domain objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, select

from kronos_health.domain.accuracy import HeadAccuracy, LogitAccuracy
from kronos_health.domain.candidates import PRODUCTION
from kronos_health.domain.probes import (
    AccuracyState,
    CacheState,
    Comparison,
    Environment,
    Failure,
    Frame,
    IterationRecord,
    Outcome,
    PredictionPair,
    ProbeFigures,
    ProbeKind,
    ProbeRecord,
    Regime,
)
from kronos_health.store.tables import probes as tables
from kronos_health.store.tables.plans import campaign_probe

_ENVIRONMENT = [column.label(f"env_{column.name}") for column in tables.environment.c]
_FIGURES = tuple(ProbeFigures.__dataclass_fields__)


def recent_probes(
    connection: Connection,
    target: str,
    *,
    variant: str | None = None,
    kind: ProbeKind | None = None,
    candidate: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> tuple[ProbeRecord, ...]:
    """Probes of a target with their iterations, newest first: running, skipped and imported ones included."""
    probe = tables.probe
    wanted: list[ColumnElement[bool]] = [probe.c.target == target]
    if variant is not None:
        wanted.append(probe.c.variant == variant)
    if kind is not None:
        wanted.append(probe.c.kind == kind.value)
    if candidate is not None:
        wanted.append(probe.c.candidate == candidate)
    if since is not None:
        wanted.append(probe.c.started_at >= since)
    return _records(connection, _probes(*wanted).limit(limit))


def probe_record(connection: Connection, probe_id: str) -> ProbeRecord | None:
    """One probe, or ``None`` where there is none of that id."""
    return next(iter(_records(connection, _probes(tables.probe.c.id == probe_id))), None)


def probes_of_campaign(connection: Connection, campaign_id: str) -> tuple[ProbeRecord, ...]:
    """The probes of a campaign, newest first."""
    return _records(connection, _probes(tables.probe.c.campaign_id == campaign_id))


def open_probes(connection: Connection, started_before: datetime) -> tuple[ProbeRecord, ...]:
    """Probes without an outcome that started before then and gave no sign of life since: lost with their checker."""
    probe, line = tables.probe, campaign_probe.c
    alive = select(line.id).where(line.probe_id == probe.c.id, line.alive_at >= started_before).exists()
    return _records(connection, _probes(probe.c.outcome.is_(None), probe.c.started_at < started_before, ~alive))


def passed_before(
    connection: Connection, target: str, variant: str, *, before: datetime, device: str | None = None
) -> bool:
    """Whether a measured probe of the variant in production's environment, run here before then, ever passed there."""
    probe, environment = tables.probe, tables.environment
    found = (
        select(probe.c.id)
        .outerjoin(environment, probe.c.environment_id == environment.c.id)
        .where(probe.c.target == target, probe.c.variant == variant, probe.c.kind == ProbeKind.MEASURED.value)
        .where(probe.c.outcome == Outcome.PASSED.value, probe.c.started_at < before, probe.c.imported.is_(False))
        .where(probe.c.candidate == PRODUCTION)
    )
    if device is not None:
        found = found.where(environment.c.device == device)
    return connection.execute(found.limit(1)).first() is not None


def prediction_pairs(connection: Connection, baseline_id: str, candidate_id: str) -> tuple[PredictionPair, ...]:
    """The forecasts that two probes made under the same seed, in order; those only one of them made are left out.

    ``same_window`` is told by the naive error: the series may have grown before a campaign went on.
    """
    iteration, prediction = tables.iteration, tables.prediction
    one, other = (
        select(iteration.c.index.label("iteration"), prediction)
        .join(prediction, prediction.c.iteration_id == iteration.c.id)
        .where(iteration.c.probe_id == probe_id)
        .subquery()
        for probe_id in (baseline_id, candidate_id)
    )
    same = and_(one.c.iteration == other.c.iteration, one.c.index == other.c.index, one.c.seed == other.c.seed)
    paired = (
        select(
            one.c.iteration,
            one.c.index,
            one.c.seed,
            one.c.value.label("baseline_value"),
            other.c.value.label("candidate_value"),
            one.c.absolute_error.label("baseline_error"),
            other.c.absolute_error.label("candidate_error"),
            one.c.naive_error,
            one.c.naive_error.is_not_distinct_from(other.c.naive_error).label("same_window"),
        )
        .join(other, same)
        .order_by(one.c.iteration, one.c.index)
    )
    rows = connection.execute(paired).mappings()
    return tuple(PredictionPair(**{**row, "same_window": bool(row["same_window"])}) for row in rows)


def logit_accuracy(connection: Connection, probe_id: str) -> LogitAccuracy | None:
    """What the probe's first iteration that was asked for logits told of them; ``None`` where none was."""
    return next(iter(logits_by_iteration(connection, probe_id).values()), None)


def logits_by_iteration(connection: Connection, probe_id: str) -> dict[str, LogitAccuracy]:
    """What each iteration of the probe that was asked for logits told of them, by iteration id, in their order."""
    iteration, head = tables.iteration, tables.logit_accuracy
    asked = (
        select(iteration.c.id.label("of"), iteration.c.logit_note, head)
        .outerjoin(head, head.c.iteration_id == iteration.c.id)
        .where(iteration.c.probe_id == probe_id)
        .where(head.c.id.is_not(None) | iteration.c.logit_note.is_not(None))
        .order_by(iteration.c.index, head.c.head)
    )
    told: dict[str, LogitAccuracy] = {}
    for row in connection.execute(asked).mappings():
        known = told.get(row["of"]) or LogitAccuracy(row["windows"] or 0, row["digest"], (), row["logit_note"])
        one = (HeadAccuracy(row["head"], row["rmse"], row["total_variation"], row["finite"]),) if row["head"] else ()
        told[row["of"]] = replace(known, heads=(*known.heads, *one))
    return told


def comparisons(connection: Connection, candidate_ids: Sequence[str]) -> dict[str, Comparison]:
    """The latest comparison with eager of each of these probes that has one, by probe id."""
    table = tables.comparison
    rows = connection.execute(
        select(table).where(table.c.candidate_probe_id.in_(list(candidate_ids))).order_by(table.c.created_at)
    ).mappings()
    return {row["candidate_probe_id"]: _comparison(row) for row in rows}


def _probes(*wanted: ColumnElement[bool]) -> Select[Any]:
    probe, environment = tables.probe, tables.environment
    joined = select(probe, *_ENVIRONMENT).outerjoin(environment, probe.c.environment_id == environment.c.id)
    return joined.where(*wanted).order_by(probe.c.started_at.desc(), probe.c.id.desc())


def _records(connection: Connection, query: Select[Any]) -> tuple[ProbeRecord, ...]:
    rows = connection.execute(query).mappings().all()
    iterations = _iterations(connection, [row["id"] for row in rows])
    return tuple(_record(row, iterations.get(row["id"], ())) for row in rows)


def _iterations(connection: Connection, probe_ids: list[str]) -> dict[str, tuple[IterationRecord, ...]]:
    table = tables.iteration
    names = ("id", "probe_id", "index", "regime", "cache_state", "outcome", "started_at", "warmups")
    columns = [table.c[name] for name in names]
    found: dict[str, tuple[IterationRecord, ...]] = {}
    for start in range(0, len(probe_ids), 500):  # SQLite takes only so many values in one statement
        some = probe_ids[start : start + 500]
        rows = connection.execute(select(*columns).where(table.c.probe_id.in_(some)).order_by(table.c.index))
        for row in rows.mappings():
            found[row["probe_id"]] = (*found.get(row["probe_id"], ()), _iteration(row))
    return found


def _iteration(row: RowMapping) -> IterationRecord:
    return IterationRecord(
        iteration_id=row["id"],
        index=row["index"],
        regime=Regime(row["regime"]),
        cache_state=CacheState(row["cache_state"]),
        outcome=Outcome(row["outcome"]),
        started_at=row["started_at"],
        warmups=row["warmups"],
    )


def _record(row: RowMapping, iterations: tuple[IterationRecord, ...]) -> ProbeRecord:
    return ProbeRecord(
        probe_id=row["id"],
        campaign_id=row["campaign_id"],
        target=row["target"],
        variant=row["variant"],
        candidate=row["candidate"],
        kind=ProbeKind(row["kind"]),
        regime=Regime(row["regime"]),
        imported=row["imported"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        requested=row["requested"],
        passed=row["passed"],
        environment=environment_of(row),
        figures=ProbeFigures(**{name: row[name] for name in _FIGURES}),
        failure=failure_of(row),
        skipped_reason=row["skipped_reason"],
        noise=tuple((row["noise"] or "").splitlines()),
        iterations=iterations,
    )


def environment_of(row: RowMapping) -> Environment | None:
    """The environment in a row's ``env_…`` columns."""
    if row["env_id"] is None:
        return None
    return Environment(**{name: row[f"env_{name}"] for name in Environment.__dataclass_fields__})


def failure_of(row: RowMapping) -> Failure | None:
    """The failure in a row's own columns, without its stack."""
    if row["error_class"] is None:
        return None
    frame = None
    if row["frame_file"] is not None:
        frame = Frame(row["frame_file"], row["frame_line"], row["frame_function"] or "", row["frame_code"] or "")
    return Failure(row["error_class"], row["message"] or "", frame)


def _comparison(row: RowMapping) -> Comparison:
    return Comparison(
        baseline_probe=row["baseline_probe_id"],
        candidate_probe=row["candidate_probe_id"],
        pairs=row["pairs"],
        accuracy=AccuracyState(row["accuracy"]),
        accuracy_reason=row["accuracy_reason"],
        scaled_difference=row["scaled_difference"],
        upper_bound=row["upper_bound"],
        margin=row["margin"],
        mae_ratio=row["mae_ratio"],
        speed_up=row["speed_up"],
        memory_ratio=row["memory_ratio"],
        logits=AccuracyState(row["logits"]) if row["logits"] else None,
        forecasts=AccuracyState(row["forecasts"]) if row["forecasts"] else None,
        rmse_ratio=row["rmse_ratio"],
        total_variation=row["total_variation"],
    )
