"""Runs the production's own model code eager and compiled, every night and by hand, and stores what happened.

Each probe is a mapped task; each of its iterations is a fresh process under a guard, so that a hang, a crash or a lack
of memory is an outcome like any other and nothing outlives its task. Outcomes are rows: a task fails only when probing
itself could not be done. The pool `gpu` has one slot, so that no two probes disturb each other's figures.

Targets are planned and probed on the worker queue that has their GPU (`queue` in `[targets.NAME]`; Airflow cannot map a
queue, so targets are grouped by it). `finish` closes the campaign, compares every variant with eager, and wakes
`kronos_revisit`.

Candidates are environments other than production's: another torch, another Kronos revision. `plan` makes them before a
GPU is waited for. `kronos_upstream_watch` triggers a run for each release and revision that it sees, once, and `finish`
says what came of it: fixed by default, fixed with opt-in, or still broken.

A task that was killed and tries again, or is cleared, goes on with its probe at the first iteration that is missing;
what was measured is not measured again. Clearing a whole run that had finished measures anew.

By hand: *Trigger*, and choose targets, variants and iterations; what is left empty is as configured. On the command
line: `kronos-health probe`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, TriggerRule, task

from kronos_health.airflow_plugin import building, tasks
from kronos_health.airflow_plugin.operators import ProbeOperator
from kronos_health.airflow_plugin.settings import parsing_settings
from kronos_health.probe.variants import BUILT_IN

MOST_ITERATIONS = 50
settings = parsing_settings()

with DAG(
    dag_id="kronos_compile_probe",
    dag_display_name="Kronos: compile probe",
    schedule=building.cron("0 3 * * *"),
    catchup=False,
    max_active_runs=1,
    tags=[building.TAG, "probe"],
    default_args=building.defaults(retries=1),
    doc_md=__doc__,
    params={
        "targets": Param(
            [],
            type="array",
            items={"type": "string", "enum": list(settings.targets)},
            examples=list(settings.targets),
            title="Targets",
            description="models to probe; empty: those of [probe] targets",
        ),
        "variants": Param(
            [],
            type="array",
            items={"type": "string"},
            examples=["all", *(variant.name for variant in BUILT_IN)],
            values_display={variant.name: f"{variant.name}: {variant.summary}" for variant in BUILT_IN},
            title="Variants",
            description="ways to run them, or all; empty: as in [probe] variants. eager is needed for a comparison",
        ),
        "iterations": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=MOST_ITERATIONS,
            title="Iterations",
            description="fresh processes per probe; empty: [probe] iterations",
        ),
        "candidates": Param(
            [],
            type="array",
            items={"type": "string"},
            examples=["torch=latest", f"kronos={settings.upstream.kronos_ref}"],
            title="Candidates",
            description="other environments: torch=2.15.0, torch=latest, kronos=REMOTE/BRANCH, python=/path, or several"
            " joined by commas",
        ),
        "production": Param(
            True,
            type="boolean",
            title="Production",
            description="also in production's own environment; without candidates it is the only one",
        ),
        "rehearse": Param(
            "as configured",
            enum=["as configured", "always", "never"],
            title="Rehearse",
            description="run compiled variants also under the emulated lifetime rule of CUDA graphs",
        ),
        "ignore_blackout": Param(
            False,
            type="boolean",
            title="Ignore blackout windows",
            description="probe now, also in the hours that [[probe.blackout]] leaves to production",
        ),
    },
) as dag:
    campaign = task(task_id="begin")(tasks.begin)()
    probes = []
    for queue, targets in building.by_queue(settings.targets).items():
        with building.on_queue(queue):
            planned = task(
                task_id="plan",
                execution_timeout=timedelta(seconds=2 * settings.candidates.make_deadline_seconds + 900),
                **building.placed(queue),
            )(tasks.plan)(targets=list(targets), campaign_id=campaign)
            probe = ProbeOperator.partial(
                task_id="probe",
                campaign_id=campaign,
                pool=building.GPU_POOL,
                # After a kill on another host its last sign of life must be older than the lease.
                retry_delay=timedelta(seconds=90),
                map_index_template="{{ task.label }}",
                # The net under the deadline that every iteration has of its own.
                execution_timeout=timedelta(seconds=settings.probe.iteration_deadline_seconds * MOST_ITERATIONS + 600),
                **building.placed(queue),
            ).expand(spec=planned)
            probes.append(probe)
    finish = task(task_id="finish", outlets=[building.PROBES], trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)(
        tasks.finish
    )(campaign)
    probes >> finish
    building.conclude(dag)
