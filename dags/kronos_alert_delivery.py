"""Sends the messages that are due, every five minutes.

Messages wait in an outbox in the history database, written together with what they are about. Delivery is also the last
task of every other DAG; this one is for what had to wait: a rate limit, a channel that was away, a reminder.

By hand: `kronos-health deliver`.
"""

from __future__ import annotations

from airflow.sdk import DAG

from kronos_health.airflow_plugin import building

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
    building.conclude(dag)
