"""Whole iterations read back as they were measured: what a probe that goes on has already."""

from __future__ import annotations

from dataclasses import fields, replace

from sqlalchemy import Connection, RowMapping, select

from kronos_health.domain.campaigns import Measured
from kronos_health.domain.probes import (
    CacheState,
    Counters,
    Frame,
    Iteration,
    Keeper,
    Leak,
    Memory,
    Outcome,
    Prediction,
    Regime,
)
from kronos_health.store.probe_history import failure_of, logits_by_iteration, probe_record
from kronos_health.store.probes import SAME_NAME
from kronos_health.store.tables.probes import iteration, leak, prediction

_MEMORY = tuple(field.name for field in fields(Memory))
_COUNTED = tuple(field.name for field in fields(Counters) if field.name != "reasons")
_PREDICTION = tuple(field.name for field in fields(Prediction))


def measured_by(connection: Connection, probe_id: str) -> Measured:
    """Everything stored of the probe's iterations, by index, with its environment and noise."""
    record = probe_record(connection, probe_id)
    if record is None:
        return Measured()
    predictions: dict[str, list[Prediction]] = {}
    made = (
        select(prediction)
        .join(iteration, prediction.c.iteration_id == iteration.c.id)
        .where(iteration.c.probe_id == probe_id)
        .order_by(prediction.c.index)
    )
    for row in connection.execute(made).mappings():
        values = {name: row[name] for name in _PREDICTION}
        predictions.setdefault(row["iteration_id"], []).append(Prediction(**values))
    leaks = _leaks(connection, probe_id)
    rows = connection.execute(select(iteration).where(iteration.c.probe_id == probe_id).order_by(iteration.c.index))
    logits = logits_by_iteration(connection, probe_id)
    iterations = tuple(
        replace(
            _iteration(row, tuple(predictions.get(row["id"], ()))),
            logits=logits.get(row["id"]),
            leaks=tuple(leaks.get(row["id"], ())),
        )
        for row in rows.mappings()
    )
    return Measured(iterations, record.environment, record.noise)


def _leaks(connection: Connection, probe_id: str) -> dict[str, list[Leak]]:
    told = (
        select(leak)
        .join(iteration, leak.c.iteration_id == iteration.c.id)
        .where(iteration.c.probe_id == probe_id)
        .order_by(leak.c.index)
    )
    found: dict[str, list[Leak]] = {}
    for row in connection.execute(told).mappings():
        values = {name: row[name] for name in ("read", "producer", "output", "shape", "kept_by", "reader")}
        kept = Leak(**values, frame=_frame(row, "frame"), keeper=Keeper(row["keeper"]), read_at=_frame(row, "read"))
        found.setdefault(row["iteration_id"], []).append(kept)
    return found


def _frame(row: RowMapping, name: str) -> Frame | None:
    if row[f"{name}_file"] is None:
        return None
    return Frame(*(row[f"{name}_{part}"] for part in ("file", "line", "function", "code")))


def _iteration(row: RowMapping, predictions: tuple[Prediction, ...]) -> Iteration:
    failure = failure_of(row)
    return Iteration(
        outcome=Outcome(row["outcome"]),
        regime=Regime(row["regime"]),
        cache_state=CacheState(row["cache_state"]),
        memory=Memory(**{name: row[name] for name in _MEMORY}),
        counters=Counters(reasons=tuple((row["reasons"] or "").splitlines()), **{name: row[name] for name in _COUNTED}),
        predictions=predictions,
        failure=replace(failure, stack=row["stack"]) if failure else None,
        stderr_tail=row["stderr_tail"] or "",
        **{name: row[name] for name in SAME_NAME},
    )
