"""EAGER or COMPILED for one target, how sure, why, and what to do next: one pure function over the history.

COMPILED is proposed when criteria 3 and 4 hold for a variant in production's own environment, on admissible and fresh
evidence, and the variant pays by the original gates where those were measured. Everything else is EAGER: a missing,
stale or inadmissible figure can lower how sure that is, never turn it round.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kronos_health.domain.probes import Outcome
from kronos_health.domain.revisit import (
    Confidence,
    CriterionState,
    Decision,
    History,
    Mode,
    VariantStanding,
)
from kronos_health.revisit.arms import (
    EAGER,
    PRODUCTION,
    Arm,
    arms_of,
    current_fingerprint,
    standing,
    variants_tried,
)
from kronos_health.revisit.criteria import (
    Judgement,
    Terms,
    accuracy,
    compiled_iterations,
    figures_of,
    necessary_criteria,
    not_worth_it,
    result_of,
)
from kronos_health.revisit.target_criteria import NOTHING_ASKED, Gate, gates
from kronos_health.revisit.triggers import Trigger, kronos_update, torch_release
from kronos_health.settings.models import Revisit, TargetCriteria

_SURENESS = tuple(Confidence)
_MET = CriterionState.MET
STOCK = "compiled"  # what production would run without any mitigation: the variant shown where none stands out


@dataclass(frozen=True, slots=True)
class Case:
    """One compiled variant in production's environment, judged."""

    arm: Arm
    standing: VariantStanding
    iterations: Judgement
    accuracy: Judgement
    gates: tuple[Gate, ...]
    unworthy: str | None
    speed_up: float | None
    stale: bool

    @property
    def states(self) -> tuple[CriterionState, ...]:
        """Of everything that is necessary: criteria 3 and 4, and the target's own."""
        return (self.iterations.state, self.accuracy.state, *(gate.judgement.state for gate in self.gates))

    @property
    def proven(self) -> bool:
        """Criteria 3 and 4 hold, and the target's own."""
        return all(state is CriterionState.MET for state in self.states)

    @property
    def failed(self) -> bool:
        """Admissible evidence says that it does not work, or not as well as was asked for."""
        return CriterionState.NOT_MET in self.states

    @property
    def first_unmet_gate(self) -> Gate | None:
        """The target's own criterion to name when the variant is held back by one; what is refuted comes first."""
        unmet = [gate for gate in self.gates if gate.judgement.state is not CriterionState.MET]
        return min(unmet, key=lambda gate: gate.judgement.state is not CriterionState.NOT_MET, default=None)


def decide(
    history: History,
    previous: Decision | None,
    rules: Revisit,
    now: datetime,
    asked: TargetCriteria = NOTHING_ASKED,
) -> Decision:
    """Weigh the history of ``history.target`` at ``now``; ``asked`` are the criteria that only this target has.

    ``previous`` only keeps a proposed variant from wavering.
    """
    arms = arms_of(history)
    terms = Terms(rules, now, current_fingerprint(arms))
    standings = {(arm.variant, arm.candidate): standing(arm, variants_tried(arms, arm.candidate)) for arm in arms}
    cases = [
        _case(arm, standings[arm.variant, arm.candidate], history, terms, asked)
        for arm in arms
        if arm.candidate == PRODUCTION and arm.variant != EAGER
    ]
    eager = next((arm for arm in arms if (arm.variant, arm.candidate) == (EAGER, PRODUCTION)), None)
    chosen = _chosen([case for case in cases if case.proven and not case.unworthy], previous)
    leading = chosen or _leading(cases)
    triggers = (torch_release(history, terms), kronos_update(history, terms))
    necessary = necessary_criteria(
        leading.arm if leading else None,
        leading.iterations if leading else None,
        leading.accuracy if leading else None,
        rules,
    )
    own = [gate.shown_for(leading.arm) for gate in leading.gates] if leading else []
    criteria = (*(trigger.criterion for trigger in triggers), *necessary, *own)
    verdict = _compiled(chosen) if chosen else _eager(cases, leading, _EagerSide.of(eager, terms))
    return Decision(
        target=history.target,
        decided_at=now,
        mode=Mode.COMPILED if chosen else Mode.EAGER,
        variant=chosen.arm.variant if chosen else None,
        confidence=verdict.confidence,
        sentence=_sentence(chosen, verdict),
        reason=_reason(verdict, leading, triggers),
        next_step=_next_step(history.target, chosen, leading, triggers),
        criteria=criteria,
        standings=tuple(standings.values()),
        evidence_at=max((probe.started_at for arm in arms if arm.admissible for probe in arm.probes), default=None),
    )


def unchanged(previous: Decision | None, current: Decision) -> bool:
    """True when ``current`` says, on the same evidence, what ``previous`` said, only later."""
    return previous is not None and replace(previous, decided_at=current.decided_at) == current


def _case(arm: Arm, figures: VariantStanding, history: History, terms: Terms, asked: TargetCriteria) -> Case:
    compared = figures_of(arm, history)
    return Case(
        arm,
        figures,
        compiled_iterations(arm, terms),
        accuracy(arm, history, terms),
        gates(arm, history, terms, asked),
        not_worth_it(arm, history, terms.rules),
        compared.speed_up if compared else None,
        terms.is_stale(arm),
    )


def _chosen(holding: Sequence[Case], previous: Decision | None) -> Case | None:
    """The variant to propose: the one proposed before while it holds, else the surest, then the fastest."""
    kept = previous.variant if previous and previous.mode is Mode.COMPILED else None
    return min(
        holding,
        key=lambda case: (
            case.arm.variant != kept,
            -_SURENESS.index(case.standing.confidence),
            -(case.speed_up or 0.0),
            case.arm.variant,
        ),
        default=None,
    )


def _leading(cases: Sequence[Case]) -> Case | None:
    """The variant that criteria 3 and 4 are shown for when none is proposed: the one that came furthest."""
    return min(
        cases,
        key=lambda case: (
            not case.proven,
            case.iterations.state is not CriterionState.MET,
            not case.arm.admissible,
            case.failed,
            case.arm.variant != STOCK,
            case.arm.variant,
        ),
        default=None,
    )


@dataclass(frozen=True, slots=True)
class _Verdict:
    confidence: Confidence
    because: str


@dataclass(frozen=True, slots=True)
class _EagerSide:
    """Whether eager itself is known to work, on fresh and admissible evidence."""

    passes: bool
    trouble: str

    @staticmethod
    def of(arm: Arm | None, terms: Terms) -> _EagerSide:
        newest = arm.newest if arm and arm.admissible else None
        if arm is None or newest is None:
            return _EagerSide(False, "eager was never measured on CUDA")
        if newest.outcome is not Outcome.PASSED:
            return _EagerSide(False, f"eager itself last gave {result_of(newest)}")
        if terms.is_stale(arm):
            return _EagerSide(False, f"eager was last measured on CUDA on {newest.started_at:%Y-%m-%d}")
        return _EagerSide(True, "")


def _compiled(chosen: Case) -> _Verdict:
    faster = f", {chosen.speed_up:.2f} times as fast as eager" if chosen.speed_up else ""
    counted = chosen.standing
    return _Verdict(
        counted.confidence,
        f"{counted.passed} of {counted.passed + counted.failed} fresh processes passed on CUDA and forecasts are not "
        f"worse than eager's{faster}",
    )


def _eager(cases: Sequence[Case], leading: Case | None, eager: _EagerSide) -> _Verdict:
    known = [case for case in cases if case.arm.admissible]
    if leading is None or not known:
        return _Verdict(Confidence.LOW, "no compiled variant was ever measured on CUDA")
    if all(case.stale for case in known):
        last = "; ".join(f"{case.arm.variant} last gave {_result(case)}" for case in known)
        return _Verdict(Confidence.LOW, f"{last}, and nothing fresh was measured on CUDA")
    results = "; ".join(f"{case.arm.variant}: {_result(case)}" for case in known)
    if not eager.passes:
        return _Verdict(Confidence.LOW, f"{eager.trouble}, and no compiled variant is proven ({results})")
    if all(case.arm.broken for case in known):
        return _Verdict(Confidence.VERY_HIGH, f"every compiled variant breaks on CUDA ({results}) and eager passes")
    if all(case.failed for case in known):
        return _Verdict(Confidence.HIGH, f"no compiled variant works on CUDA ({results}) and eager passes")
    return _Verdict(Confidence.MODERATE, f"{_unproven(leading)}, and eager passes")


def _result(case: Case) -> str:
    """What to hold against a variant: the graph that failed in it, else its newest probe."""
    probe = case.arm.graph_failure or case.arm.newest
    gate = case.first_unmet_gate
    refuted = gate if gate and gate.judgement.state is CriterionState.NOT_MET else None
    told = f", {refuted.judgement.explanation}" if refuted else ""
    return f"{result_of(probe)}{told}" if probe else "nothing"


def _unproven(leading: Case) -> str:
    name = leading.arm.variant
    if leading.proven and leading.unworthy:
        return f"{name} works but {leading.unworthy}"
    if leading.iterations.state is not CriterionState.MET:
        return f"{name} is not proven ({leading.iterations.value})"
    gate = leading.first_unmet_gate
    if gate is not None and leading.accuracy.state is CriterionState.MET:
        return f"{name} runs, but not as asked for: {gate.judgement.explanation}"
    return f"{name} runs, but its accuracy is {leading.accuracy.value}"


def _sentence(chosen: Case | None, verdict: _Verdict) -> str:
    mode = f"COMPILED ({chosen.arm.variant})" if chosen else "EAGER"
    return f"{mode}, confidence {verdict.confidence.value}: {verdict.because}."


def _reason(verdict: _Verdict, leading: Case | None, triggers: Sequence[Trigger]) -> str:
    parts = [verdict.because]
    if leading is not None:
        parts += [leading.iterations.explanation, f"Accuracy: {leading.accuracy.explanation}"]
        parts += [gate.judgement.explanation for gate in leading.gates if gate.judgement.state is not _MET]
        if leading.standing.admissible and leading.standing.passed:
            parts.append(_counted(leading.standing))
    for trigger in triggers:
        name, state = trigger.criterion.name.value, trigger.criterion.state.value
        parts.append(f"{name} {state}".replace("_", " ") + f": {trigger.criterion.explanation}")
    return " ".join(f"{part[:1].upper()}{part[1:].removesuffix('.')}." for part in parts)


def _counted(figures: VariantStanding) -> str:
    since = f" since {figures.since:%Y-%m-%d}" if figures.since else ""
    anew = f"; counting{since}: {figures.reset}" if figures.reset else ""
    return (
        f"{figures.passed} of {figures.passed + figures.failed} fresh processes passed{since}, "
        f"a success rate of at least {figures.lower_bound:.3f} (95 %){anew}"
    )


def _next_step(target: str, chosen: Case | None, leading: Case | None, triggers: Sequence[Trigger]) -> str:
    """A command to paste; what cannot be said in it is its comment."""
    if chosen is not None:
        return "kronos-health report  # the evidence; a person switches production's .env.compile"
    name = shlex.quote(target)
    probe = f"kronos-health probe --target {name} --variant all"
    if leading is None or not leading.arm.admissible or leading.stale:
        return f"{probe}  # on a host with CUDA"
    for trigger in triggers:
        if trigger.mended_by:
            return f"{probe}  # on a host with CUDA, after updating production to {trigger.mended_by}"
    for trigger in triggers:
        if trigger.candidate:
            tried = shlex.quote(trigger.candidate)
            return f"kronos-health probe --target {name} --candidate {tried} --variant all  # on a host with CUDA"
    if leading.iterations.state is CriterionState.MET and leading.accuracy.value.startswith("void"):
        return f"{probe}  # after setting targets.{target}.weights and tokenizer"
    if leading.failed:
        return "kronos-health status  # nothing to do until torch or Kronos changes"
    return f"{probe}  # on a host with CUDA, for more evidence"
