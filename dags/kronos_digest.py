"""Sums up the week, on Monday morning: what was probed, scanned and decided, and that somebody is still watching.

By hand: `kronos-health digest`.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from kronos_health.airflow_plugin import building, tasks

with DAG(
    dag_id="kronos_digest",
    dag_display_name="Kronos: weekly digest",
    schedule=building.cron("0 8 * * 1"),
    catchup=False,
    max_active_runs=1,
    tags=[building.TAG, "alerts"],
    default_args=building.defaults(),
    doc_md=__doc__,
) as dag:
    task(task_id="digest")(tasks.digest)()
    building.conclude(dag)
