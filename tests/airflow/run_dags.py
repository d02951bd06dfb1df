"""Runs DAGs to their end in one process with ``dag.test()``, as a program: Airflow reads its configuration at import.

``python -m tests.airflow.run_dags OUT.json '[["dag_id", {"param": ...}], ...]'`` writes, per run, the run's state and
each task's state under its id (``probe[0]`` when mapped), with what it returned. A third word in an order is the run's
logical date: the same one again is the same run, all of whose tasks were cleared.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag


def run(bag: DagBag, dag_id: str, params: dict[str, Any], date: str | None = None) -> dict[str, Any]:
    began = time.monotonic()
    when = datetime.fromisoformat(date) if date else None
    done = bag.dags[dag_id].test(run_conf=params, **({"logical_date": when, "run_after": when} if when else {}))
    tasks = {
        f"{instance.task_id}[{instance.map_index}]" if instance.map_index >= 0 else instance.task_id: {
            "state": str(instance.state),
            "label": instance.rendered_map_index,
        }
        for instance in done.get_task_instances()
    }
    return {"dag_id": dag_id, "state": str(done.state), "tasks": tasks, "seconds": time.monotonic() - began}


def main() -> None:
    from airflow.sdk import conf

    out, orders = Path(sys.argv[1]), json.loads(sys.argv[2])
    bag = DagBag(conf.get("core", "dags_folder"))
    done = [run(bag, *order) for order in orders]
    out.write_text(json.dumps(done), encoding="utf-8")


if __name__ == "__main__":
    main()
