"""Campaigns that outlive their process: the plan is stored first, and a kill costs the iteration that ran.

What a campaign has measured is never measured again. Its parts are *held* by one process at a time; a process that is
killed is found dead on its own machine at once, and elsewhere after :data:`~kronos_health.probe.holder.LEASE`. Ctrl-C
and a stop on request are interruptions like a kill: the iteration that ran is noted as lost, and the probe goes on at
its first missing iteration when the campaign is taken up again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from kronos_health.checks.context import Context, require_known
from kronos_health.checks.errors import CheckError
from kronos_health.checks.places import Place, taken_over
from kronos_health.domain.campaigns import Campaign, PlannedProbe
from kronos_health.domain.probes import ProbeSpec
from kronos_health.probe.holder import lives, this_process
from kronos_health.store import measured, plans, probes
from kronos_health.store.database import reading, writing
from kronos_health.store.errors import DatabaseUnreachable

_TRIES = 5


class ProbeHeld(CheckError):
    """Another living process measures this now; trying again later helps."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A campaign with its plan; ``held_by`` says which living process measures it now."""

    campaign: Campaign
    plan: tuple[PlannedProbe, ...]
    held_by: str | None

    @property
    def measured(self) -> int:
        """How many probes of the plan are done."""
        return sum(line.measured for line in self.plan)

    @property
    def line(self) -> str:
        """For people, e.g. ``the campaign 0198… of 2026-11-25 08:30 UTC (3 of 8 probes measured)``."""
        began = f"{self.campaign.started_at:%Y-%m-%d %H:%M} UTC"
        return (
            f"the campaign {self.campaign.campaign_id} of {began} ({self.measured} of {len(self.plan)} probes measured)"
        )


def start(context: Context, specs: Iterable[ProbeSpec] = ()) -> str:
    """Open a campaign with its plan and return its id.

    Within a DAG run that has begun one and not finished it, that one goes on: a cleared task is no new campaign.
    """
    origin = context.origin
    with writing(context.engine) as connection:
        begun = plans.unfinished_of_run(connection, origin.dag_id, origin.run_id) if origin.run_id else None
        campaign_id = begun.campaign_id if begun else None
        if campaign_id is None:
            campaign_id = probes.start_campaign(connection, origin.name, context.now(), origin.dag_id, origin.run_id)
        plans.add_to_plan(connection, campaign_id, specs)
    return campaign_id


def planned(context: Context, campaign_id: str, specs: Sequence[ProbeSpec]) -> tuple[ProbeSpec, ...]:
    """Store ``specs`` as the campaign's plan for their targets; a plan these targets have already stands."""
    with writing(context.engine) as connection:
        plans.lock_campaign(connection, campaign_id)
        targets = {spec.target for spec in specs}
        known = [line.spec for line in plans.plan_of(connection, campaign_id) if line.spec.target in targets]
        if known:
            return tuple(known)
        plans.add_to_plan(connection, campaign_id, specs)
    return tuple(specs)


def unfinished(context: Context) -> Standing | None:
    """The newest campaign of the command line, if it never came to its end."""
    with reading(context.engine) as connection:
        newest = plans.newest_planned(connection)
        if newest is None or newest.finished_at is not None:
            return None
        return _standing(context, newest, plans.plan_of(connection, newest.campaign_id))


def to_resume(context: Context, campaign_id: str | None = None) -> Standing:
    """The campaign to go on with: the newest unfinished one of the command line, or the one named.

    Raises :class:`CheckError` where there is none, or it is finished, or asks for a target that is configured no more.
    """
    with reading(context.engine) as connection:
        if campaign_id is None:
            found = plans.newest_planned(connection, unfinished=True)
            absent = "there is no unfinished campaign to go on with. kronos-health probe starts a new one."
        else:
            found = plans.campaign_by_id(connection, campaign_id)
            absent = f"there is no campaign {campaign_id!r}. See: kronos-health query campaigns."
        if found is None:
            raise CheckError(absent)
        standing = _standing(context, found, plans.plan_of(connection, found.campaign_id))
    if found.finished_at is not None:
        raise CheckError(f"{standing.line} is finished. kronos-health probe starts a new one.")
    if not standing.plan:
        raise CheckError(f"{standing.line} has no stored plan to go on with. kronos-health probe starts a new one.")
    for line in standing.plan:
        require_known("target", line.spec.target, context.settings.targets)
    return standing


def superseded(context: Context, campaign_id: str) -> frozenset[str]:
    """Probes of the campaign that were begun anew in another environment: closed as lost, and compared with nothing."""
    with reading(context.engine) as connection:
        current = {line.probe_id for line in plans.plan_of(connection, campaign_id)}
        return frozenset(probes.lost_of_campaign(connection, campaign_id) - current)


class Hold:
    """Parts of a campaign that this process measures and nobody else."""

    def __init__(self, context: Context, campaign_id: str) -> None:
        self._context, self._campaign_id, self._token = context, campaign_id, str(uuid.uuid4())

    def take(self, specs: Sequence[ProbeSpec] | None) -> None:
        """Hold the planned probes of ``specs`` (``None``: all) that are not measured yet.

        Raises :class:`ProbeHeld` when a living process has one of them; from a dead one they are taken over.
        """
        for _try in range(_TRIES):
            with writing(self._context.engine) as connection:
                plans.add_to_plan(connection, self._campaign_id, specs or ())
                lines = [
                    line
                    for line in plans.plan_of(connection, self._campaign_id)
                    if not line.measured and (specs is None or line.spec in specs)
                ]
                now = self._context.now()
                _require_free(lines, self._context)
                if plans.claim(connection, lines, self._token, this_process(), now):
                    for line in lines:
                        plans.note_loss(connection, line, now, f"killed: {line.holder} gave no more sign of life")
                    return
        raise ProbeHeld(f"other processes take up the campaign {self._campaign_id} at this moment. Try again.")

    def place(self, spec: ProbeSpec) -> Place:
        """The planned probe with what it measured before; it is opened, or opened again, when it goes on."""
        now = self._context.now()
        with writing(self._context.engine) as connection:
            line = next(line for line in plans.plan_of(connection, self._campaign_id) if line.spec == spec)
            if line.measured and line.probe_id is not None:
                return Place(self._context, line, self._token, line.probe_id)
            if line.probe_id is None:
                probe_id, earlier = probes.open_probe(connection, self._campaign_id, spec, now), None
            else:
                probe_id, earlier = line.probe_id, measured.measured_by(connection, line.probe_id)
                probes.reopen_probe(connection, probe_id)
            if not plans.attach(connection, line.planned_id, self._token, probe_id):
                raise taken_over(spec)
        return Place(self._context, line, self._token, probe_id, earlier)

    def release(self, reason: str) -> None:
        """Give everything back; ``reason`` is why an iteration that still ran was lost."""
        with writing(self._context.engine) as connection:
            plans.release(connection, self._token, self._context.now(), reason)


@contextmanager
def held(context: Context, campaign_id: str, specs: Sequence[ProbeSpec] | None = None) -> Iterator[Hold]:
    """Hold the planned probes of ``specs`` (``None``: the whole plan) until the end. Raises :class:`ProbeHeld`."""
    hold = Hold(context, campaign_id)
    hold.take(specs)
    try:
        yield hold
    except BaseException as error:
        reason = "interrupted (Ctrl-C)" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        with suppress(DatabaseUnreachable):  # then whoever goes on finds this process dead
            hold.release(reason)
        raise
    hold.release("stopped")


def _standing(context: Context, campaign: Campaign, plan: tuple[PlannedProbe, ...]) -> Standing:
    now = context.now()
    holders = [line.holder for line in plan if line.holder and lives(line.holder, line.alive_at, now)]
    return Standing(campaign, plan, str(holders[0]) if holders else None)


def _require_free(lines: Iterable[PlannedProbe], context: Context) -> None:
    for line in lines:
        if line.holder is not None and lives(line.holder, line.alive_at, context.now()):
            spec, seen = line.spec, f", last seen {line.alive_at:%H:%M:%S} UTC" if line.alive_at else ""
            raise ProbeHeld(
                f"{spec.target}/{spec.variant} of the campaign {line.campaign_id} is being measured by "
                f"{line.holder}{seen}. Wait for it, or end that process first."
            )
