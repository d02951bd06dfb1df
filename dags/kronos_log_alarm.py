"""Scans a log at once when something critical shows up in it, and sends what follows: within seconds.

Airflow's triggerer follows the logs of the default queue, from where each ends, and looks for the fixed texts of the
catalogue's critical signatures. A hit is a wake-up and no finding: the one task here runs the ordinary scan, whose
cursor makes sure that no line is reported twice, and delivers in the same breath. `kronos_log_scan` stays as the net
under it, every five minutes.

A log of another queue is followed by `kronos-health follow` on its own host. `[follow] enabled = false` turns this off.

By hand: *Trigger* scans all of them; on the command line `kronos-health follow`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from kronos_health.airflow_plugin import building, tasks
from kronos_health.airflow_plugin.settings import parsing_settings
from kronos_health.airflow_plugin.triggers import followed

settings = parsing_settings()
hits = building.log_hits(settings)

with DAG(
    dag_id="kronos_log_alarm",
    dag_display_name="Kronos: log alarm",
    schedule=[hits],
    catchup=False,
    max_active_runs=1,
    tags=[building.TAG, "logs", "alerts"],
    default_args=building.defaults(
        retry_delay=timedelta(seconds=5), execution_timeout=timedelta(seconds=settings.logs.max_seconds + 300)
    ),
    doc_md=__doc__,
) as dag:
    task(task_id="answer", priority_weight=100, inlets=[hits], outlets=[building.FINDINGS])(tasks.answer_hits)(
        sources=list(followed(settings)), hits=building.LOG_HITS
    )
