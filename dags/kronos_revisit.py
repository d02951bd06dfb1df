"""Weighs the four criteria and says EAGER or COMPILED, how sure, and on what evidence.

Woken by the assets that the other DAGs update: finished probes, new findings, news from upstream. An update is only a
wake-up: Airflow may drop some of a burst, so the decision is made from the database, never from the events, and again
every six hours in case the last wake-up was one of those dropped.

It proposes; it never switches production by itself. `announce` wakes `kronos_switch`, which asks a person, only when
a proposal waits for an answer and is skipped otherwise.

By hand: `kronos-health revisit`; `kronos-health status` shows what it came to.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetOrTimeSchedule, task

from kronos_health.airflow_plugin import building, tasks

with DAG(
    dag_id="kronos_revisit",
    dag_display_name="Kronos: revisit the decision",
    schedule=AssetOrTimeSchedule(
        timetable=building.cron("41 */6 * * *"),
        assets=building.PROBES | building.FINDINGS | building.UPSTREAM,
    ),
    catchup=False,
    max_active_runs=1,
    tags=[building.TAG, "decision"],
    default_args=building.defaults(),
    doc_md=__doc__,
) as dag:
    weighed = task(task_id="revisit")(tasks.revisit)()
    building.announced(building.PROPOSAL, [weighed])
    building.conclude(dag)
