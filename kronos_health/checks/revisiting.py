"""Revisit: weigh the four criteria on everything stored, and keep the decision with the rows it rests on."""

from __future__ import annotations

from sqlalchemy import Connection

from kronos_health.alerts import recording
from kronos_health.checks import switching
from kronos_health.checks.context import Context, require_known
from kronos_health.checks.observations import revisit as observations
from kronos_health.checks.pulse import pulse
from kronos_health.checks.watching import KRONOS, is_kronos
from kronos_health.domain.revisit import Decision, History
from kronos_health.revisit.decision import decide
from kronos_health.store import revisit as store
from kronos_health.store.database import writing


def revisit(context: Context, targets: tuple[str, ...] | None = None) -> tuple[Decision, ...]:
    """Decide about each target, and propose the switch where that is what follows; a person answers.

    ``None`` means the targets that are probed. Raises ``CheckError`` for an unknown one.
    """
    chosen = targets or context.settings.probe.targets
    for name in chosen:
        require_known("target", name, context.settings.targets)
    decided = tuple(_revisit(context, name) for name in chosen)
    switching.advance(context)
    return decided


def history_of(context: Context, connection: Connection, name: str) -> History:
    """Everything stored that a decision about target ``name`` rests on."""
    settings = context.settings
    return store.load_history(
        connection,
        name,
        package=settings.upstream.torch_package,
        repository=KRONOS if is_kronos(settings.targets[name]) else None,
        ref=settings.upstream.kronos_ref,
    )


def _revisit(context: Context, name: str) -> Decision:
    settings = context.settings
    with pulse(context, "revisit", name) as state:
        with writing(context.engine) as connection:
            history = history_of(context, connection, name)
            previous = store.latest_decision(connection, name, imported=False)
            now = context.now()
            asked = settings.targets[name].criteria_in_force
            decision = decide(history, previous.decision if previous else None, settings.revisit, now, asked)
            decision_id = store.record_decision(connection, decision)
            recording.record(connection, tuple(observations.of_decision(decision, decision_id)), settings, now)
        state.message = decision.sentence
    return decision
