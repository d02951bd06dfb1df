"""Looks for what may change the decision, every six hours.

- new torch releases, as the package index of this machine lists them (pip is asked, so a company mirror is honoured)
- new commits in the Kronos checkout and on its remote
- settings of production (`.env.compile` and the running process) that differ from the decision
- deployments: a new revision of production's checkout, a restarted process

What cannot be looked up, for want of a network for instance, is *unknown since …*, never "no news" and never a failure.
`announce` wakes `kronos_revisit` only when there is something new and is skipped otherwise.

News is tried by itself: `order_trials` decides which release or revision is still without an answer, `try_news` starts
`kronos_compile_probe` for each, stock and mitigated. Where probing itself failed it is tried again a day later, three
times in all (`[candidates]` in the settings; `automatic = false` turns it off).

By hand: `kronos-health watch`; `kronos-health probe --candidate torch=latest`.
"""

from __future__ import annotations

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
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
    watched = task(task_id="watch")(tasks.watch)()
    building.announced(building.UPSTREAM, [watched])
    ordered = task(task_id="order_trials")(tasks.order_trials)()
    watched >> ordered
    TriggerDagRunOperator.partial(
        task_id="try_news",
        trigger_dag_id="kronos_compile_probe",
        skip_when_already_exists=True,
        map_index_template="{{ task.trigger_run_id }}",
    ).expand_kwargs(ordered)
    building.conclude(dag)
