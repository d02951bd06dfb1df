"""From the outbox to the channels: claim, commit, send, settle — one message at a time.

The claim is committed before anything is sent, so that a run killed at any instant leaves a row whose lease runs out;
whoever finds that looks into the channel before sending again.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from kronos_health.alerts.channels import LONGEST_WAIT, Channel, Outcome, Parcel, Verdict
from kronos_health.alerts.condition import reopen_if_it_works
from kronos_health.alerts.following import queue_lists
from kronos_health.alerts.grouping import group, release_held
from kronos_health.alerts.messages import fired_and_resolved, from_json, to_json
from kronos_health.alerts.settling import Clock, Pace, Settler
from kronos_health.alerts.standing import queue_refreshes
from kronos_health.domain.alerts import DeliveryState, TransitionKind
from kronos_health.settings.models import Settings
from kronos_health.store import alerts as store
from kronos_health.store import next_message, outbox, pictures
from kronos_health.store.alerts import ChannelStatus
from kronos_health.store.database import reading, writing
from kronos_health.store.outbox import OutboxRow

_BETWEEN_LOOKS = timedelta(seconds=10)  # for what is overdue, which is a matter of minutes


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    """What a delivery run did.

    ``sent`` messages arrived; ``failed`` attempts will be repeated; ``waiting`` messages are still on their way in
    channels that work, the next from ``waiting_until`` on; ``kept`` ones lie in channels that do not; ``dead`` ones
    were given up (and went the second route); ``merged`` were said by a later message of their episode.
    """

    sent: int = 0
    failed: int = 0
    waiting: int = 0
    dead: int = 0
    disabled_channels: tuple[str, ...] = ()
    kept: int = 0
    merged: int = 0
    waiting_until: datetime | None = None
    problems: tuple[str, ...] = ()


def deliver(
    engine: Engine,
    channels: Mapping[str, Channel],
    settings: Settings,
    clock: Clock,
    *,
    patience_seconds: float = 0.0,
    sleep: Callable[[float], None] = time.sleep,
    pace: Pace = Pace(),  # noqa: B008 - frozen
) -> DeliverySummary:
    """Send what is due, at most ``settings.alerts.batch`` attempts, and say what is left.

    Never sleeps unless the caller grants ``patience_seconds``: a task comes back at ``waiting_until`` instead. Any
    number of deliverers may run at once. Raises ``StoreError`` when the database cannot be used.
    """
    run = _Run(engine, channels, settings, clock, pace)
    run.prepare()
    attempts = 0
    while attempts < settings.alerts.batch:
        progress = sum(run.attempt(name) for name in channels)
        attempts += progress
        if progress or run.reroute_overdue():
            continue
        wait = run.seconds_to_wait()
        if wait is None or wait > patience_seconds:
            break
        patience_seconds -= max(wait, 0.001)
        sleep(max(wait, 0.001))
    return run.summary()


@dataclass(frozen=True, slots=True)
class _Claim:
    row: OutboxRow
    parcel: Parcel
    read_back: bool
    lease_until: datetime


class _Run:
    """One call of :func:`deliver`."""

    def __init__(
        self, engine: Engine, channels: Mapping[str, Channel], settings: Settings, clock: Clock, pace: Pace
    ) -> None:
        self._engine, self._channels, self._settings, self._clock, self._pace = engine, channels, settings, clock, pace
        self._owner = f"{socket.gethostname()[:20]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        self._settler = Settler(tuple(channels), settings, clock, pace, self._owner)
        self._looked_at: datetime | None = None  # for what is overdue

    # -- before and after --

    def prepare(self) -> None:
        """Mend what a clock set back has left, look whether refused channels work again, and use second routes."""
        now = self._clock()
        with writing(self._engine) as connection:
            for name in self._channels:
                status = store.lock_channel(connection, name)
                latest = now + timedelta(seconds=LONGEST_WAIT * 1.5)
                if status.not_before and status.not_before > latest:
                    store.hold_channel(connection, name, now)
                outbox.mend_clock(connection, name, now, latest)
                release_held(connection, name, now)
                group(connection, name, self._settings, now)
        for channel in self._channels.values():
            reopen_if_it_works(self._engine, channel, self._settings, now)
        self._use_second_routes()
        self._show_how_alerts_stand()

    def _use_second_routes(self) -> None:
        with writing(self._engine) as connection:
            refused = {status.name for status in store.channels(connection) if status.disabled_at}
            for name in outbox.waiting(connection):
                if name in refused or name not in self._channels:
                    self._settler.reroute(connection, name)

    def reroute_overdue(self) -> int:
        """Use second routes for what is still here after it was due long ago; how many messages were new there.

        A channel that never answers refuses nothing, so that nobody closes it. Asked between any two messages, and
        looks now and then: that visits everything overdue.
        """
        now = self._clock()
        if self._looked_at is not None and timedelta(0) <= now - self._looked_at < _BETWEEN_LOOKS:
            return 0
        self._looked_at = now
        overdue = now - timedelta(minutes=self._settings.alerts.overdue_minutes)
        with writing(self._engine) as connection:
            waiting = outbox.waiting(connection)
            return sum(self._settler.reroute(connection, name, queued_before=overdue) for name in waiting)

    def _show_how_alerts_stand(self) -> None:
        able = [name for name, channel in self._channels.items() if channel.refreshes]
        if not able:
            return
        with writing(self._engine) as connection:
            refused = {status.name for status in store.channels(connection) if status.disabled_at}
            names, now = [name for name in able if name not in refused], self._clock()
            queue_refreshes(connection, names, now)
            queue_lists(connection, names, self._settings, now)

    def seconds_to_wait(self) -> float | None:
        """Until the next message can be taken up; ``None`` when nothing waits in a channel that works."""
        until = self._waiting_until()
        return None if until is None else max((until - self._clock()).total_seconds(), 0.0)

    def _waiting_until(self) -> datetime | None:
        with reading(self._engine) as connection:
            times = []
            for status in store.channels(connection):
                due = next_message.next_due(connection, status.name)
                if due is not None and status.name in self._channels and not status.disabled_at:
                    times.append(max(due, status.not_before or due))
        return min(times, default=None)

    def summary(self) -> DeliverySummary:
        """What was done, and what is left."""
        with reading(self._engine) as connection:
            refused = tuple(status.name for status in store.channels(connection) if status.disabled_at)
            open_rows = outbox.waiting(connection)
        working = {name: count for name, count in open_rows.items() if name in self._channels and name not in refused}
        tally = self._settler.tally
        return DeliverySummary(
            sent=tally.sent,
            failed=tally.failed,
            waiting=sum(working.values()),
            dead=tally.dead,
            disabled_channels=refused,
            kept=sum(open_rows.values()) - sum(working.values()),
            merged=tally.merged,
            waiting_until=self._waiting_until(),
            problems=tuple(tally.problems),
        )

    # -- one message --

    def attempt(self, name: str) -> bool:
        """Take up one message of the channel, if one is due; whether there was."""
        claimed = self._claim(name)
        if claimed is None:
            return False
        if self._clock() >= claimed.lease_until:
            return True  # this process was held up: the row is somebody else's to look after by now
        channel = self._channels[name]
        started = time.monotonic()
        act = channel.find if claimed.read_back else channel.send
        try:
            outcome = act(claimed.parcel)
        except Exception as error:  # a fault of a channel must not stop the others, nor lose or double a message
            outcome = Outcome(Verdict.UNKNOWN, error=f"{type(error).__name__}: {error}")
        took = time.monotonic() - started
        settle = self._settler.settle_lookup if claimed.read_back else self._settler.settle_send
        with writing(self._engine) as connection:
            if not claimed.read_back:
                # Counted from the answer as well: what the network delayed must not arrive close to the next.
                self._keep_pace(connection, store.lock_channel(connection, name))
            if not settle(connection, claimed.row, outcome):
                self._settler.problem(
                    name, f"a message took {took:.0f} s and its lease was lost; another run looks after it"
                )
        return True

    def _claim(self, name: str) -> _Claim | None:
        now = self._clock()
        with writing(self._engine) as connection:
            status = store.lock_channel(connection, name)
            if status.disabled_at or (status.not_before and status.not_before > now):
                return None
            row = next_message.next_row(connection, name, now)
            if row is None:
                return None
            try:
                row = self._merged(connection, row)
                read_back = row.state is not DeliveryState.PENDING
                parcel = self._parcel(connection, row, now, read_back)
            except ValueError as error:
                self._unreadable(connection, row, error)
                return None
            lease_until = now + timedelta(seconds=self._settings.alerts.lease_seconds)
            if not outbox.claim(connection, row, self._owner, now, lease_until):
                return None
            if not read_back:
                self._keep_pace(connection, status)
            return _Claim(row, parcel, read_back, lease_until)

    def _keep_pace(self, connection: Connection, status: ChannelStatus) -> None:
        between = self._channels[status.name].pace_seconds if self._pace.between is None else self._pace.between
        until = self._clock() + timedelta(seconds=between)
        if status.not_before is None or status.not_before < until:
            store.hold_channel(connection, status.name, until)

    def _merged(self, connection: Connection, row: OutboxRow) -> OutboxRow:
        """An alert that is over before anybody was told of it becomes one message."""
        begins = row.kind in (TransitionKind.FIRED, TransitionKind.FLAPPING)
        if not begins or row.state is not DeliveryState.PENDING:
            return row
        resolved = outbox.resolution_of(connection, row)
        if resolved is None:
            return row
        message = to_json(fired_and_resolved(from_json(row.message), from_json(resolved.message)))
        self._settler.tally.merged += outbox.merge_into(connection, resolved, message)
        return replace(resolved, message=message)

    def _parcel(self, connection: Connection, row: OutboxRow, now: datetime, read_back: bool) -> Parcel:
        parent = outbox.parent_of(connection, row)
        message = from_json(row.message)
        return Parcel(
            id=row.id,
            message=message,
            plain=row.plain,
            parent_id=parent.external_id if parent else None,
            # One that told several alerts is answered, and does not turn green with one of them.
            parent=from_json(parent.message) if parent and parent.fingerprint == row.fingerprint else None,
            known_address=outbox.last_address(connection, row.channel) if read_back else None,
            since=row.first_claimed_at or now,
            reference=parent.id if parent else row.id,
            png=pictures.png_of(connection, message.picture.id) if message.picture else None,
            staged=row.staged,
            attempts=row.attempts + 1,
        )

    def _unreadable(self, connection: Connection, row: OutboxRow, error: ValueError) -> None:
        """A message this program cannot read (made by a newer one, say) must not hold the others up."""
        self._settler.tally.dead += 1
        self._settler.problem(row.channel, f"the message {row.id} cannot be read: {error}")
        outbox.bury(connection, row.id, str(error))
