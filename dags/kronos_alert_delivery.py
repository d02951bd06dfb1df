"""Sends the messages that are due, every five minutes.

Messages wait in an outbox in the history database, written together with what they are about. Delivery is also the last
task of every other DAG; this one is for what had to wait: a rate limit, a channel that was away, a reminder.

Probes that people asked for by a button in Slack are started here: `order_asked` sees who still waits, and
`start_asked` starts `kronos_compile_probe` for each, once, by a run id of its own.

By hand: `kronos-health deliver`; `kronos-health probe-asked`.
"""

from __future__ import annotations

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, task

from kronos_health.airflow_plugin import building, tasks

with DAG(
    dag_id="kronos_alert_delivery",
    dag_display_name="Kronos: alert delivery",
    schedule=building.cron("*/5 * * * *"),
    catchup=False,
    max_active_runs=1,
    tags=[building.TAG, "alerts"],
    default_args=building.defaults(),
    doc_md=__doc__,
) as dag:
    TriggerDagRunOperator.partial(
        task_id="start_asked",
        trigger_dag_id="kronos_compile_probe",
        skip_when_already_exists=True,
        map_index_template="{{ task.trigger_run_id }}",
    ).expand_kwargs(task(task_id="order_asked")(tasks.order_asked)())
    building.conclude(dag)
