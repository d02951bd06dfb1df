"""Writing probes: campaigns, environments, and a probe row by row as it runs: a kill loses at most one iteration.

Like all repositories these functions take part in the caller's transaction and neither begin nor commit one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, Table, select, update
from sqlalchemy.exc import IntegrityError

from kronos_health.domain.probes import (
    Comparison,
    Environment,
    Failure,
    Frame,
    Iteration,
    Leak,
    Outcome,
    ProbeResult,
    ProbeSpec,
)
from kronos_health.domain.warm_up import warm_up_dependence
from kronos_health.store.tables import probes as tables
from kronos_health.store.types import new_id

# Columns of an iteration that are called as its fields are; reading back takes the same.
SAME_NAME = (
    *("index", "started_at", "duration_ms", "exit_status", "signal", "import_ms", "load_ms", "first_call_ms"),
    *("steady_median_ms", "steady_iqr_ms", "steady_p95_ms", "mae", "warmups"),
)


def start_campaign(
    connection: Connection, origin: str, now: datetime, dag_id: str | None = None, run_id: str | None = None
) -> str:
    """Open a campaign: probes that were asked for together. Returns its id."""
    campaign_id = new_id()
    row = {"id": campaign_id, "started_at": now, "origin": origin, "airflow_dag_id": dag_id, "airflow_run_id": run_id}
    connection.execute(tables.campaign.insert().values(fitted(tables.campaign, row)))
    return campaign_id


def finish_campaign(connection: Connection, campaign_id: str, now: datetime) -> None:
    """Note when the campaign's last probe was done; a campaign is finished once."""
    campaign = tables.campaign
    unfinished = (campaign.c.id == campaign_id) & campaign.c.finished_at.is_(None)
    connection.execute(update(campaign).where(unfinished).values(finished_at=now))


def ensure_environment(connection: Connection, environment: Environment) -> str:
    """The id of the environment with this fingerprint; it is added when it is new, also beside another writer."""
    table = tables.environment
    known = select(table.c.id).where(table.c.fingerprint == environment.fingerprint)
    found = connection.execute(known).scalar_one_or_none()
    if found is not None:
        return str(found)
    row = {"id": new_id(), **asdict(environment)}
    try:
        with connection.begin_nested():
            connection.execute(table.insert().values(fitted(table, row)))
    except IntegrityError:  # another probe was first
        return str(connection.execute(known).scalar_one())
    return str(row["id"])


def open_probe(connection: Connection, campaign_id: str, spec: ProbeSpec, started_at: datetime) -> str:
    """Add a probe that is about to run; its outcome stays null until :func:`close_probe`. Returns its id."""
    probe_id = new_id()
    row = {"id": probe_id, "campaign_id": campaign_id, "started_at": started_at, **_identity(spec)}
    connection.execute(tables.probe.insert().values(fitted(tables.probe, row)))
    return probe_id


def record_iteration(
    connection: Connection, probe_id: str, iteration: Iteration, environment: Environment | None = None
) -> str:
    """Add an iteration that has ended, with its predictions, and keep the probe's count and environment up to date.

    Raises ``IntegrityError`` when the probe already has an iteration of that index.
    """
    iteration_id = new_id()
    row = {"id": iteration_id, "probe_id": probe_id, **_iteration_row(iteration)}
    connection.execute(tables.iteration.insert().values(fitted(tables.iteration, row)))
    predictions = [
        fitted(tables.prediction, {"id": new_id(), "iteration_id": iteration_id, **asdict(prediction)})
        for prediction in iteration.predictions
    ]
    if predictions:
        connection.execute(tables.prediction.insert(), predictions)
    heads = _logit_rows(iteration_id, iteration)
    if heads:
        connection.execute(tables.logit_accuracy.insert(), heads)
    leaks = [_leak_row(iteration_id, index, leak) for index, leak in enumerate(iteration.leaks)]
    if leaks:
        connection.execute(tables.leak.insert(), [fitted(tables.leak, row) for row in leaks])
    changes: dict[str, Any] = {}
    if iteration.outcome is Outcome.PASSED:
        changes["passed"] = tables.probe.c.passed + 1
    if environment is not None:
        changes["environment_id"] = ensure_environment(connection, environment)
    if changes:
        connection.execute(update(tables.probe).where(tables.probe.c.id == probe_id).values(changes))
    return iteration_id


def close_probe(connection: Connection, probe_id: str, result: ProbeResult) -> None:
    """Write the outcome and summary figures of a probe whose iterations are recorded.

    A probe that was marked lost meanwhile (it only was slow) gets its real outcome.
    """
    environment_id = ensure_environment(connection, result.environment) if result.environment else None
    row = {**_summary(result), "environment_id": environment_id}
    changed = update(tables.probe).where(tables.probe.c.id == probe_id).values(fitted(tables.probe, row))
    connection.execute(changed)


def add_probe(connection: Connection, campaign_id: str, result: ProbeResult, probe_id: str | None = None) -> str:
    """Store a whole finished probe at once, e.g. an imported one. Returns its id."""
    probe_id = probe_id or new_id()
    row = {"id": probe_id, "campaign_id": campaign_id, "started_at": result.started_at, **_identity(result.spec)}
    connection.execute(tables.probe.insert().values(fitted(tables.probe, {**row, "imported": result.imported})))
    for iteration in result.iterations:
        record_iteration(connection, probe_id, iteration)
    close_probe(connection, probe_id, result)
    return probe_id


def note_noise(connection: Connection, probe_id: str, noise: Iterable[str]) -> None:
    """Keep why the figures may be disturbed as it becomes known, so that a kill does not make them look clean."""
    text = "\n".join(noise) or None
    connection.execute(update(tables.probe).where(tables.probe.c.id == probe_id).values(noise=text))


def reopen_probe(connection: Connection, probe_id: str) -> None:
    """Take back the closing of a probe that was stopped, skipped or lost: it goes on."""
    closing = ("outcome", "finished_at", "skipped_reason", *_failure_columns(None))
    changed = update(tables.probe).where(tables.probe.c.id == probe_id).values(dict.fromkeys(closing))
    connection.execute(changed)


_DIED = "the checker ended before the probe did; its iterations up to then are kept"


def mark_lost(connection: Connection, probe_ids: Iterable[str], now: datetime, reason: str = _DIED) -> int:
    """Close probes whose checker died; those that have an outcome are left alone. Returns how many were marked."""
    lost = {"outcome": Outcome.LOST.value, "finished_at": now, "error_class": "Lost", "message": reason}
    table = tables.probe
    still_open = table.c.id.in_(list(probe_ids)) & table.c.outcome.is_(None)
    return connection.execute(update(table).where(still_open).values(lost)).rowcount


def lost_of_campaign(connection: Connection, campaign_id: str) -> set[str]:
    """The probes of a campaign that were closed as lost."""
    table = tables.probe.c
    lost = select(table.id).where(table.campaign_id == campaign_id, table.outcome == Outcome.LOST.value)
    return set(connection.execute(lost).scalars())


def record_comparison(connection: Connection, campaign_id: str, comparison: Comparison, now: datetime) -> str:
    """Store how a variant's probe compares with eager's; a second comparison of the same two replaces the first."""
    table = tables.comparison
    same = (table.c.baseline_probe_id == comparison.baseline_probe) & (
        table.c.candidate_probe_id == comparison.candidate_probe
    )
    values = asdict(comparison)
    row = {
        "campaign_id": campaign_id,
        "baseline_probe_id": values.pop("baseline_probe"),
        "candidate_probe_id": values.pop("candidate_probe"),
        **values,
        "accuracy": comparison.accuracy.value,
        "logits": comparison.logits.value if comparison.logits else None,
        "forecasts": comparison.forecasts.value if comparison.forecasts else None,
        "created_at": now,
    }
    found = connection.execute(select(table.c.id).where(same)).scalar_one_or_none()
    if found is not None:
        connection.execute(update(table).where(table.c.id == found).values(fitted(table, row)))
        return str(found)
    comparison_id = new_id()
    connection.execute(table.insert().values(fitted(table, {"id": comparison_id, **row})))
    return comparison_id


def fitted(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """``row`` as the table takes it: text of a child's making is cut to its column and loses what databases refuse."""
    return {name: _fit(table, name, value) for name, value in row.items()}


def _fit(table: Table, name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    kind = table.c[name].type
    return text[: kind.length] if isinstance(kind, String) and kind.length else text


def _identity(spec: ProbeSpec) -> dict[str, Any]:
    return {
        "target": spec.target,
        "variant": spec.variant,
        "candidate": spec.candidate,
        "kind": spec.kind.value,
        "regime": spec.regime.value,
        "requested": spec.iterations,
    }


def _summary(result: ProbeResult) -> dict[str, Any]:
    warm_up = warm_up_dependence(result.iterations)
    return {
        "finished_at": result.finished_at,
        "outcome": result.outcome.value,
        "skipped_reason": result.skipped_reason,
        "passed": result.passed,
        "passes_with_warmups": warm_up.passes_with if warm_up else None,
        "fails_with_warmups": warm_up.fails_with if warm_up else None,
        "noise": "\n".join(result.noise) or None,
        **asdict(result.figures),
        **_failure_columns(result.failure),
    }


def _failure_columns(failure: Failure | None) -> dict[str, Any]:
    frame = failure.frame if failure else None
    return {
        "error_class": failure.error_class if failure else None,
        "message": failure.message if failure else None,
        **_frame_columns("frame", frame),
    }


def _frame_columns(name: str, frame: Frame | None) -> dict[str, Any]:
    return {f"{name}_{part}": getattr(frame, part, None) for part in ("file", "line", "function", "code")}


def _leak_row(iteration_id: str, index: int, leak: Leak) -> dict[str, Any]:
    return {
        "id": new_id(),
        "iteration_id": iteration_id,
        "index": index,
        **{name: getattr(leak, name) for name in ("read", "producer", "output", "shape", "kept_by", "reader")},
        "keeper": leak.keeper.value,
        **_frame_columns("frame", leak.frame),
        **_frame_columns("read", leak.read_at),
    }


def _iteration_row(iteration: Iteration) -> dict[str, Any]:
    counters = asdict(iteration.counters)
    reasons = counters.pop("reasons")
    return {
        **{name: getattr(iteration, name) for name in SAME_NAME},
        "regime": iteration.regime.value,
        "cache_state": iteration.cache_state.value,
        "outcome": iteration.outcome.value,
        **asdict(iteration.memory),
        **counters,
        "reasons": "\n".join(reasons) or None,
        **_failure_columns(iteration.failure),
        "stack": iteration.failure.stack if iteration.failure else None,
        "stderr_tail": iteration.stderr_tail or None,
        "logit_note": iteration.logits.note if iteration.logits else None,
    }


def _logit_rows(iteration_id: str, iteration: Iteration) -> list[dict[str, Any]]:
    told = iteration.logits
    if told is None:
        return []
    same = {"iteration_id": iteration_id, "windows": told.windows, "digest": told.digest}
    heads = {head.name: head for head in told.heads}  # a child may say a name twice
    return [
        fitted(
            tables.logit_accuracy,
            {
                "id": new_id(),
                **same,
                "head": head.name,
                "rmse": head.rmse,
                "total_variation": head.total_variation,
                "finite": head.finite,
            },
        )
        for head in heads.values()
    ]
