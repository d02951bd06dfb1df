"""Reads every configured log from where the last scan stopped, every five minutes.

Each source is a mapped task of its own, on the worker queue that can read the file (`queue` in `[sources.NAME]`;
Airflow cannot map a queue, so sources are grouped by it). Findings, numbers, the cursor and what follows for the alerts
are stored together: a scan may be killed at any moment and run again.

A log that cannot be read is an outcome, shown and alerted, and no failure of the task. `announce` wakes
`kronos_revisit` only when something new was found and is skipped otherwise.

By hand: `kronos-health scan --source NAME`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from kronos_health.airflow_plugin import building, tasks
from kronos_health.airflow_plugin.settings import parsing_settings

settings = parsing_settings()

with DAG(
    dag_id="kronos_log_scan",
    dag_display_name="Kronos: log scan",
    schedule=building.cron("*/5 * * * *"),
    catchup=False,
    max_active_runs=1,
    tags=[building.TAG, "logs"],
    default_args=building.defaults(execution_timeout=timedelta(seconds=settings.logs.max_seconds + 300)),
    doc_md=__doc__,
) as dag:
    scans = []
    for queue, sources in building.by_queue(settings.sources).items():
        with building.on_queue(queue):
            scan = task(task_id="scan", map_index_template="{{ task.op_kwargs['source'] }}", **building.placed(queue))(
                tasks.scan
            )
            scans.append(scan.expand(source=list(sources)))
    building.announced(building.FINDINGS, scans)
    building.conclude(dag)
