"""Plans of campaigns: what is to be measured, who measures it now, and what was lost on the way.

A claim is a random token that its holder shows at every write (a compare-and-set): a process that was taken for dead
and is not can store nothing any more. Like all repositories these functions take part in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, select, update

from kronos_health.domain.campaigns import Campaign, Holder, PlannedProbe
from kronos_health.domain.probes import EvaluationSpec, Outcome, ProbeKind, ProbeSpec, Regime
from kronos_health.store.probes import fitted
from kronos_health.store.tables.plans import campaign_probe, interruption
from kronos_health.store.tables.probes import campaign, probe
from kronos_health.store.types import new_id

_OWN_SHAPE = ("kind", "regime", "evaluation", "warmups")
_PLAIN = tuple(field.name for field in fields(ProbeSpec) if field.name not in _OWN_SHAPE)
_EVALUATION = tuple(field.name for field in fields(EvaluationSpec))
_NOBODY: dict[str, None] = dict.fromkeys(
    ("claim", "holder_machine", "holder_pid", "holder_started", "running_index", "running_since")
)


def lock_campaign(connection: Connection, campaign_id: str) -> bool:
    """Hold the campaign's row until the transaction ends, so that two never plan or close it at once.

    Returns whether there is such a campaign. (SQLite's writing transactions exclude each other anyway.)
    """
    return (
        connection.execute(select(campaign.c.id).where(campaign.c.id == campaign_id).with_for_update()).first()
        is not None
    )


def add_to_plan(connection: Connection, campaign_id: str, specs: Iterable[ProbeSpec]) -> None:
    """Append to the plan what is not in it yet, in the order given."""
    lock_campaign(connection, campaign_id)
    known = [line.spec for line in plan_of(connection, campaign_id)]
    for spec in specs:
        if spec not in known:
            row = {"id": new_id(), "campaign_id": campaign_id, "position": len(known), **_spec_row(spec)}
            connection.execute(campaign_probe.insert().values(fitted(campaign_probe, row)))
            known.append(spec)


def plan_of(connection: Connection, campaign_id: str) -> tuple[PlannedProbe, ...]:
    """The plan in its order, with how each line stands."""
    return _planned(connection, campaign_probe.c.campaign_id == campaign_id)


def abandoned(connection: Connection, before: datetime) -> tuple[PlannedProbe, ...]:
    """Lines that somebody claimed and of whom there was no sign of life since ``before``."""
    return _planned(connection, campaign_probe.c.claim.is_not(None), campaign_probe.c.alive_at < before)


def campaign_by_id(connection: Connection, campaign_id: str) -> Campaign | None:
    """One campaign."""
    return _first(connection, campaign.c.id == campaign_id)


def newest_planned(connection: Connection, *, unfinished: bool = False) -> Campaign | None:
    """The newest campaign with a plan that was not started by Airflow, which goes on by itself."""
    has_plan = select(campaign_probe.c.id).where(campaign_probe.c.campaign_id == campaign.c.id).exists()
    wanted = [has_plan, campaign.c.airflow_run_id.is_(None)]
    return _first(connection, *wanted, *([campaign.c.finished_at.is_(None)] if unfinished else []))


def unfinished_of_run(connection: Connection, dag_id: str | None, run_id: str) -> Campaign | None:
    """The campaign that a DAG run has begun and not finished."""
    mine = (campaign.c.airflow_dag_id == dag_id) & (campaign.c.airflow_run_id == run_id)
    return _first(connection, mine, campaign.c.finished_at.is_(None))


def claim(connection: Connection, lines: Sequence[PlannedProbe], token: str, holder: Holder, now: datetime) -> bool:
    """Take ``lines`` if each of them still stands as it was read; otherwise take none and return ``False``."""
    table = campaign_probe.c
    taken = {
        "claim": token,
        "holder_machine": holder.machine,
        "holder_pid": holder.pid,
        "holder_started": holder.started,
        "alive_at": now,
        "running_index": None,
        "running_since": None,
    }
    with connection.begin_nested() as attempt:
        for line in lines:
            same = table.claim.is_(None) if line.claim is None else table.claim == line.claim
            done = update(campaign_probe).where(table.id == line.planned_id, same)
            if connection.execute(done.values(fitted(campaign_probe, taken))).rowcount != 1:
                attempt.rollback()
                return False
    return True


def renew(connection: Connection, token: str, now: datetime) -> bool:
    """A sign of life for everything held by the claim; ``False`` when somebody else has taken it."""
    changed = update(campaign_probe).where(campaign_probe.c.claim == token).values(alive_at=now)
    return connection.execute(changed).rowcount > 0


def note_running(connection: Connection, planned_id: str, token: str, index: int | None, now: datetime) -> bool:
    """Say which iteration runs (``None``: it has ended); ``False`` when somebody else has taken the line."""
    held = (campaign_probe.c.id == planned_id) & (campaign_probe.c.claim == token)
    values = {"running_index": index, "running_since": None if index is None else now, "alive_at": now}
    return connection.execute(update(campaign_probe).where(held).values(values)).rowcount == 1


def attach(connection: Connection, planned_id: str, token: str, probe_id: str) -> bool:
    """Name the probe that measures a line; ``False`` when somebody else has taken the line."""
    held = (campaign_probe.c.id == planned_id) & (campaign_probe.c.claim == token)
    return connection.execute(update(campaign_probe).where(held).values(probe_id=probe_id)).rowcount == 1


def release_line(connection: Connection, planned_id: str, token: str) -> bool:
    """Give back one line that is closed; ``False`` when somebody else has taken it."""
    held = (campaign_probe.c.id == planned_id) & (campaign_probe.c.claim == token)
    return connection.execute(update(campaign_probe).where(held).values(**_NOBODY)).rowcount == 1


def release(connection: Connection, token: str, now: datetime, reason: str) -> None:
    """Give back all that the claim holds; an iteration that still ran is noted as lost for ``reason``."""
    for line in _planned(connection, campaign_probe.c.claim == token):
        note_loss(connection, line, now, reason)
    connection.execute(update(campaign_probe).where(campaign_probe.c.claim == token).values(**_NOBODY))


def note_loss(connection: Connection, line: PlannedProbe, now: datetime, reason: str) -> bool:
    """Keep visible that an iteration of ``line`` ran and was lost; ``False`` when none ran."""
    if line.probe_id is None or line.running_index is None or line.running_since is None:
        return False
    row = {
        "id": new_id(),
        "probe_id": line.probe_id,
        "index": line.running_index,
        "started_at": line.running_since,
        "last_seen_at": line.alive_at or line.running_since,
        "noticed_at": now,
        "reason": reason,
    }
    connection.execute(interruption.insert().values(fitted(interruption, row)))
    return True


def _first(connection: Connection, *wanted: ColumnElement[bool]) -> Campaign | None:
    newest = select(campaign).where(*wanted).order_by(campaign.c.started_at.desc(), campaign.c.id.desc()).limit(1)
    row = connection.execute(newest).mappings().first()
    if row is None:
        return None
    return Campaign(row["id"], row["started_at"], row["finished_at"], row["origin"], row["airflow_run_id"])


def _planned(connection: Connection, *wanted: ColumnElement[bool]) -> tuple[PlannedProbe, ...]:
    table = campaign_probe
    query = (
        select(table, probe.c.outcome, probe.c.skipped_reason)
        .outerjoin(probe, table.c.probe_id == probe.c.id)
        .where(*wanted)
        .order_by(table.c.campaign_id, table.c.position)
    )
    return tuple(_line(row) for row in connection.execute(query).mappings())


def _line(row: RowMapping) -> PlannedProbe:
    holder = None
    if row["holder_machine"] is not None:
        holder = Holder(row["holder_machine"], row["holder_pid"], row["holder_started"])
    same_name = ("campaign_id", "probe_id", "skipped_reason", "claim", "alive_at", "running_index", "running_since")
    return PlannedProbe(
        planned_id=row["id"],
        spec=_spec(row),
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        holder=holder,
        **{name: row[name] for name in same_name},
    )


def _spec_row(spec: ProbeSpec) -> dict[str, Any]:
    plain = {name: getattr(spec, name) for name in _PLAIN}
    warmups = ",".join(map(str, spec.warmups))
    shaped = {"kind": spec.kind.value, "regime": spec.regime.value, "warmups": warmups}
    return {**plain, **shaped, **asdict(spec.evaluation)}


def _spec(row: RowMapping) -> ProbeSpec:
    evaluation = EvaluationSpec(**{name: row[name] for name in _EVALUATION})
    plain = {name: row[name] for name in _PLAIN}
    warmups = tuple(int(number) for number in row["warmups"].split(",") if number)
    kind, regime = ProbeKind(row["kind"]), Regime(row["regime"])
    return ProbeSpec(**plain, kind=kind, regime=regime, evaluation=evaluation, warmups=warmups)
