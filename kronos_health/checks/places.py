"""A planned probe while this process measures it: signs of life, each iteration stored once, a new start if need be."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.domain.campaigns import NOTHING_MEASURED, Measured, PlannedProbe
from kronos_health.domain.probes import Environment, Iteration, ProbeSpec
from kronos_health.probe.holder import SIGN_OF_LIFE
from kronos_health.probe.progress import Progress, ProgressListener
from kronos_health.store import plans, probes
from kronos_health.store.database import writing
from kronos_health.store.errors import DatabaseUnreachable


class TakenOver(CheckError):
    """Another process took this one for dead and measures in its place: nothing of this one is stored any more."""


class EnvironmentChanged(Exception):
    """The first iteration after going on did not run on what the earlier ones ran on; nothing of it is stored yet."""

    def __init__(self, iteration: Iteration, environment: Environment | None, noise: tuple[str, ...]) -> None:
        super().__init__("the environment changed while the probe was interrupted")
        self.iteration, self.environment, self.noise = iteration, environment, noise


def taken_over(spec: ProbeSpec) -> TakenOver:
    """The error of a process whose claim is gone."""
    return TakenOver(
        f"{spec.target}/{spec.variant} was taken over by another process; this one stores nothing more of it."
    )


class Place:
    """A planned probe in hand. ``earlier`` is what it had measured before; ``measured`` when nothing is to be done."""

    def __init__(
        self, context: Context, line: PlannedProbe, token: str, probe_id: str, earlier: Measured | None = None
    ) -> None:
        self._context, self._line, self._token = context, line, token
        self.campaign_id = line.campaign_id
        self.probe_id, self.earlier = probe_id, earlier or NOTHING_MEASURED
        self.measured = line.measured
        self._unconfirmed = bool(self.earlier.iterations)  # has it shown that it runs on the same environment?
        self._running: int | None = None
        self._seen_at: datetime | None = None

    def watched(self, listener: ProgressListener | None) -> ProgressListener:
        """``listener``, with a sign of life for other processes at every step and every few seconds."""

        def show(progress: Progress) -> None:
            if progress.outcome is None:
                self._sign_of_life(progress.iteration - 1)
            if listener is not None:
                listener(progress)

        return show

    def keep(self, iteration: Iteration, environment: Environment | None, noise: tuple[str, ...]) -> None:
        """Store one iteration that has ended. Raises :class:`TakenOver` and :class:`EnvironmentChanged`."""
        if self._unconfirmed and iteration.outcome.about_the_model:
            if _name(environment) != _name(self.earlier.environment) or environment is None:
                raise EnvironmentChanged(iteration, environment, noise)
            self._unconfirmed = False
        with writing(self._context.engine) as connection:
            self._store(connection, iteration, environment, noise)

    def start_anew(self, change: EnvironmentChanged) -> Measured:
        """Close the old probe as lost, and go on in a new one that begins with the iteration just measured."""
        before, after = self.earlier.environment, change.environment
        reason = (
            f"begun anew: interrupted after {len(self.earlier.iterations)} of {self._line.spec.iterations} iterations, "
            f"and what goes on runs on {_told(after)} instead of {_told(before)}"
        )
        now = self._context.now()
        with writing(self._context.engine) as connection:
            probes.mark_lost(connection, [self.probe_id], now, reason)
            self.probe_id = probes.open_probe(connection, self._line.campaign_id, self._line.spec, now)
            if not plans.attach(connection, self._line.planned_id, self._token, self.probe_id):
                raise taken_over(self._line.spec)
            self._store(connection, change.iteration, after, change.noise)
        self.earlier, self._unconfirmed = Measured((change.iteration,), after, change.noise), False
        return self.earlier

    def close(self, connection: Connection, reason: str) -> None:
        """Within the transaction that closes the probe: give it back; what was dropped is lost for ``reason``."""
        now = self._context.now()
        line = next(
            line
            for line in plans.plan_of(connection, self._line.campaign_id)
            if line.planned_id == self._line.planned_id
        )
        plans.note_loss(connection, line, now, reason)
        if not plans.release_line(connection, self._line.planned_id, self._token):
            raise taken_over(self._line.spec)

    def _store(
        self, connection: Connection, iteration: Iteration, environment: Environment | None, noise: tuple[str, ...]
    ) -> None:
        self._require_claim(connection, None)
        probes.record_iteration(connection, self.probe_id, iteration, environment)
        probes.note_noise(connection, self.probe_id, noise)
        self._running = None

    def _sign_of_life(self, index: int) -> None:
        now = self._context.now()
        if index != self._running:
            with writing(self._context.engine) as connection:
                plans.renew(connection, self._token, now)
                self._require_claim(connection, index)
            self._running, self._seen_at = index, now
        elif self._seen_at is None or now - self._seen_at >= SIGN_OF_LIFE:
            self._seen_at = now
            with suppress(DatabaseUnreachable), writing(self._context.engine) as connection:  # the next one may arrive
                if not plans.renew(connection, self._token, now):
                    raise taken_over(self._line.spec)

    def _require_claim(self, connection: Connection, index: int | None) -> None:
        if not plans.note_running(connection, self._line.planned_id, self._token, index, self._context.now()):
            raise taken_over(self._line.spec)


def _name(environment: Environment | None) -> str | None:
    return environment.fingerprint if environment else None


def _told(environment: Environment | None) -> str:
    if environment is None:
        return "something it did not name"
    return f"torch {environment.torch}, {environment.gpu or environment.device} ({environment.fingerprint[:12]})"
