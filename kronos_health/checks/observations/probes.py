"""Observations of probes: a variant that ran compiled before and does not any more; probing itself failing."""

from __future__ import annotations

from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.candidates import PRODUCTION
from kronos_health.domain.logs import Severity
from kronos_health.domain.probes import Outcome, ProbeKind, ProbeResult, is_layer
from kronos_health.domain.warm_up import warm_up_dependence
from kronos_health.revisit.trials import NOT_MADE


def of_variant(probe_id: str, result: ProbeResult, passed_before: bool) -> Observation | None:
    """ "Compiled broken again": said only of a measured, compiled probe of a variant that has passed before.

    Returns ``None`` for rehearsals, for eager, for a layer of the compiler (nobody runs one alone), and for a variant
    that never passed: "still broken" is no news; and for a candidate, which production does not run: what came of that
    is told as a trial.
    """
    spec = result.spec
    if spec.kind is not ProbeKind.MEASURED or spec.variant == "eager" or is_layer(spec.variant) or not passed_before:
        return None
    if spec.candidate != PRODUCTION:
        return None
    if not result.outcome.about_the_model:
        state = ObservationState.UNKNOWN
    else:
        state = ObservationState.GOOD if result.outcome is Outcome.PASSED else ObservationState.BAD
    failure, warm_up = result.failure, warm_up_dependence(result.iterations)
    device = result.environment.device if result.environment else "unknown device"
    return Observation(
        kind=AlertKind.COMPILED_BROKEN,
        key=f"{spec.target}/{spec.variant}/{spec.regime.value}/{device}",
        state=state,
        severity=Severity.WARNING,
        title=f"{spec.target} no longer runs with variant {spec.variant}: {result.outcome.value}",
        summary=failure.message.splitlines()[0][:500] if failure and failure.message else "It passed before.",
        next_step=f"kronos-health query probe_history --param target={spec.target} --param variant={spec.variant}",
        facts=(
            Fact("Passed", f"{result.passed} of {spec.iterations} iterations"),
            Fact("Device", device),
            Fact("torch", result.environment.torch if result.environment else "unknown"),
            *((Fact("Warm-up", warm_up.words),) if warm_up else ()),
            *((Fact("Frame", f"{failure.frame.function}: {failure.frame.code}"),) if failure and failure.frame else ()),
        ),
        excerpt=failure.stack if failure else None,
        evidence=(f"probe:{probe_id}",),
    )


def of_probing(probe_id: str, result: ProbeResult) -> Observation:
    """Whether probing itself works: a skipped or failed probe says nothing of the model, and somebody must know.

    A candidate is one watched thing with all its variants: they fail together where its environment cannot be made. One
    that is not made here on purpose is no failure. One that waits for the end of a blackout window does what it was
    told to: nothing is known, and nobody is told. Nor must anybody be told that a variant waits for a newer torch.
    """
    spec = result.spec
    candidate = spec.candidate != PRODUCTION
    on_purpose = result.failure is not None and result.failure.error_class == NOT_MADE
    broken = result.outcome in {Outcome.WORKER_ERROR, Outcome.SKIPPED}
    broken = broken and not on_purpose and not result.unsupported
    waits = result.outcome is Outcome.SKIPPED and result.postponed_until is not None
    reason = result.skipped_reason or (result.failure.message if result.failure else "") or "no reason given"
    return Observation(
        kind=AlertKind.CHECKER_UNHEALTHY,
        key=f"probe/{spec.target}/{spec.candidate if candidate else f'{spec.variant}/{spec.kind.value}'}",
        state=ObservationState.UNKNOWN if waits else ObservationState.BAD if broken else ObservationState.GOOD,
        severity=Severity.WARNING,
        title=f"The probe of {spec.target} ({spec.candidate if candidate else spec.variant}) could not be made",
        summary=reason.splitlines()[0][:500] if broken else "Probing works.",
        next_step=f"kronos-health probe --target {spec.target} --variant {spec.variant}"
        + (f" --candidate {spec.candidate}" if candidate else ""),
        facts=(Fact("Outcome", result.outcome.value),),
        evidence=(f"probe:{probe_id}",),
    )
