"""What the DAG files share: assets, defaults, groups by worker queue, and how every run ends.

Nothing here reads a database or imports a heavy module: the dag-processor parses it again and again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any, Protocol

from airflow.sdk import DAG, Asset, AssetWatcher, CronTriggerTimetable, TaskGroup, TriggerRule, task

from kronos_health.airflow_plugin import tasks
from kronos_health.airflow_plugin.triggers import LogHits, followed, state_of
from kronos_health.settings.models import Settings

# An update of these is a wake-up, no message: whoever it wakes reads the database.
PROBES = Asset("kronos_health_probes")
FINDINGS = Asset("kronos_health_findings")
UPSTREAM = Asset("kronos_health_upstream")
PROPOSAL = Asset("kronos_health_proposal")
LOG_HITS = "kronos_health_log_hits"

TAG = "kronos-health"
GPU_POOL = "gpu"

# Outcomes are rows, so that only infrastructure fails a task: a database away for a moment, a worker killed.
_DEFAULTS: dict[str, Any] = {
    "owner": "kronos-health",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "execution_timeout": timedelta(minutes=15),
}


class Queued(Protocol):
    """A target or a source: something that one worker queue can reach."""

    @property
    def queue(self) -> str:
        """The queue's name; empty for Airflow's default."""


def defaults(**changes: Any) -> dict[str, Any]:
    """The DAGs' ``default_args`` with ``changes``."""
    return {**_DEFAULTS, **changes}


def cron(expression: str) -> CronTriggerTimetable:
    """A schedule in UTC whose first run is the next tick after the DAG is first seen.

    ``run_immediately=False`` does not do what Airflow 3.3 says of it: the last tick is run at once when it is younger
    than a tenth of the period, which for a nightly DAG is two hours. A ``timedelta`` is obeyed.
    """
    return CronTriggerTimetable(expression, timezone="UTC", run_immediately=timedelta(milliseconds=1))


def log_hits(settings: Settings) -> Asset:
    """The asset that the triggerer updates when something critical shows up in a log that it follows."""
    names = followed(settings)
    if not settings.follow.enabled or not names:
        return Asset(LOG_HITS)
    watcher = AssetWatcher(name="kronos_health_follower", trigger=LogHits(list(names), state_of(settings)))
    return Asset(LOG_HITS, watchers=[watcher])


def by_queue(things: Mapping[str, Queued]) -> dict[str, tuple[str, ...]]:
    """Names by worker queue, in the order written. Airflow cannot map a queue, so each one gets tasks of its own."""
    groups: dict[str, tuple[str, ...]] = {}
    for name, thing in things.items():
        groups[thing.queue] = (*groups.get(thing.queue, ()), name)
    return groups


def on_queue(queue: str) -> AbstractContextManager[Any]:
    """The task group of a queue; the default queue's tasks stand at the top, without a group."""
    return TaskGroup(f"on_{re.sub(r'[^A-Za-z0-9_-]', '_', queue)}") if queue else nullcontext()


def placed(queue: str) -> dict[str, Any]:
    """Operator arguments that put a task on ``queue``; nothing for the default queue."""
    return {"queue": queue} if queue else {}


def announced(asset: Asset, seen: Iterable[Any]) -> Any:
    """The one task that owns ``asset``: updates it when anything in ``seen`` was news, and is skipped otherwise."""
    announce = task(
        task_id="announce",
        outlets=[asset],
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="Wakes the DAGs that wait for news; skipped when there is none.",
    )(tasks.announce)
    return announce(list(seen))


def conclude(dag: DAG) -> None:
    """Let every run end in the same two tasks.

    ``deliver`` sends what is due, whatever happened before. ``report_failures`` runs only when a task failed and fails
    the run: a run is judged by its last tasks, and a delivery that worked would hide what did not.
    """
    deliver = task(
        task_id="deliver",
        trigger_rule=TriggerRule.ALL_DONE,
        execution_timeout=timedelta(minutes=5),
        doc_md="Sends the messages that are due.",
    )(tasks.deliver)
    report = task(
        task_id="report_failures",
        trigger_rule=TriggerRule.ONE_FAILED,
        retries=0,
        doc_md="Fails the run when any task of it failed; skipped when all worked.",
    )(tasks.report_failures)
    leaves = list(dag.leaves)
    delivered = deliver()
    delivered.set_upstream(leaves)
    earlier = list(dag.tasks)
    report().set_upstream(earlier)
