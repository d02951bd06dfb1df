"""Probe: plan, run and store probes, compare them with eager, and tell when a variant broke or probing fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from kronos_health.alerts import recording
from kronos_health.checks import candidates, trials
from kronos_health.checks.context import CheckError, Context, require_known
from kronos_health.checks.observations import probes as observations
from kronos_health.checks.pulse import pulse
from kronos_health.checks.sites import run_on_site
from kronos_health.domain.candidates import PRODUCTION
from kronos_health.domain.probes import (
    Comparison,
    Environment,
    Iteration,
    Outcome,
    ProbeKind,
    ProbeRecord,
    ProbeResult,
    ProbeSpec,
)
from kronos_health.domain.revisit import Trial
from kronos_health.probe.claim import target_device
from kronos_health.probe.interpreter import TargetProblem
from kronos_health.probe.plan import PlanError, plan
from kronos_health.probe.progress import ProgressListener
from kronos_health.revisit.comparison import compare
from kronos_health.store import probe_history, probes
from kronos_health.store.database import reading, writing

EAGER = "eager"


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What to probe, and in which environments; ``None`` means what the settings say."""

    targets: tuple[str, ...] | None = None
    variants: tuple[str, ...] | None = None
    iterations: int | None = None
    regimes: tuple[str, ...] | None = None
    rehearse: bool | None = None
    candidates: tuple[str, ...] = (PRODUCTION,)


@dataclass(frozen=True, slots=True)
class ProbeSummary:
    """One finished probe: enough to say how it went; everything else is in its row."""

    probe_id: str
    spec: ProbeSpec
    outcome: Outcome
    passed: int
    requested: int
    message: str | None


@dataclass(frozen=True, slots=True)
class CampaignSummary:
    """The probes of a campaign in the order they ran, how variants compare with eager, what candidates came to."""

    campaign_id: str
    probes: tuple[ProbeRecord, ...]
    comparisons: tuple[Comparison, ...]
    trials: tuple[Trial, ...] = ()


def plan_probes(context: Context, request: ProbeRequest) -> tuple[ProbeSpec, ...]:
    """The probes a request comes to.

    Raises :class:`CheckError` for an unknown target, variant or regime, and for a candidate that is none.
    """

    def device(name: str) -> str | None:
        settings = context.settings
        try:
            return target_device(name, settings.targets[name], settings.probe, settings.state_dir)
        except TargetProblem:
            return None  # its probe is planned, and will say why it could not be made

    targets = request.targets or context.settings.probe.targets
    for name in targets:
        require_known("target", name, context.settings.targets)
    try:
        return plan(
            context.settings,
            device,
            candidates=candidates.resolve(context, request.candidates, targets),
            targets=request.targets,
            variants=request.variants,
            iterations=request.iterations,
            regimes=request.regimes,
            rehearse=request.rehearse,
        )
    except (PlanError, LookupError) as error:
        raise CheckError(str(error)) from error


def rehearsals(specs: tuple[ProbeSpec, ...]) -> tuple[ProbeSpec, ...]:
    """Only the rehearsals of a plan."""
    return tuple(spec for spec in specs if spec.kind is ProbeKind.REHEARSED)


def start_campaign(context: Context) -> str:
    """Open a campaign and return its id."""
    origin = context.origin
    with writing(context.engine) as connection:
        return probes.start_campaign(connection, origin.name, context.now(), origin.dag_id, origin.run_id)


def run_probe(
    context: Context,
    campaign_id: str,
    spec: ProbeSpec,
    on_progress: ProgressListener | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ProbeSummary:
    """Run one probe; each iteration is committed as it ends. Whatever the model does is an outcome, not an error.

    So is an environment that cannot be made: the probe's row says why.
    """
    spec = replace(spec, candidate=candidates.settled(context, spec.candidate, spec.target))
    with pulse(context, "probe", f"{spec.target}/{spec.variant}"[:64]) as state:
        with writing(context.engine) as connection:
            probe_id = probes.open_probe(connection, campaign_id, spec, context.now())

        def keep(iteration: Iteration, environment: Environment | None) -> None:
            with writing(context.engine) as connection:
                probes.record_iteration(connection, probe_id, iteration, environment)

        result = run_on_site(context, campaign_id, spec, keep, on_progress, should_stop or (lambda: False))
        _close(context, probe_id, result)
        if not result.outcome.about_the_model:
            state.attention(f"{result.outcome.value}: {_message(result)}")
    return ProbeSummary(probe_id, spec, result.outcome, result.passed, spec.iterations, _message(result))


def finish_campaign(context: Context, campaign_id: str) -> CampaignSummary:
    """Compare every compiled probe with eager of the same campaign and regime, and close the campaign.

    What its candidates came to is told where that is news. Running it again replaces the same comparisons.
    """
    with reading(context.engine) as connection:
        done = tuple(reversed(probe_history.probes_of_campaign(connection, campaign_id)))
    with writing(context.engine) as connection:
        comparisons = []
        for baseline, candidate in _to_compare(done):
            pairs = probe_history.prediction_pairs(connection, baseline.probe_id, candidate.probe_id)
            rules = context.settings.revisit
            comparison = compare(
                baseline, candidate, pairs, margin=rules.accuracy_margin, minimum_pairs=rules.minimum_pairs
            )
            probes.record_comparison(connection, campaign_id, comparison, context.now())
            comparisons.append(comparison)
        probes.finish_campaign(connection, campaign_id, context.now())
        tried = trials.tell(context, connection, done)
    return CampaignSummary(campaign_id, done, tuple(comparisons), tried)


def probe(
    context: Context,
    request: ProbeRequest,
    on_progress: ProgressListener | None = None,
    on_done: Callable[[ProbeSummary], None] | None = None,
    choose: Callable[[tuple[ProbeSpec, ...]], tuple[ProbeSpec, ...]] = tuple,
) -> CampaignSummary:
    """Plan, run and compare: the whole campaign in this process. ``choose`` narrows the plan (rehearsals only)."""
    specs = choose(plan_probes(context, request))
    campaign_id = start_campaign(context)
    for spec in specs:
        summary = run_probe(context, campaign_id, spec, on_progress)
        if on_done is not None:
            on_done(summary)
    if any(spec.candidate != PRODUCTION for spec in specs):
        candidates.prune(context)
    return finish_campaign(context, campaign_id)


def last_probe_at(context: Context, target: str) -> datetime | None:
    """When the newest finished probe of ``target`` that says something of the model was started here."""
    with reading(context.engine) as connection:
        recent = probe_history.recent_probes(connection, target, limit=50)
    found = (
        record.started_at
        for record in recent
        if not record.imported and record.outcome is not None and record.outcome.about_the_model
    )
    return next(found, None)


def _close(context: Context, probe_id: str, result: ProbeResult) -> None:
    """Outcome and what it means for alerts, in one transaction."""
    spec, device = result.spec, result.environment.device if result.environment else None
    with writing(context.engine) as connection:
        probes.close_probe(connection, probe_id, result)
        worked = probe_history.passed_before(
            connection, spec.target, spec.variant, before=result.started_at, device=device
        )
        seen = [observations.of_probing(probe_id, result)]
        broken = observations.of_variant(probe_id, result, worked)
        recording.record(connection, [*seen, *([broken] if broken else [])], context.settings, context.now())


def _to_compare(done: tuple[ProbeRecord, ...]) -> list[tuple[ProbeRecord, ProbeRecord]]:
    eager = {
        (record.target, record.candidate, record.regime): record
        for record in done
        if record.variant == EAGER and record.kind is ProbeKind.MEASURED
    }
    return [
        (eager[key], record)
        for record in done
        if record.variant != EAGER and (key := (record.target, record.candidate, record.regime)) in eager
    ]


def _message(result: ProbeResult) -> str | None:
    if result.skipped_reason:
        return result.skipped_reason
    return result.failure.message if result.failure else None
