"""Observations of probes: a variant that ran compiled before and does not any more; probing itself failing."""

from __future__ import annotations

from kronos_health.checks.observations.commands import command
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.candidates import PRODUCTION
from kronos_health.domain.logs import Severity
from kronos_health.domain.probes import Frame, Outcome, ProbeKind, ProbeResult, ProbeSpec, is_layer
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
        summary=_variant_summary(result, state),
        next_step=command(
            "query", "probe_history", "--param", f"target={spec.target}", "--param", f"variant={spec.variant}"
        ),
        facts=(
            Fact("Passed", f"{result.passed} of {spec.iterations} iterations"),
            Fact("Device", device),
            Fact("torch", result.environment.torch if result.environment else "unknown"),
            *((Fact("Warm-up", warm_up.words),) if warm_up else ()),
            *((Fact("Frame", _place(failure.frame)),) if failure and failure.frame else ()),
        ),
        excerpt=failure.stack if failure else None,
        evidence=(f"probe:{probe_id}",),
    )


def _place(frame: Frame) -> str:
    return f"{frame.code} ({'/'.join(frame.file.split('/')[-2:])}:{frame.line}, in {frame.function})"


def _variant_summary(result: ProbeResult, state: ObservationState) -> str:
    if state is ObservationState.GOOD:
        return f"It passes again: {result.passed} of {result.spec.iterations} iterations."
    if state is ObservationState.UNKNOWN:
        return f"The last probe could not tell: {result.outcome.value}."
    message = result.failure.message if result.failure else ""
    first = message.splitlines()[0][:500] if message else result.outcome.value
    return f"It passed before, and fails now: {first}"


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
    note = "once the reason is mended; until then nothing is known of this variant"
    reason = result.skipped_reason or (result.failure.message if result.failure else "") or "no reason given"
    return Observation(
        kind=AlertKind.CHECKER_UNHEALTHY,
        key=f"probe/{spec.target}/{spec.candidate if candidate else f'{spec.variant}/{spec.kind.value}'}",
        state=ObservationState.UNKNOWN if waits else ObservationState.BAD if broken else ObservationState.GOOD,
        severity=Severity.WARNING,
        title=f"The probe of {spec.target} ({spec.candidate if candidate else spec.variant}) could not be made",
        summary=reason.splitlines()[0][:500] if broken else "Probing works.",
        next_step=command(*_again(spec), note=note),
        facts=(Fact("Outcome", result.outcome.value),),
        evidence=(f"probe:{probe_id}",),
    )


def _again(spec: ProbeSpec) -> tuple[str, ...]:
    """The words that make this probe again; what is rehearsed in a candidate goes by ``probe --rehearse``."""
    arm = ("--target", spec.target, "--variant", spec.variant)
    rehearsed = spec.kind is ProbeKind.REHEARSED
    if spec.candidate == PRODUCTION:
        return ("rehearse" if rehearsed else "probe", *arm)
    return ("probe", *arm, "--candidate", spec.candidate, *(("--rehearse",) if rehearsed else ()))
