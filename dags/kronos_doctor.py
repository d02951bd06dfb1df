"""Looks at the checker itself, every hour, and tells an address outside that it lives.

Looked at: the database (reachable, writable, undamaged, schema), disk space, how far each log was read, runs that never
ended, probes without an outcome, channels and what waits in them, the clock, DAGs that are paused or cannot be parsed,
and the settings. What wants attention becomes an alert, and the address of `[heartbeat]` is pinged: start, then
success, or fail when the checker cannot do its work. Whoever watches that address notices when this DAG stops as well.

A task has no way to Airflow's metadata database unless it was handed the address (`KRONOS_HEALTH_AIRFLOW_DATABASE`, as
`kronos-health up` does): without it the DAGs are *not asked*; `kronos-health doctor` beside the scheduler asks them.

By hand: `kronos-health doctor`, and `kronos-health doctor --tell` for alerts and the ping too.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from kronos_health.airflow_plugin import building, tasks

with DAG(
    dag_id="kronos_doctor",
    dag_display_name="Kronos: doctor",
    schedule=building.cron("23 * * * *"),
    catchup=False,
    max_active_runs=1,
    tags=[building.TAG, "doctor"],
    default_args=building.defaults(),
    doc_md=__doc__,
) as dag:
    task(task_id="doctor")(tasks.doctor)()
    building.conclude(dag)
