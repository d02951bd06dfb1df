"""The switch as a pure state machine: what a proposal becomes by what is seen, and whether one is to be made.

Nothing here writes a file or asks a clock. Asking again on the same facts changes nothing, so that a run that was
killed anywhere is mended by the next one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kronos_health.domain.revisit import Confidence, Decision, Mode
from kronos_health.domain.switch import Switch, SwitchState

_SURENESS = tuple(Confidence)


class Answer(StrEnum):
    """What the deployment checks say of what was written."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"  # production was not restarted since, or its logs do not say yet


class File(StrEnum):
    """What the settings file holds."""

    AS_BEFORE = "as before"
    AS_PROPOSED = "as proposed"
    OTHERWISE = "otherwise"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to know of one proposal now. ``still_proposed``: the decision still says what it proposes."""

    at: datetime
    file: File
    still_proposed: bool
    checks: Answer
    found: str = ""  # what speaks against it, in words


class NotPossible(ValueError):
    """An answer to something that is not, or no longer, open; the text says what became of it."""


def settle(switch: Switch, seen: Seen) -> Switch:
    """What ``switch`` is by what is seen; the same where nothing changed."""
    match switch.state:
        case SwitchState.PROPOSED | SwitchState.APPROVED if seen.file is File.AS_PROPOSED:
            return _written(switch, seen.at)
        case SwitchState.PROPOSED | SwitchState.APPROVED if seen.file is File.OTHERWISE:
            return _ended(switch, SwitchState.WITHDRAWN, seen.at, "the file was changed meanwhile")
        case SwitchState.PROPOSED | SwitchState.APPROVED if not seen.still_proposed:
            return _ended(switch, SwitchState.WITHDRAWN, seen.at, "the decision no longer proposes it")
        case state if state.in_force and not switch.is_way_back and seen.file is File.AS_BEFORE:
            return _ended(switch, SwitchState.ROLLED_BACK, seen.at, "the file holds the former values again")
        case SwitchState.WRITTEN if not switch.is_way_back and seen.checks is Answer.GOOD:
            return _ended(switch, SwitchState.PASSED, seen.at, None)
        case SwitchState.WRITTEN if not switch.is_way_back and seen.checks is Answer.BAD:
            return _ended(switch, SwitchState.FAILED, seen.at, seen.found)
        case _:
            return switch


def _written(switch: Switch, at: datetime) -> Switch:
    """The file holds it. Nobody wrote it through us where no approval was given or no backup was made."""
    return replace(
        switch,
        state=SwitchState.WRITTEN,
        written_at=at,
        by_hand=switch.by_hand or switch.state is SwitchState.PROPOSED,
        problem=None,
    )


def _ended(switch: Switch, state: SwitchState, at: datetime, because: str | None) -> Switch:
    """``because`` is what was seen; ``reason`` stays what the person said."""
    return replace(switch, state=state, settled_at=at, problem=because)


def answered(switch: Switch, approve: bool, who: str, reason: str, at: datetime) -> Switch:
    """``switch`` as a person answers it; the same answer of the same person again changes nothing.

    Raises :class:`NotPossible` where it is not open any more, and for a rejection without a reason.
    """
    if switch.who == who and switch.answered_at and approve == (switch.state is not SwitchState.REJECTED):
        return switch
    if switch.state is not SwitchState.PROPOSED:
        by = f" by {switch.who}" if switch.who else ""
        said = switch.problem if switch.state is SwitchState.WITHDRAWN else switch.reason
        why = f": {said}" if said else ""
        raise NotPossible(f"it is {switch.state.value.replace('_', ' ')} already{by}{why}")
    if not who.strip():
        raise NotPossible("say who answers")
    if not approve and not reason.strip():
        raise NotPossible("a rejection needs a reason: it is kept, and shown until the evidence changes")
    state = SwitchState.APPROVED if approve else SwitchState.REJECTED
    return replace(
        switch,
        state=state,
        who=who.strip(),
        reason=reason.strip() or None,
        answered_at=at,
        settled_at=None if approve else at,
    )


def taken_back(switch: Switch, back: Switch) -> Switch:
    """``switch`` once ``back``, its way back, was written."""
    if not switch.state.in_force:
        return switch
    by = f" by {back.who}" if back.who else ""
    said = f": {back.reason}" if back.reason else ""
    return _ended(switch, SwitchState.ROLLED_BACK, back.written_at or back.proposed_at, f"asked for{by}{said}")


def evidence_key(decision: Decision) -> str:
    """What a rejection holds for: the variant, the environment that was measured, since when it is counted.

    New probes of the same thing are no other evidence, or a rejection would be asked about again every night; a
    greater confidence is, and is compared by itself.
    """
    measured = [
        (standing.fingerprint, standing.since.isoformat() if standing.since else None)
        for standing in decision.standings
        if standing.candidate == "production" and standing.variant == decision.variant
    ]
    states = sorted((criterion.name.value, criterion.state.value) for criterion in decision.criteria)
    said = json.dumps([decision.target, decision.variant, measured, states])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def held_back(decision: Decision, switches: Iterable[Switch]) -> Switch | None:
    """The rejection that still answers what ``decision`` would propose; ``None`` where there is none.

    A failed or taken back switch is one too: the same evidence does not propose it again.
    """
    key = evidence_key(decision)
    answers = (SwitchState.REJECTED, SwitchState.FAILED, SwitchState.ROLLED_BACK)
    for switch in reversed(list(switches)):
        if switch.is_way_back or switch.target != decision.target or switch.evidence_key != key:
            continue
        if switch.state in answers and not _surer(decision.confidence, switch.confidence):
            return switch
    return None


def _surer(now: Confidence, before: Confidence) -> bool:
    return _SURENESS.index(now) > _SURENESS.index(before)


def in_the_way(switches: Iterable[Switch]) -> Switch | None:
    """What has to be settled before anything else is proposed: one change of production at a time."""
    waiting = (SwitchState.PROPOSED, SwitchState.APPROVED)
    for switch in switches:
        if switch.state in waiting or (switch.state is SwitchState.WRITTEN and not switch.is_way_back):
            return switch
    return None


def wants_switch(decision: Decision, switches: Iterable[Switch]) -> bool:
    """Whether ``decision`` proposes something that is neither answered nor done."""
    if decision.mode is not Mode.COMPILED or decision.variant is None:
        return False
    switches = list(switches)
    done = any(
        switch.state.in_force and (switch.target, switch.variant) == (decision.target, decision.variant)
        for switch in switches
    )
    return not done and held_back(decision, switches) is None and in_the_way(switches) is None


def wants_way_back(switches: Iterable[Switch]) -> Switch | None:
    """The failed switch whose way back nobody has been asked about yet."""
    switches = list(switches)
    undone = {switch.undoes for switch in switches if switch.state is not SwitchState.WITHDRAWN}
    if any(switch.state.is_open for switch in switches):
        return None
    return next(
        (one for one in switches if one.state is SwitchState.FAILED and one.switch_id not in undone),
        None,
    )


@dataclass(frozen=True, slots=True)
class Expectations:
    """What production's settings are to be: variables demanded and forbidden."""

    expected: Mapping[str, str]
    forbidden: Mapping[str, str]


def expectations(base: Expectations, switches: Iterable[Switch], running_since: datetime | None = None) -> Expectations:
    """``base`` as the approved changes that are in force have moved it.

    A process that runs since before a change was written is held to what held then: that it was not restarted yet is
    no drift. A change that was taken back counts for nobody: who still runs by it drifts.
    """
    expected, forbidden = dict(base.expected), dict(base.forbidden)
    for switch in sorted(switches, key=lambda one: one.written_at or one.proposed_at):
        later = running_since is not None and switch.written_at is not None and running_since < switch.written_at
        if switch.is_way_back or not switch.state.in_force or later:
            continue
        for name, value in switch.changes:
            forbidden.pop(name, None)
            expected.pop(name, None)
            if value is not None:
                expected[name] = value
    return Expectations(expected, forbidden)
