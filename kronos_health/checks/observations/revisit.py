"""Observations of a decision: criteria that are met, one by one and all together."""

from __future__ import annotations

from collections.abc import Iterator

from kronos_health.checks.observations.commands import command
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.logs import Severity
from kronos_health.domain.revisit import Criterion, CriterionName, CriterionState, Decision, Mode

_TITLES = {
    CriterionName.TORCH_RELEASE: "a torch release runs compiled {target}",
    CriterionName.KRONOS_UPDATE: "an updated Kronos runs compiled",
    CriterionName.COMPILED_ITERATIONS: "every compiled iteration of {target} succeeded",
    CriterionName.ACCURACY: "compiled {target} forecasts as well as eager",
    CriterionName.RECOMPILES: "compiled {target} recompiles seldom enough",
    CriterionName.SPEED_UP: "compiled {target} is fast enough",
    CriterionName.CUDAGRAPH_SKIPS: "compiled {target} skips no more CUDA graphs than allowed",
}
_STATES = {
    CriterionState.MET: ObservationState.BAD,  # "bad" only in the sense of: tell somebody
    CriterionState.NOT_MET: ObservationState.GOOD,
    CriterionState.UNKNOWN: ObservationState.UNKNOWN,
}


def of_decision(decision: Decision, decision_id: str) -> Iterator[Observation]:
    """One observation per criterion, and one for the proposal itself; ``decision_id`` is the decision's row."""
    for criterion in decision.criteria:
        yield _of_criterion(decision, criterion, decision_id)
    yield _of_proposal(decision, decision_id)


def _of_criterion(decision: Decision, criterion: Criterion, decision_id: str) -> Observation:
    number = list(CriterionName).index(criterion.name) + 1
    return Observation(
        kind=AlertKind.CRITERION_MET,
        key=f"{decision.target}/{criterion.name.value}",
        state=_STATES[criterion.state],
        severity=Severity.INFO,
        title=f"Revisit criterion {number} is met: {_TITLES[criterion.name].format(target=decision.target)}",
        summary=criterion.explanation,
        next_step=command("status", note="the four criteria, and what the decision rests on"),
        facts=(
            Fact("Found", criterion.value),
            Fact("Threshold", criterion.threshold),
            *((Fact("Variant", criterion.variant),) if criterion.variant else ()),
            Fact("Decision", decision.sentence),
        ),
        evidence=(f"decision:{decision_id}", *(f"{row.table}:{row.row_id}" for row in criterion.evidence)),
    )


def _of_proposal(decision: Decision, decision_id: str) -> Observation:
    proposed = decision.mode is Mode.COMPILED
    states = ", ".join(f"{i}: {c.state.value.replace('_', ' ')}" for i, c in enumerate(decision.criteria, start=1))
    rows = [f"{row.table}:{row.row_id}" for criterion in decision.criteria for row in criterion.evidence]
    # An eager decision withdraws a proposal only when it rests on evidence; without any, nothing is known.
    calm = ObservationState.GOOD if decision.evidence_at else ObservationState.UNKNOWN
    return Observation(
        kind=AlertKind.ALL_CRITERIA_MET,
        key=decision.target,
        state=ObservationState.BAD if proposed else calm,
        severity=Severity.WARNING,
        title=f"{decision.target} may run compiled: criteria 3 and 4 hold for {decision.variant or 'a variant'}",
        summary=decision.reason,
        next_step=decision.next_step,
        facts=(
            Fact("Decision", decision.sentence),
            Fact("Confidence", decision.confidence.value),
            Fact("Criteria", states),
        ),
        evidence=(f"decision:{decision_id}", *dict.fromkeys(rows)),
    )
