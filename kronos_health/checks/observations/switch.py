"""Observations of the switch: a proposal that waits for a person, what became of it, a file that cannot be written."""

from __future__ import annotations

from kronos_health.checks.observations.commands import command
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.logs import Severity
from kronos_health.domain.switch import Switch, SwitchState


def of_proposal(switch: Switch) -> Observation:
    """Waits for an answer or does not: said once when it is made, and closed by whatever answered it."""
    waiting = switch.state is SwitchState.PROPOSED
    back = switch.is_way_back
    return Observation(
        kind=AlertKind.SWITCH_PROPOSED,
        key=f"{switch.target}/{switch.switch_id}",
        state=ObservationState.BAD if waiting else ObservationState.GOOD,
        severity=Severity.CRITICAL if back else Severity.WARNING,
        title=f"Take {switch.target} back from {switch.variant}? A person decides"
        if back
        else f"Switch {switch.target} to {switch.variant}? A person decides",
        summary=switch.summary if waiting else outcome(switch),
        next_step=command(
            "switch", "show", note="the diff and the evidence; then: kronos-health switch approve|reject"
        ),
        observed_at=switch.proposed_at,
        facts=(
            Fact("File", switch.file),
            Fact("Changes", changes_line(switch)),
            Fact("Confidence", switch.confidence.value),
        ),
        excerpt=switch.diff,
        evidence=_evidence(switch),
    )


def of_outcome(switch: Switch) -> Observation:
    """One message for what became of an approved change."""
    passed, failed = switch.state is SwitchState.PASSED, switch.state is SwitchState.FAILED
    return Observation(
        kind=AlertKind.SWITCH_SETTLED,
        key=f"{switch.target}/{switch.switch_id}/{switch.state.value}",
        state=ObservationState.BAD,  # "bad" only in the sense of: tell somebody
        severity=Severity.WARNING if failed else Severity.INFO,
        title=f"{switch.target} → {switch.variant}: {_RESULTS[switch.state]}",
        summary=outcome(switch),
        next_step=command("verify")
        if passed or failed
        else command("verify", note="once production was restarted; was that not seen: kronos-health deployed"),
        facts=(Fact("File", switch.file), Fact("Changes", changes_line(switch))),
        evidence=_evidence(switch),
    )


def of_writing(switch: Switch) -> Observation:
    """Whether an approved change could be written."""
    stuck = switch.state is SwitchState.APPROVED and not switch.by_hand and switch.problem is not None
    return Observation(
        kind=AlertKind.CHECKER_UNHEALTHY,
        key=f"switch/{switch.switch_id}",
        state=ObservationState.BAD if stuck else ObservationState.GOOD,
        severity=Severity.WARNING,
        title="An approved change of production's settings cannot be written",
        summary=switch.problem or "It is written, or no longer wanted.",
        next_step=command("switch", "propose", note="tries again, once the cause is mended"),
        evidence=_evidence(switch),
    )


_RESULTS = {
    SwitchState.WRITTEN: "the change is written, production has to be restarted",
    SwitchState.PASSED: "the deployment checks are good",
    SwitchState.FAILED: "a deployment check is bad",
    SwitchState.ROLLED_BACK: "the change is taken back",
}
TOLD = frozenset(_RESULTS)


def outcome(switch: Switch) -> str:
    """What became of a proposal, in a sentence or two."""
    by = f" by {switch.who}" if switch.who else ""
    why = f": {switch.reason}" if switch.reason else ""
    match switch.state:
        case SwitchState.PROPOSED:
            return "It waits for an answer."
        case SwitchState.APPROVED if switch.by_hand:
            return f"Approved{by}{why}. It is to be applied by hand: {switch.problem or 'writing is off'}."
        case SwitchState.APPROVED:
            return f"Approved{by}{why}. " + (f"Not written: {switch.problem}" if switch.problem else "Not written yet.")
        case SwitchState.REJECTED:
            return f"Rejected{by}{why}. It is not asked again on the same evidence."
        case SwitchState.WITHDRAWN:
            return f"Withdrawn: {switch.problem}."
        case SwitchState.WRITTEN:
            how = "by hand" if switch.by_hand else f"with a backup in {switch.backup}"
            approved = f"Approved{by}{why}. " if by else ""
            return f"{approved}Written {how}; it holds once production is restarted from it."
        case SwitchState.PASSED:
            return "Restarted, and all four deployment checks are good."
        case SwitchState.FAILED:
            return f"A deployment check is bad: {switch.problem}. The way back is proposed."
        case _:
            return f"Taken back: {switch.problem}. Production has to be restarted."


def changes_line(switch: Switch) -> str:
    """``KRONOS_COMPILE: not set → 1``, one after the other."""
    former = dict(switch.former)
    return ", ".join(f"{name}: {_shown(former.get(name))} → {_shown(value)}" for name, value in switch.changes)


def _shown(value: str | None) -> str:
    return "not set" if value is None else value


def _evidence(switch: Switch) -> tuple[str, ...]:
    rows = [f"switch:{switch.switch_id}"]
    rows += [f"decision:{switch.decision_id}"] if switch.decision_id else []
    rows += [f"switch:{switch.undoes}"] if switch.undoes else []
    return tuple(rows)
