"""The switch: propose a change of production's settings, take the answer, write it, watch what follows.

The only use case that may change anything of production, and only what a person approved: the file that the person
saw, with the change that the person saw. Every step is stored before the next one begins, and :func:`advance` mends
whatever a killed run left: it looks at what the file holds, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from kronos_health.alerts import recording
from kronos_health.checks import switch_file
from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.checks.observations import switch as observations
from kronos_health.checks.pulse import pulse
from kronos_health.checks.switch_words import summary_of_decision, summary_of_failure
from kronos_health.domain.alerts import Observation
from kronos_health.domain.revisit import Confidence, Mode
from kronos_health.domain.switch import Switch, SwitchState
from kronos_health.history.verification import against, deployment_checks
from kronos_health.revisit import switching as machine
from kronos_health.revisit.switching import Answer, File, NotPossible, Seen
from kronos_health.store import revisit as decisions
from kronos_health.store import switches as store
from kronos_health.store import upstream
from kronos_health.store.database import reading, writing
from kronos_health.store.revisit import StoredDecision
from kronos_health.upstream.env_file import FileTrouble, backup_path
from kronos_health.upstream.shell_edit import CannotEdit

_PREDICTIONS = 3  # of the four deployment checks: Kronos predictions complete


@dataclass(frozen=True, slots=True)
class Subject:
    """What a proposal is about, and the evidence that it rests on."""

    target: str
    variant: str
    decision_id: str | None
    evidence_key: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Advanced:
    """What one pass changed, what waits for an answer, and what could not be proposed or written."""

    changed: tuple[Switch, ...]
    waiting: Switch | None
    problems: tuple[str, ...]


def advance(context: Context) -> Advanced:
    """Write what is approved, settle what is known, propose what is to be proposed. Idempotent."""
    with pulse(context, "switch") as state:
        problems = _write_approved(context)
        with writing(context.engine) as connection:
            seen = _settle(context, connection)
            opened, refused = _propose(context, connection)
            changed = (*seen, *opened)
            told = [one for switch in changed for one in _told(switch, opened)]
            told += [observations.of_writing(switch) for switch in problems]
            recording.record(connection, told, context.settings, context.now())
            switches = store.all_switches(connection)
        texts = tuple(dict.fromkeys([*refused, *(one.problem for one in problems if one.problem)]))
        if texts:
            state.attention("; ".join(texts))
        return Advanced(changed, waiting(switches), texts)


def settle(context: Context) -> tuple[Switch, ...]:
    """Only look at what became of proposals, a diff applied by hand for instance; those that moved."""
    if not listed(context):
        return ()
    with writing(context.engine) as connection:
        moved = _settle(context, connection)
        told = [one for switch in moved for one in _told(switch)]
        recording.record(connection, told, context.settings, context.now())
    return tuple(moved)


def waiting(switches: Iterable[Switch]) -> Switch | None:
    """The proposal that waits for an answer, if there is one."""
    return next((switch for switch in switches if switch.state is SwitchState.PROPOSED), None)


def listed(context: Context) -> tuple[Switch, ...]:
    """Every proposal there was, oldest first."""
    with reading(context.engine) as connection:
        return store.all_switches(connection)


def answer(context: Context, approve: bool, who: str, reason: str, switch_id: str = "") -> Switch:
    """Take a person's answer to the proposal that waits (or to the one whose id ends so), and act on it.

    Returns it as it stands then: written, or approved with why not yet, or withdrawn because the file had changed
    since it was shown. Raises ``CheckError`` where nothing waits, or it was answered otherwise already.
    """
    with writing(context.engine) as connection:
        asked = _asked(store.all_switches(connection), switch_id)
        try:
            given = machine.answered(asked, approve, who, reason, context.now())
        except NotPossible as error:
            raise CheckError(f"{asked.switch_id}: {error}.") from error
        if given != asked:
            given = store.save(connection, _prepared(context, given))
            recording.record(connection, [observations.of_proposal(given)], context.settings, context.now())
    if approve:
        advance(context)
    return next(one for one in listed(context) if one.switch_id == asked.switch_id)


def roll_back(context: Context, who: str, reason: str) -> Switch:
    """Take the last change that is in force back: a person says so. Raises ``CheckError`` where there is none."""
    with writing(context.engine) as connection:
        switches = store.all_switches(connection)
        undone = next((one for one in reversed(switches) if one.state.in_force and not one.is_way_back), None)
        if undone is None:
            raise CheckError("no approved change is in force: there is nothing to take back. See: kronos-health switch")
        proposal = next((one for one in switches if one.state.is_open), None)
        if proposal is not None and proposal.undoes != undone.switch_id:
            raise CheckError("another proposal is open: answer it first. See: kronos-health switch show")
        if proposal is None:
            try:
                proposal = _open_way_back(context, connection, undone, f"{who} asks for the way back: {reason}")
            except (FileTrouble, CannotEdit) as trouble:
                raise CheckError(f"the way back has to be taken by hand: {trouble}.") from trouble
    if proposal is None:
        raise CheckError("another proposal was opened just now. See: kronos-health switch show")
    return answer(context, True, who, reason, proposal.switch_id)


def claim(context: Context, run: str, insist: bool = False) -> Switch | None:
    """The proposal that ``run`` is to ask a person about; ``None`` where none waits or another run asks already.

    A run holds its question for ``switch.ask_hours``; ``insist`` takes it over, for a person who started the run.
    """
    advance(context)
    with writing(context.engine) as connection:
        asked, now = waiting(store.all_switches(connection)), context.now()
        if asked is None:
            return None
        others = asked.asked_by not in (None, run) and asked.asked_until is not None and asked.asked_until > now
        if others and not insist:
            return None
        until = now + timedelta(hours=context.settings.switch.ask_hours)
        return store.save(connection, replace(asked, asked_by=run, asked_until=until))


def release(context: Context, run: str) -> None:
    """``run`` ended without an answer: the next one may ask."""
    with writing(context.engine) as connection:
        for switch in store.all_switches(connection):
            if switch.asked_by == run and switch.state is SwitchState.PROPOSED:
                store.save(connection, replace(switch, asked_by=None, asked_until=None))


def _asked(switches: tuple[Switch, ...], switch_id: str) -> Switch:
    if not switch_id:
        found = waiting(switches)
        if found is None:
            raise CheckError("no proposal waits for an answer. See: kronos-health switch")
        return found
    matching = [one for one in switches if one.switch_id.endswith(switch_id)]
    if len(matching) != 1:
        raise CheckError(f"{switch_id!r} names {len(matching) or 'no'} proposals. See: kronos-health switch")
    return matching[0]


def _prepared(context: Context, given: Switch) -> Switch:
    """An approved proposal with how it is going to be written, fixed before anything is."""
    if given.state is not SwitchState.APPROVED or given.answered_at is None:
        return given
    because = switch_file.by_hand_because(context.settings, given)
    if because:
        return replace(given, by_hand=True, problem=because)
    backup = backup_path(Path(given.file), given.answered_at, given.switch_id)
    return replace(given, by_hand=False, backup=str(backup), problem=None)


def _write_approved(context: Context) -> tuple[Switch, ...]:
    """Write what is approved; every proposal that was tried, with why it could not be written, if so."""
    switches = listed(context)
    known = {one.switch_id: one for one in switches}
    tried = []
    for switch in switches:
        if switch.state is SwitchState.APPROVED and not switch.by_hand:
            undone = known.get(switch.undoes) if switch.undoes else None
            problem = switch_file.write(switch, undone)
            if problem != switch.problem:
                with writing(context.engine) as connection:
                    switch = store.save(connection, replace(switch, problem=problem))
            tried.append(switch)
    return tuple(tried)


def _settle(context: Context, connection: Connection) -> list[Switch]:
    """Move every proposal to what is seen of it; those that moved."""
    moved: list[Switch] = []
    ways_back_first = sorted(store.all_switches(connection), key=lambda one: not one.is_way_back)
    for known in ways_back_first:
        switch = next((one for one in moved if one.switch_id == known.switch_id), known)
        settled = machine.settle(switch, _seen(context, connection, switch))
        if settled == switch:
            continue
        moved.append(store.save(connection, settled))
        if settled.is_way_back and settled.state is SwitchState.WRITTEN:
            moved += _taken_back(connection, settled)
    return moved


def _taken_back(connection: Connection, back: Switch) -> list[Switch]:
    undone = next(one for one in store.all_switches(connection) if one.switch_id == back.undoes)
    taken = machine.taken_back(undone, back)
    return [store.save(connection, taken)] if taken != undone else []


def _seen(context: Context, connection: Connection, switch: Switch) -> Seen:
    if not (switch.state.is_open or switch.state.in_force):
        return Seen(context.now(), File.UNREADABLE, False, Answer.UNKNOWN)
    answered, found = Answer.UNKNOWN, ""
    if switch.state is SwitchState.WRITTEN and not switch.is_way_back:
        answered, found = checks_of(context, connection, switch)
    return Seen(
        context.now(), switch_file.look(context, switch), _still_proposed(context, connection, switch), answered, found
    )


def _still_proposed(context: Context, connection: Connection, switch: Switch) -> bool:
    """The decision for a change; for a way back, that there still is something to take back."""
    if switch.is_way_back:
        return any(one.switch_id == switch.undoes and one.state.in_force for one in store.all_switches(connection))
    held = decisions.latest_decision(connection, switch.target, imported=False)
    return held is not None and (held.decision.mode, held.decision.variant) == (Mode.COMPILED, switch.variant)


def checks_of(context: Context, connection: Connection, switch: Switch) -> tuple[Answer, str]:
    """What the four deployment checks say since production was restarted from what was written.

    Faster than eager's bounds is what was wanted: only slower counts. Good takes a number of completed predictions.
    """
    settings = context.settings
    origins = ("process", "reported") if settings.production.process else ("process", "reported", "revision")
    since = upstream.restart_after(connection, switch.written_at or context.now(), seen_by=origins)
    if since is None:
        return Answer.UNKNOWN, "production was not seen restarting since"
    bounds = settings.bounds.model_copy(update={"kronos_inference_ms": (0.0, settings.bounds.kronos_inference_ms[1])})
    checks = deployment_checks(connection, context.now(), bounds, since, settings.sources)
    bad = [check for check in checks if check.state == "bad"]
    if bad:
        return Answer.BAD, "; ".join(against(check, bounds) for check in bad)
    completed = sum(check.count - check.bad for check in checks if check.number == _PREDICTIONS)
    if any(check.state != "good" for check in checks) or completed < settings.switch.predictions:
        return Answer.UNKNOWN, f"{completed} of {settings.switch.predictions} predictions completed since the restart"
    return Answer.GOOD, ""


def _propose(context: Context, connection: Connection) -> tuple[list[Switch], list[str]]:
    """Open what is to be proposed now, the way back first; and why it could not be, if so."""
    switches = store.all_switches(connection)
    failed = machine.wants_way_back(switches)
    try:
        if failed is not None:
            back = _open_way_back(context, connection, failed, summary_of_failure(failed))
            return ([back] if back else []), []
        for held in _decisions(context, connection):
            if machine.wants_switch(held.decision, switches):
                opened = _open(context, connection, held)
                return ([opened] if opened else []), []
    except (FileTrouble, CannotEdit) as trouble:
        return [], [f"a change of production's settings cannot be proposed: {trouble}"]
    return [], []


def _decisions(context: Context, connection: Connection) -> Iterable[StoredDecision]:
    for target in context.settings.targets:
        held = decisions.latest_decision(connection, target, imported=False)
        if held is not None:
            yield held


def _open(context: Context, connection: Connection, held: StoredDecision) -> Switch | None:
    path, decision = context.settings.production.env_file, held.decision
    wanted = switch_file.variables(context.settings, decision.target, decision.variant or "")
    if path is None or not wanted:
        return None
    change = switch_file.plan(path, wanted)
    if change.before == change.after:
        return None  # production runs so already: nothing to ask
    variant = decision.variant or ""
    about = Subject(decision.target, variant, held.decision_id, machine.evidence_key(decision), decision.confidence)
    summary = summary_of_decision(decision, switch_file.code_change(context.settings, variant))
    return store.open_one(connection, _proposal(context, path, change, about, summary))


def _proposal(
    context: Context, path: Path, change: switch_file.Change, about: Subject, summary: str, undoes: str | None = None
) -> Switch:
    return Switch(
        switch_id="",  # given when it is stored
        target=about.target,
        variant=about.variant,
        decision_id=about.decision_id,
        evidence_key=about.evidence_key,
        confidence=about.confidence,
        state=SwitchState.PROPOSED,
        proposed_at=context.now(),
        file=str(path),
        before_sha256=change.before.sha256,
        after_sha256=change.after.sha256,
        diff=change.diff(path),
        changes=change.changes,
        former=change.former,
        summary=summary,
        undoes=undoes,
    )


def _open_way_back(context: Context, connection: Connection, undone: Switch, summary: str) -> Switch | None:
    path = Path(undone.file)
    about = Subject(undone.target, undone.variant, undone.decision_id, undone.evidence_key, undone.confidence)
    change = switch_file.plan_back(path, undone)
    return store.open_one(connection, _proposal(context, path, change, about, summary, undone.switch_id))


def _told(switch: Switch, opened: Iterable[Switch] = ()) -> Iterable[Observation]:
    """What is to be said of a proposal that moved; that a check failed is said by the way back, where one is opened."""
    yield observations.of_proposal(switch)
    said_elsewhere = (switch.is_way_back and switch.state is SwitchState.WRITTEN) or any(
        switch.state is SwitchState.FAILED and back.undoes == switch.switch_id for back in opened
    )
    if switch.state in observations.TOLD and not said_elsewhere:
        yield observations.of_outcome(switch)
