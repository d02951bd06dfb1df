"""What becomes of a message after an attempt: one row of a table per verdict.

Only the claimant settles, by compare-and-set; everything that follows from a verdict (the channel pauses, closes, a
second route is used) commits with it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from kronos_health.alerts.channels import Outcome, Verdict
from kronos_health.alerts.condition import close_channel, usable_route
from kronos_health.domain.alerts import DeliveryState, TransitionKind
from kronos_health.settings.models import Settings
from kronos_health.store import alerts as store
from kronos_health.store import outbox
from kronos_health.store.outbox import OutboxRow

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast, and how patiently. Seconds.

    ``between`` overrides the channels' own pace (tests set it to 0). ``before_reading_back`` lets a channel's history
    catch up with a message whose answer was lost. ``backoff`` doubles with each failed attempt up to ``longest``.
    """

    between: float | None = None
    before_reading_back: float = 15.0
    backoff: float = 15.0
    longest: float = 900.0
    jitter: Callable[[], float] = random.random  # a share from 0 to 1 of the wait, against deliverers in step
    refusals: int = 10  # attempts with a refusal this program does not know before a message is given up


@dataclass(slots=True)
class Tally:
    """What a delivery run did so far; ``problems`` is an ordered set."""

    sent: int = 0
    failed: int = 0
    dead: int = 0
    merged: int = 0
    problems: dict[str, None] = field(default_factory=dict)


class Settler:
    """Settles what ``owner`` claimed; ``present`` names the channels a second route can be found among."""

    def __init__(self, present: Collection[str], settings: Settings, clock: Clock, pace: Pace, owner: str) -> None:
        self._present, self._settings, self._clock, self._pace, self._owner = present, settings, clock, pace, owner
        self.tally = Tally()

    def reroute(
        self, connection: Connection, name: str, only: str | None = None, queued_before: datetime | None = None
    ) -> int:
        """Queue what is open in ``name`` (or the one row ``only``) for its second route as well; how many were new."""
        refused = {status.name for status in store.channels(connection) if status.disabled_at}
        route = usable_route(name, self._settings, self._present, refused)
        if not route:
            return 0
        return outbox.reroute(connection, name, route, self._clock(), only, queued_before)

    def settle_send(self, connection: Connection, row: OutboxRow, outcome: Outcome) -> bool:
        """After an attempt to send; false when the lease was lost meanwhile."""
        match outcome.verdict:
            case Verdict.DELIVERED:
                return self._sent(connection, row, outcome)
            case Verdict.RATE_LIMITED:
                return self._limited(connection, row, outcome, DeliveryState.PENDING)
            case Verdict.CHANNEL:
                return self._channel_refused(connection, row, outcome, DeliveryState.PENDING)
            case Verdict.UNKNOWN:
                return self._unknown(connection, row, outcome)
            case Verdict.STAGED:
                return self._again(
                    connection, row, DeliveryState.PENDING, outcome.retry_after or 0.0, outcome, staged=outcome.staged
                )
            case Verdict.PAYLOAD if not row.plain:
                self._failed(row, outcome)
                return self._again(connection, row, DeliveryState.PENDING, 0.0, outcome, plain=True)
            case Verdict.PAYLOAD:
                return self._dead(connection, row, outcome)
            case Verdict.NOT_DELIVERED:
                self._failed(row, outcome)
                return self._later(connection, row, DeliveryState.PENDING, outcome)
            case _:
                self._failed(row, outcome)
                if row.attempts + 1 >= self._pace.refusals:
                    return self._dead(connection, row, outcome)
                return self._again(connection, row, DeliveryState.PENDING, self._backoff(row), outcome)

    def settle_lookup(self, connection: Connection, row: OutboxRow, outcome: Outcome) -> bool:
        """After a look whether an earlier attempt arrived; false when the lease was lost meanwhile."""
        match outcome.verdict:
            case Verdict.DELIVERED:
                return self._sent(connection, row, outcome)
            case Verdict.RATE_LIMITED:
                return self._limited(connection, row, outcome, DeliveryState.UNKNOWN)
            case Verdict.CHANNEL:
                return self._channel_refused(connection, row, outcome, DeliveryState.UNKNOWN)
            case Verdict.UNKNOWN | Verdict.NOT_DELIVERED:
                self._failed(row, outcome)
                return self._later(connection, row, DeliveryState.UNKNOWN, outcome)
            case _:  # not there, or nobody can ever tell: send it (again)
                return self._again(connection, row, DeliveryState.PENDING, 0.0, outcome)

    def _sent(self, connection: Connection, row: OutboxRow, outcome: Outcome) -> bool:
        now = self._clock()
        self.tally.sent += row.kind is not TransitionKind.REFRESHED
        if outcome.orphaned:
            outbox.orphan(connection, row)
        store.note_sent(connection, row.channel, now)
        return self._settle(
            connection, row, DeliveryState.SENT, external_id=outcome.external_id, sent_at=now, last_error=None
        )

    def _limited(self, connection: Connection, row: OutboxRow, outcome: Outcome, state: DeliveryState) -> bool:
        self.problem(row.channel, outcome.error)
        wait = (outcome.retry_after or 1.0) + self._pace.jitter()
        until = self._clock() + timedelta(seconds=wait)
        store.hold_channel(connection, row.channel, until)
        return self._settle(
            connection, row, state, next_at=until, attempts=row.attempts, last_error=outcome.error or None
        )

    def _channel_refused(self, connection: Connection, row: OutboxRow, outcome: Outcome, state: DeliveryState) -> bool:
        self._failed(row, outcome)
        # Its place in the queue is kept: it goes first once the channel takes messages again.
        settled = self._settle(connection, row, state, last_error=outcome.error or None)
        now = self._clock()
        close_channel(connection, row.channel, outcome, self._settings, now)
        self.reroute(connection, row.channel)
        return settled

    def _unknown(self, connection: Connection, row: OutboxRow, outcome: Outcome) -> bool:
        self._failed(row, outcome)
        # Whatever broke this answer may break the next: the channel pauses, and its history catches up meanwhile.
        wait = max(self._pace.before_reading_back, self._backoff(row) if row.attempts else 0.0)
        until = self._clock() + timedelta(seconds=wait)
        store.hold_channel(connection, row.channel, until)
        return self._settle(connection, row, DeliveryState.UNKNOWN, next_at=until, last_error=outcome.error or None)

    def _dead(self, connection: Connection, row: OutboxRow, outcome: Outcome) -> bool:
        self.tally.dead += 1
        self.problem(row.channel, f"a message was given up: {outcome.error}")
        if row.kind is not TransitionKind.REFRESHED:
            self.reroute(connection, row.channel, only=row.id)
        return self._settle(connection, row, DeliveryState.DEAD, last_error=outcome.error or None)

    def _later(self, connection: Connection, row: OutboxRow, state: DeliveryState, outcome: Outcome) -> bool:
        """Again after a growing wait, and the whole channel with it: nobody answers there."""
        wait = self._backoff(row)
        store.hold_channel(connection, row.channel, self._clock() + timedelta(seconds=wait))
        return self._again(connection, row, state, wait, outcome)

    def _again(
        self,
        connection: Connection,
        row: OutboxRow,
        state: DeliveryState,
        wait: float,
        outcome: Outcome,
        **values: object,
    ) -> bool:
        return self._settle(
            connection,
            row,
            state,
            next_at=self._clock() + timedelta(seconds=wait),
            last_error=outcome.error or row.last_error,
            **values,
        )

    def _settle(self, connection: Connection, row: OutboxRow, state: DeliveryState, **values: object) -> bool:
        return outbox.settle(connection, row.id, self._owner, state, **values)

    def _backoff(self, row: OutboxRow) -> float:
        wait = min(self._pace.backoff * 2.0 ** min(row.attempts, 20), self._pace.longest)
        return wait * (1.0 + 0.2 * self._pace.jitter())

    def _failed(self, row: OutboxRow, outcome: Outcome) -> None:
        self.tally.failed += 1
        self.problem(row.channel, " ".join(filter(None, (outcome.error + ".", outcome.advice))))

    def problem(self, channel: str, text: str) -> None:
        """Note something a person should read, once."""
        self.tally.problems[f"{channel}: {text}"] = None
