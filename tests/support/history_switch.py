"""Rows by which the decision says COMPILED: real probes, iterations and comparisons, nothing decided by hand."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from kronos_health.store.tables.probes import comparison, iteration, probe
from tests.support.history_probes import insert_campaign, insert_comparison, insert_environment, insert_probe


def insert_compiled_history(connection: Connection, now: datetime, variant: str = "compiled", days: int = 8) -> None:
    """On each of ``days`` days until ``now``: eager and ``variant`` pass on CUDA, forecast alike, the latter faster."""
    environment = insert_environment(connection, "cuda")
    for day in range(days, 0, -1):
        insert_campaign_of(connection, environment, variant, now - timedelta(days=day - 1, hours=1))


def insert_campaign_of(connection: Connection, environment: str, variant: str, at: datetime) -> None:
    campaign = insert_campaign(connection, at)
    eager = insert_probe(connection, campaign, environment, "eager", at)
    compiled = insert_probe(connection, campaign, environment, variant, at + timedelta(minutes=5), slower=-80)
    connection.execute(update(iteration).where(iteration.c.probe_id == compiled).values(cache_state="warm"))
    first = select(iteration.c.id).where(iteration.c.probe_id == compiled, iteration.c.index == 0)
    connection.execute(update(iteration).where(iteration.c.id == first.scalar_subquery()).values(cache_state="cold"))
    insert_comparison(connection, campaign, eager, compiled, at)
    alike = {"speed_up": 1.6, "memory_ratio": 1.1, "pairs": 20}
    connection.execute(update(comparison).where(comparison.c.candidate_probe_id == compiled).values(**alike))


def break_compiled(connection: Connection, at: datetime, variant: str = "compiled") -> None:
    """One more campaign in which ``variant`` breaks by graph reuse, on the same host."""
    environment = connection.scalar(select(probe.c.environment_id).limit(1))
    campaign = insert_campaign(connection, at)
    insert_probe(connection, campaign, str(environment), "eager", at)
    insert_probe(connection, campaign, str(environment), variant, at + timedelta(minutes=5), broken=True)
