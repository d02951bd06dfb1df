"""Seven days of history as the checker would have stored it, written straight into the tables.

Every morning at 06:00: eager and stock compiled measured on CUDA (compiled breaks by graph reuse), the mended variant
measured on CPU only, stock compiled rehearsed; then a decision. Scans every eight hours; graph reuse in the log on the
fourth day, when somebody deployed with KRONOS_COMPILE=1; alerts and messages that follow. Before all that the imported
baseline of 2025-10-30.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Table, insert, update

from kronos_health.revisit.regression import judge
from kronos_health.settings.models import Regression
from kronos_health.store import figures
from kronos_health.store.tables.probes import probe
from kronos_health.store.tables.switch import switch
from kronos_health.store.tables.upstream import (
    deployment,
    settings_drift,
    upstream_commit,
    upstream_look,
    upstream_release,
)
from kronos_health.store.types import new_id
from tests.support.history_alerts import REUSE, insert_actions, insert_alerts, insert_heartbeats
from tests.support.history_decisions import insert_baseline_decision, insert_decision
from tests.support.history_logs import insert_logs
from tests.support.history_probes import (
    MENDED,
    OVERWRITTEN,
    insert_baseline,
    insert_campaign,
    insert_comparison,
    insert_environment,
    insert_plan,
    insert_probe,
)

__all__ = ["BASELINE_DAY", "DAYS", "MENDED", "OVERWRITTEN", "History", "row", "seven_days_of_history"]

DAYS = 7
BASELINE_DAY = datetime(2025, 10, 30, tzinfo=UTC)


@dataclass
class History:
    """Ids of what was inserted, oldest first."""

    cuda_environment: str = ""
    cpu_environment: str = ""
    campaigns: list[str] = field(default_factory=list)
    eager_probes: list[str] = field(default_factory=list)
    compiled_probes: list[str] = field(default_factory=list)
    cpu_probes: list[str] = field(default_factory=list)
    rehearsals: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    deployed_at: datetime = BASELINE_DAY
    alert: str = REUSE


def row(connection: Connection, table: Table, **values: object) -> str:
    """Insert one row and return its id, which is made unless given or the table has none."""
    if "id" in table.c:
        values.setdefault("id", new_id())
    connection.execute(insert(table).values(**values))
    return str(values.get("id", ""))


def seven_days_of_history(connection: Connection, now: datetime) -> History:
    """Insert the history that ends on the morning of ``now``; the caller owns the transaction."""
    history = History(
        cuda_environment=insert_environment(connection, "cuda"),
        cpu_environment=insert_environment(connection, "cpu"),
        deployed_at=now - timedelta(days=3, hours=2),
    )
    insert_baseline(connection, BASELINE_DAY)
    insert_baseline_decision(connection, BASELINE_DAY)
    for ago in range(DAYS - 1, -1, -1):
        morning = (now - timedelta(days=ago)).replace(hour=6, minute=0, second=0, microsecond=0)
        _one_day(connection, history, morning)
    disturbed = update(probe).where(probe.c.id == history.cpu_probes[0])
    connection.execute(disturbed.values(noise="other programs used 50% of the processors during iteration 1"))
    series = figures.series_of_campaign(connection, history.campaigns[-1])
    judged = {one: judge(points, one.figure, Regression()) for one, points in series.items()}
    figures.record_verdicts(connection, judged, now)
    history.findings = insert_logs(connection, now, history.deployed_at)
    insert_alerts(connection, now, history.findings)
    insert_actions(connection, now)
    insert_heartbeats(connection, now)
    _upstream(connection, now)
    _production(connection, now, history.deployed_at)
    return history


def _one_day(connection: Connection, history: History, morning: datetime) -> None:
    day = len(history.campaigns)
    campaign = insert_campaign(connection, morning)
    history.campaigns.append(campaign)
    eager = insert_probe(connection, campaign, history.cuda_environment, "eager", morning, slower=day)
    compiled = insert_probe(connection, campaign, history.cuda_environment, "compiled", morning, broken=True)
    cpu_eager = insert_probe(connection, campaign, history.cpu_environment, "eager", morning, on_cpu=True)
    cpu_mended = insert_probe(connection, campaign, history.cpu_environment, MENDED, morning, on_cpu=True)
    # After the first day somebody brought Python up to date: rehearsals are counted anew.
    cpu = history.cpu_environment if day else insert_environment(connection, "cpu", python="3.11.6")
    rehearsal = insert_probe(connection, campaign, cpu, "compiled", morning, broken=True, on_cpu=True, rehearsed=True)
    insert_comparison(connection, campaign, cpu_eager, cpu_mended, morning)
    insert_plan(connection, campaign, [eager, compiled, cpu_eager, cpu_mended, rehearsal], morning)
    history.eager_probes.append(eager)
    history.compiled_probes.append(compiled)
    history.cpu_probes += [cpu_eager, cpu_mended]
    history.rehearsals.append(rehearsal)
    history.decisions.append(
        insert_decision(connection, morning + timedelta(minutes=20), day, compiled, cpu_mended, eager)
    )


def _upstream(connection: Connection, now: datetime) -> None:
    began = now - timedelta(days=7)
    for version, seen_at, first in (("2.9.0", began, True), ("2.13.0", began, True), ("2.15.0", now, False)):
        row(connection, upstream_release, package="torch", version=version, seen_at=seen_at, first_look=first)
    for ref, commit in (("HEAD", "67b630e67f6a18c9e9be918d9b4337c960db1e9a"), ("origin/HEAD", "c0ffee" + "0" * 34)):
        row(
            connection,
            upstream_commit,
            repository="kronos",
            commit=commit,
            ref=ref,
            subject="Precompute rotary tables <& more>",
            committed_at=began,
            seen_at=began,
            first_look=True,
        )
    row(connection, upstream_look, subject="torch", last_ok_at=now - timedelta(hours=1))
    row(
        connection,
        upstream_look,
        subject="kronos",
        last_ok_at=now - timedelta(days=2),
        unknown_since=now - timedelta(days=1, hours=3),
        reason="git fetch: could not resolve host",
    )


def _production(connection: Connection, now: datetime, deployed_at: datetime) -> None:
    row(
        connection,
        switch,
        target="kronos",
        variant=MENDED,
        evidence_key="e" * 32,
        confidence="MODERATE",
        state="rejected",
        proposed_at=now - timedelta(days=6, hours=2),
        file="/srv/trading/.env.compile",
        before_sha256="b" * 64,
        after_sha256="a" * 64,
        diff="-# export KRONOS_COMPILE=1\n+export KRONOS_COMPILE=1",
        changes='[["KRONOS_COMPILE", "1"]]',
        former='[["KRONOS_COMPILE", null]]',
        summary="COMPILED, confidence MODERATE",
        who="ann",
        reason="measured on CPU only",
        answered_at=now - timedelta(days=6, hours=1),
        settled_at=now - timedelta(days=6, hours=1),
        by_hand=False,
        version=1,
    )
    row(connection, deployment, deployed_at=deployed_at, origin="reported", note="tried compile on ETHUSD")
    row(
        connection,
        settings_drift,
        where="file .env.compile",
        key="KRONOS_COMPILE",
        expected="not 1",
        actual="1",
        kind="forbidden",
        seen_at=deployed_at + timedelta(hours=1),
    )
    row(
        connection,
        settings_drift,
        where="file .env.compile",
        key="ADD_LATEST",
        expected="1",
        actual=None,
        kind="missing",
        seen_at=now - timedelta(days=6),
        cleared_at=now - timedelta(days=5),
    )
