"""Parses the DAG files as the dag-processor does and writes what it found; see ``conftest.run_program``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import conf

HEAVY = ("torch", "pandas", "scipy", "matplotlib", "sktime", "kronos_health.store.database", "psycopg")


def facts(dag: Any) -> dict[str, Any]:
    timetable = dag.timetable
    waits_for = getattr(timetable, "asset_condition", None)
    return {
        "tags": sorted(dag.tags),
        "doc": dag.doc_md or "",
        "start_date": str(dag.start_date) if dag.start_date else None,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "schedule": getattr(getattr(timetable, "timetable", timetable), "expression", None),
        "waits_for": sorted(asset.name for asset in waits_for.objects) if waits_for else [],
        "watchers": [
            watcher.trigger.serialize()
            for asset in (waits_for.objects if waits_for else ())
            for watcher in asset.watchers
        ],
        "params": {name: dag.params.get_param(name).schema for name in dag.params},
        "tasks": {
            task.task_id: {
                "pool": task.pool,
                "queue": task.queue,
                "retries": task.retries,
                "timeout": task.execution_timeout.total_seconds() if task.execution_timeout else None,
                "outlets": [asset.name for asset in task.outlets],
                "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
                "upstream": sorted(task.upstream_task_ids),
                "downstream": sorted(task.downstream_task_ids),
                "mapped": hasattr(task, "expand_input") or hasattr(task, "op_kwargs_expand_input"),
            }
            for task in dag.tasks
        },
    }


def main() -> None:
    before = {name for name in HEAVY if name in sys.modules}
    began = time.monotonic()
    bag = DagBag(conf.get("core", "dags_folder"))
    seconds = time.monotonic() - began
    found = {
        "seconds": seconds,
        "import_errors": bag.import_errors,
        "heavy": sorted({name for name in HEAVY if name in sys.modules} - before),
        "dags": {dag_id: facts(dag) for dag_id, dag in bag.dags.items()},
    }
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
