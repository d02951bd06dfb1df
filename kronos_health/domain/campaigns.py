"""A campaign's plan, and who measures which part of it now: what going on after a kill rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kronos_health.domain.probes import Environment, Iteration, Outcome, ProbeSpec


@dataclass(frozen=True, slots=True)
class Campaign:
    """A stored campaign. ``finished_at`` is ``None`` until every planned probe was compared."""

    campaign_id: str
    started_at: datetime
    finished_at: datetime | None
    origin: str
    airflow_run_id: str | None


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that measures: told apart from an earlier one of the same number by when it started."""

    machine: str  # host, its boot and its process namespace
    pid: int
    started: float  # seconds since 1970

    def __str__(self) -> str:
        return f"process {self.pid} on {self.machine.partition(' ')[0]}"


@dataclass(frozen=True, slots=True)
class PlannedProbe:
    """One line of a campaign's plan, with the probe that measures it (``None``: not begun) and how that stands.

    ``claim`` is what the holder shows at every write; ``running_index`` the iteration that runs, or ran when its
    holder was last seen.
    """

    planned_id: str
    campaign_id: str
    spec: ProbeSpec
    probe_id: str | None
    outcome: Outcome | None
    skipped_reason: str | None
    claim: str | None
    holder: Holder | None
    alive_at: datetime | None
    running_index: int | None
    running_since: datetime | None

    @property
    def measured(self) -> bool:
        """True when there is nothing to go on with: what was stopped, skipped or lost is taken up again."""
        unfinished = self.outcome in (None, Outcome.LOST, Outcome.SKIPPED)
        return not unfinished and self.skipped_reason is None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a probe measured before it was interrupted, by iteration index; ``noise`` are reasons for doubt."""

    iterations: tuple[Iteration, ...] = ()
    environment: Environment | None = None
    noise: tuple[str, ...] = ()

    def missing(self, wanted: int) -> tuple[int, ...]:
        """The indexes still to be measured of ``wanted``; none after an iteration that ended the whole probe."""
        if any(not iteration.outcome.about_the_model for iteration in self.iterations):
            return ()
        done = {iteration.index for iteration in self.iterations}
        return tuple(index for index in range(wanted) if index not in done)


NOTHING_MEASURED = Measured()
