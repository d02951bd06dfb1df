"""Keeps the house small, every night.

- `history`: removes rows older than `[retention]` says and closes probes whose process is gone (outcome *lost*).
- `airflow_logs`: removes this worker's task logs of these DAGs older than `retention.airflow_days`.
- `airflow_records`: removes Airflow's own old records with `airflow db clean`. A task has no way to Airflow's metadata
  database, so this works only where that database's address was handed to the worker on purpose
  (`KRONOS_HEALTH_AIRFLOW_DATABASE`, as `kronos-health up` does for its SQLite file). Elsewhere the task is skipped and
  says what to run beside the scheduler instead.

By hand: `kronos-health housekeeping`.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from kronos_health.airflow_plugin import building, cleaning, tasks

with DAG(
    dag_id="kronos_housekeeping",
    dag_display_name="Kronos: housekeeping",
    schedule=building.cron("30 4 * * *"),
    catchup=False,
    max_active_runs=1,
    tags=[building.TAG, "housekeeping"],
    default_args=building.defaults(),
    doc_md=__doc__,
) as dag:
    task(task_id="history")(tasks.housekeep)()
    task(task_id="airflow_logs")(cleaning.remove_old_logs)()
    task(task_id="airflow_records", retries=0)(cleaning.remove_old_records)()
    building.conclude(dag)
