"""One message for many: what one cause made, and what happened in the quiet hours.

A cause is a deployment of the hour before, else the source or the target that alerts are about: what began to fail soon
after production changed is told as that change's doing, whichever log or model it shows in. Only what is waiting to
be sent is told together, so that nothing waits for company. Every alert keeps its row, its steps and its own message in
the outbox, which names the one that told it; its later messages answer that one, which goes on to show how each stands
(:mod:`kronos_health.alerts.following`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from kronos_health.alerts.listing import Told, listed
from kronos_health.alerts.messages import from_json, to_json
from kronos_health.alerts.policy_step import rank
from kronos_health.alerts.text import moment
from kronos_health.domain.alerts import TransitionKind
from kronos_health.domain.matching import Subject
from kronos_health.settings.models import Settings
from kronos_health.store import outbox, together
from kronos_health.store.outbox import OutboxRow
from kronos_health.store.upstream import latest_deployment

_AFTER_A_DEPLOYMENT = timedelta(hours=1)
_FAR_AHEAD = timedelta(days=9)  # nothing is held so long: the clock was set back since
_AT_ONCE = 500


def group(connection: Connection, channel: str, settings: Settings, now: datetime) -> None:
    """Let one message tell what began together with one cause and is still waiting in ``channel``."""
    apart = timedelta(seconds=settings.alerts.group_seconds)
    waiting = together.beginnings(connection, channel, _AT_ONCE) if apart else ()
    if len(waiting) < 2:
        return
    deployment = latest_deployment(connection)
    by_cause: dict[str, list[OutboxRow]] = {}
    for row in waiting:
        cause = _cause(row, deployment.deployed_at if deployment else None)
        if cause:
            by_cause.setdefault(cause, []).append(row)
    for cause, rows in by_cause.items():
        for run in _close_together(rows, apart):
            told = readable(run)
            _tell_together(connection, told, f"{len(told)} alerts at once {cause}", now)


def release_held(connection: Connection, channel: str, now: datetime) -> None:
    """Send what was held for the end of the quiet hours: one message goes as it is, several as one."""
    held = together.held(connection, channel, now, now + _FAR_AHEAD)
    told = readable(held)
    if len(told) < 2:
        for row in held:
            together.release(connection, row.id, now)
    else:
        _tell_together(connection, told, f"{len(held)} messages were held in the quiet hours", now)


def _cause(row: OutboxRow, deployed_at: datetime | None) -> str | None:
    """What made it, in words that end a title; ``None`` where nothing can be said."""
    if deployed_at is not None and deployed_at <= row.created_at < deployed_at + _AFTER_A_DEPLOYMENT:
        return f"after the deployment of {moment(deployed_at)}"
    kind, _, key = row.fingerprint.partition(":")
    subject = Subject(kind, key, "")
    for field in ("source", "target"):
        if names := subject.values(field):
            return f"in {names[0]}" if field == "source" else f"of {names[0]}"
    return None


def _close_together(rows: Sequence[OutboxRow], apart: timedelta) -> Iterator[list[OutboxRow]]:
    """Runs of rows that began within ``apart`` of the first of them; one alone is no run."""
    run: list[OutboxRow] = []
    for row in rows:
        if run and row.created_at - run[0].created_at > apart:
            if len(run) > 1:
                yield run
            run = []
        run.append(row)
    if len(run) > 1:
        yield run


def _tell_together(connection: Connection, told: Sequence[tuple[OutboxRow, Told]], title: str, now: datetime) -> None:
    if len(told) < 2:
        return
    identity = hashlib.sha256("\n".join(row.id for row, _told in told).encode()).hexdigest()[:32]
    place = (told[0][0].channel, f"group:{identity}", 1, TransitionKind.GROUPED, 1)
    message = listed([one for _row, one in told], title)
    outbox.enqueue(connection, *place, to_json(message), min(now, *(row.created_at for row, _told in told)))
    together.tell_in(connection, [row.id for row, _told in told], outbox.message_id(*place))


def readable(rows: Iterable[OutboxRow]) -> list[tuple[OutboxRow, Told]]:
    """Rows with their messages as they are listed, the most severe first.

    One that this program cannot read is left to whoever delivers it.
    """
    found = []
    for row in rows:
        try:
            found.append((row, Told((row.fingerprint, row.episode), from_json(row.message))))
        except ValueError:
            continue
    return sorted(found, key=lambda pair: (-rank(pair[1].message.severity), *pair[1].episode, pair[0].sequence))
