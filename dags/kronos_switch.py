"""Asks a person whether production's settings are to be changed, and does what the person says.

When the decision says COMPILED, or a deployment check failed after such a change, a proposal waits: the evidence, and
the change of production's `.env.compile` as a diff. `answer` puts it to a person (under *Required Actions*), without a
worker waiting; `take_answer` stores who said what and why. On *Approve* the file is written, if `[switch] enabled` is
on and it still is what the diff was made from; otherwise the diff is to be applied by hand. A rejection is kept with
its reason, and the same evidence is not asked about again.

Every run also goes on with what an earlier one was killed in, and looks whether the deployment checks have answered
since production was restarted. Where nothing waits, the question is skipped. After `[switch] ask_hours` without an
answer the run ends and a later one asks again; start a run by hand to ask now.

By hand: `kronos-health switch show`, then `kronos-health switch approve` or `kronos-health switch reject`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, AssetOrTimeSchedule, Param, task

from kronos_health.airflow_plugin import building, tasks
from kronos_health.airflow_plugin.settings import parsing_settings

LATER = "Ask again later"

with DAG(
    dag_id="kronos_switch",
    dag_display_name="Kronos: the switch",
    schedule=AssetOrTimeSchedule(timetable=building.cron("7,22,37,52 * * * *"), assets=[building.PROPOSAL]),
    catchup=False,
    # A question that was answered elsewhere still waits here; it must not keep the next one from being asked.
    max_active_runs=4,
    tags=[building.TAG, "decision"],
    default_args=building.defaults(),
    doc_md=__doc__,
) as dag:
    question = task(task_id="ask")(tasks.ask)()
    answer = HITLOperator(
        task_id="answer",
        subject="{{ ti.xcom_pull(task_ids='ask')['subject'] }}",
        body="{{ ti.xcom_pull(task_ids='ask')['body'] }}",
        options=["Approve", "Reject", LATER],
        defaults=LATER,
        params={
            "reason": Param(
                "", type="string", title="Reason", description="kept with the answer; a rejection should have one"
            )
        },
        response_timeout=timedelta(hours=parsing_settings().switch.ask_hours),
    )
    question >> answer
    task(task_id="take_answer")(tasks.take_answer)(question, answer.output)
    building.conclude(dag)
