"""Probe: plan, run and store probes, compare them with eager, and tell when a variant broke or probing fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kronos_health.alerts import recording
from kronos_health.checks import campaigns, candidates, trials
from kronos_health.checks.context import Context, require_known
from kronos_health.checks.errors import CheckError
from kronos_health.checks.figures import watch_figures
from kronos_health.checks.observations import probes as observations
from kronos_health.checks.places import EnvironmentChanged, Place
from kronos_health.checks.pulse import pulse
from kronos_health.checks.sites import run_on_site
from kronos_health.domain.candidates import PRODUCTION
from kronos_health.domain.probes import (
    Comparison,
    Outcome,
    ProbeKind,
    ProbeRecord,
    ProbeResult,
    ProbeSpec,
)
from kronos_health.domain.revisit import Trial
from kronos_health.probe.claim import target_device
from kronos_health.probe.interpreter import TargetProblem
from kronos_health.probe.ladder import LadderResult, first_failing_layer
from kronos_health.probe.plan import PlanError, plan, plan_ladder
from kronos_health.probe.progress import ProgressListener
from kronos_health.probe.variants import find_variant
from kronos_health.revisit.comparison import compare
from kronos_health.revisit.logits import LogitPair
from kronos_health.store import plans, probe_history, probes
from kronos_health.store.database import reading, writing

EAGER = "eager"


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What to probe, and in which environments; ``None`` means what the settings say.

    ``with_eager``: compiled variants bring an eager arm.
    """

    targets: tuple[str, ...] | None = None
    variants: tuple[str, ...] | None = None
    iterations: int | None = None
    regimes: tuple[str, ...] | None = None
    rehearse: bool | None = None
    with_eager: bool = True
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
    targets = request.targets or context.settings.probe.targets
    for name in targets:
        require_known("target", name, context.settings.targets)
    try:
        return plan(
            context.settings,
            _devices(context),
            candidates=candidates.resolve(context, request.candidates, targets),
            targets=request.targets,
            variants=request.variants,
            iterations=request.iterations,
            regimes=request.regimes,
            rehearse=request.rehearse,
            with_eager=request.with_eager,
        )
    except (PlanError, LookupError) as error:
        raise CheckError(str(error)) from error


def plan_layers(context: Context, target: str, iterations: int = 1, regime: str | None = None) -> tuple[ProbeSpec, ...]:
    """The rungs of the layer ladder for ``target``. Raises :class:`CheckError` for an unknown target or regime."""
    try:
        return plan_ladder(context.settings, _devices(context), target=target, iterations=iterations, regime=regime)
    except PlanError as error:
        raise CheckError(str(error)) from error


def _devices(context: Context) -> Callable[[str], str | None]:
    def device(name: str) -> str | None:
        settings = context.settings
        try:
            return target_device(name, settings.targets[name], settings.probe, settings.state_dir)
        except TargetProblem:
            return None  # its probe is planned, and will say why it could not be made

    return device


def start_campaign(context: Context, specs: tuple[ProbeSpec, ...] = ()) -> str:
    """Open a campaign with its plan and return its id."""
    return campaigns.start(context, specs)


def run_probe(
    context: Context,
    campaign_id: str,
    spec: ProbeSpec,
    on_progress: ProgressListener | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ProbeSummary:
    """Measure one probe of the campaign's plan, or what is missing of it. Whatever the model does is an outcome.

    Each iteration is committed as it ends. Raises ``ProbeHeld`` when another process measures it now, and
    :class:`CheckError` for a variant that is not known here: an entry point of another host, maybe.
    """
    with campaigns.held(context, campaign_id, [spec]) as hold:
        return _run_held(context, hold, spec, on_progress, should_stop)


def run_alone(context: Context, spec: ProbeSpec, on_progress: ProgressListener | None = None) -> ProbeResult:
    """One probe as a campaign of its own, stored as it runs; returns all that it found."""
    campaign_id = start_campaign(context, (spec,))
    with campaigns.held(context, campaign_id) as hold:
        result = _measure_and_close(context, hold.place(spec), spec, on_progress, None)
        finish_campaign(context, campaign_id)
    return result


def _run_held(
    context: Context,
    hold: campaigns.Hold,
    spec: ProbeSpec,
    on_progress: ProgressListener | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ProbeSummary:
    _require_variant(spec)
    place = hold.place(spec)
    if place.measured:
        return _summary_of(context, spec, place.probe_id)
    result = _measure_and_close(context, place, spec, on_progress, should_stop)
    return ProbeSummary(place.probe_id, spec, result.outcome, result.passed, spec.iterations, _message(result))


def _measure_and_close(
    context: Context,
    place: Place,
    spec: ProbeSpec,
    on_progress: ProgressListener | None,
    should_stop: Callable[[], bool] | None,
) -> ProbeResult:
    with pulse(context, "probe", f"{spec.target}/{spec.variant}"[:64]) as state:
        result = _measure(context, place, spec, on_progress, should_stop or (lambda: False))
        _close(context, place, result)
        if not result.outcome.about_the_model and not result.unsupported:
            state.attention(f"{result.outcome.value}: {_message(result)}")
    return result


def _require_variant(spec: ProbeSpec) -> None:
    try:
        find_variant(spec.variant)
    except LookupError as error:
        raise CheckError(str(error)) from error


def _measure(
    context: Context,
    place: Place,
    spec: ProbeSpec,
    on_progress: ProgressListener | None,
    should_stop: Callable[[], bool],
) -> ProbeResult:
    earlier = place.earlier
    while True:
        try:
            told = place.watched(on_progress)
            return run_on_site(context, place.campaign_id, spec, place.keep, told, should_stop, earlier)
        except EnvironmentChanged as change:
            earlier = place.start_anew(change)


def finish_campaign(context: Context, campaign_id: str) -> CampaignSummary:
    """Compare every compiled probe with eager of the same campaign and regime, and close the campaign.

    Then hold the figures of what passed against those of before, and tell what its candidates came to where that is
    news. Running it again replaces the same comparisons.
    """
    replaced = campaigns.superseded(context, campaign_id)
    with writing(context.engine) as connection:
        plans.lock_campaign(connection, campaign_id)
        found = reversed(probe_history.probes_of_campaign(connection, campaign_id))
        done = tuple(record for record in found if record.probe_id not in replaced)
        comparisons = []
        for baseline, candidate in _to_compare(done):
            pairs = probe_history.prediction_pairs(connection, baseline.probe_id, candidate.probe_id)
            rules = context.settings.revisit
            logits = LogitPair(
                probe_history.logit_accuracy(connection, baseline.probe_id),
                probe_history.logit_accuracy(connection, candidate.probe_id),
            )
            comparison = compare(
                baseline, candidate, pairs, logits, margin=rules.accuracy_margin, minimum_pairs=rules.minimum_pairs
            )
            probes.record_comparison(connection, campaign_id, comparison, context.now())
            comparisons.append(comparison)
        probes.finish_campaign(connection, campaign_id, context.now())
        tried = trials.tell(context, connection, done)
    watch_figures(context, campaign_id)
    return CampaignSummary(campaign_id, done, tuple(comparisons), tried)


def probe(
    context: Context,
    request: ProbeRequest,
    on_progress: ProgressListener | None = None,
    on_done: Callable[[ProbeSummary], None] | None = None,
) -> CampaignSummary:
    """Plan, run and compare: the whole campaign in this process."""
    specs = plan_probes(context, request)
    return _run_campaign(context, start_campaign(context, specs), specs, on_progress, on_done)


def ladder(
    context: Context,
    target: str,
    iterations: int = 1,
    regime: str | None = None,
    on_progress: ProgressListener | None = None,
) -> tuple[CampaignSummary, LadderResult]:
    """Probe ``target`` layer by layer, and name the first layer of the compiler that fails."""
    specs = plan_layers(context, target, iterations, regime)
    summary = _run_campaign(context, start_campaign(context, specs), specs, on_progress, None)
    return summary, first_failing_layer(summary.probes, summary.comparisons)


def resume(
    context: Context,
    standing: campaigns.Standing,
    on_progress: ProgressListener | None = None,
    on_done: Callable[[ProbeSummary], None] | None = None,
) -> CampaignSummary:
    """Go on with a campaign (see ``campaigns.to_resume``) by its stored plan, and close it.

    Raises ``ProbeHeld`` when another process measures it now.
    """
    specs = tuple(line.spec for line in standing.plan)
    return _run_campaign(context, standing.campaign.campaign_id, specs, on_progress, on_done)


def _run_campaign(
    context: Context,
    campaign_id: str,
    specs: tuple[ProbeSpec, ...],
    on_progress: ProgressListener | None,
    on_done: Callable[[ProbeSummary], None] | None,
) -> CampaignSummary:
    with campaigns.held(context, campaign_id) as hold:
        for spec in specs:
            summary = _run_held(context, hold, spec, on_progress)
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


def _summary_of(context: Context, spec: ProbeSpec, probe_id: str) -> ProbeSummary:
    """What a probe that is done already came to."""
    with reading(context.engine) as connection:
        record = probe_history.probe_record(connection, probe_id)
    if record is None or record.outcome is None:
        raise CheckError(f"the probe {probe_id} is gone from the history.")
    message = record.skipped_reason or (record.failure.message if record.failure else None)
    return ProbeSummary(probe_id, spec, record.outcome, record.passed, record.requested, message)


def _close(context: Context, place: Place, result: ProbeResult) -> None:
    """Outcome and what it means for alerts, in one transaction."""
    probe_id = place.probe_id
    spec, device = result.spec, result.environment.device if result.environment else None
    with writing(context.engine) as connection:
        place.close(connection, _message(result) or result.outcome.value)
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
        if record.variant != EAGER
        and record.kind is ProbeKind.MEASURED  # a rehearsal has smaller shapes: it is about outputs, not forecasts
        and (key := (record.target, record.candidate, record.regime)) in eager
    ]


def _message(result: ProbeResult) -> str | None:
    if result.skipped_reason:
        return result.skipped_reason
    return result.failure.message if result.failure else None
