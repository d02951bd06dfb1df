"""Looks for what may change the decision, every six hours.

- new torch releases, as the package index of this machine lists them (pip is asked, so a company mirror is honoured)
- new commits in the Kronos checkout and on its remote
- settings of production (`.env.compile` and the running process) that differ from the decision
- deployments: a new revision of production's checkout, a restarted process

What cannot be looked up, for want of a network for instance, is *unknown since …*, never "no news" and never a failure.
`announce` wakes `kronos_revisit` only when there is something new and is skipped otherwise.

By hand: `kronos-health watch`.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from kronos_health.airflow_plugin import building, tasks

with DAG(
    dag_id="kronos_upstream_watch",
    dag_display_name="Kronos: upstream watch",
    schedule=building.cron("11 */6 * * *"),
    catchup=False,
    max_active_runs=1,
    tags=[building.TAG, "upstream"],
    default_args=building.defaults(),
    doc_md=__doc__,
) as dag:
    building.announced(building.UPSTREAM, [task(task_id="watch")(tasks.watch)()])
    building.conclude(dag)
