"""What people asked for in Slack, and who listens: all the SQL, inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from kronos_health.domain.conversation import Listener, RequestVerdict, SlackRequest, Wish
from kronos_health.store.alerts import insert_if_absent
from kronos_health.store.tables.conversation import listener, slack_request

_LONGEST_ANSWER = 4_000


def add_request(connection: Connection, request: SlackRequest) -> bool:
    """Store a request unless it is there already; whether it was new."""
    return insert_if_absent(
        connection,
        slack_request,
        id=request.id,
        received_at=request.received_at,
        wish=request.wish.value,
        seconds=request.seconds,
        outbox_id=request.outbox_id,
        user_id=request.user_id,
        user_name=request.user_name,
        conversation=request.conversation,
        conversation_name=request.conversation_name,
        answer_url=request.answer_url,
    )


def to_handle(connection: Connection, limit: int = 50) -> tuple[SlackRequest, ...]:
    """Requests that nothing was done about yet, the oldest first."""
    rows = connection.execute(
        select(slack_request)
        .where(slack_request.c.handled_at.is_(None))
        .order_by(slack_request.c.received_at, slack_request.c.id)
        .limit(limit)
    )
    return tuple(_request(row) for row in rows)


def settle(connection: Connection, request_id: str, verdict: RequestVerdict, answer: str, now: datetime) -> bool:
    """Record what came of a request; false when another process was first."""
    changed = connection.execute(
        update(slack_request)
        .where(slack_request.c.id == request_id, slack_request.c.handled_at.is_(None))
        .values(handled_at=now, verdict=verdict.value, answer=answer[:_LONGEST_ANSWER])
    )
    return changed.rowcount == 1


def to_answer(connection: Connection, received_after: datetime) -> tuple[tuple[SlackRequest, str], ...]:
    """Handled requests whose person was not answered yet and still can be, with the answers."""
    rows = connection.execute(
        select(slack_request)
        .where(
            slack_request.c.handled_at.is_not(None),
            slack_request.c.answer_url.is_not(None),
            slack_request.c.received_at > received_after,
        )
        .order_by(slack_request.c.handled_at)
    )
    return tuple((_request(row), row.answer or "") for row in rows)


def answered(connection: Connection, request_id: str) -> None:
    """Forget where the answer went to: it was given."""
    connection.execute(update(slack_request).where(slack_request.c.id == request_id).values(answer_url=None))


def give_up_answers(connection: Connection, received_before: datetime) -> int:
    """Forget addresses that take no answer any more."""
    changed = connection.execute(
        update(slack_request)
        .where(
            slack_request.c.answer_url.is_not(None),
            slack_request.c.handled_at.is_not(None),
            slack_request.c.received_at <= received_before,
        )
        .values(answer_url=None)
    )
    return changed.rowcount


def history(connection: Connection, limit: int = 100) -> tuple[tuple[SlackRequest, str | None, str | None], ...]:
    """The newest requests with verdict and answer."""
    rows = connection.execute(
        select(slack_request).order_by(slack_request.c.received_at.desc(), slack_request.c.id).limit(limit)
    )
    return tuple((_request(row), row.verdict, row.answer) for row in rows)


def forget(connection: Connection, before: datetime) -> int:
    """Delete requests that were handled and came before ``before``; what was done stays in the audit trail."""
    old = slack_request.c.received_at < before
    return connection.execute(delete(slack_request).where(old, slack_request.c.handled_at.is_not(None))).rowcount


def _request(row: Row[Any]) -> SlackRequest:
    return SlackRequest(
        id=row.id,
        received_at=row.received_at,
        wish=Wish(row.wish),
        user_id=row.user_id,
        user_name=row.user_name,
        conversation=row.conversation,
        conversation_name=row.conversation_name,
        seconds=row.seconds,
        outbox_id=row.outbox_id,
        answer_url=row.answer_url,
    )


# --- who listens ----------------------------------------------------------------------------------------------------


def sign_of_life(connection: Connection, alive: Listener) -> None:
    """Say how the listener of a host is."""
    values = {
        "pid": alive.pid,
        "started_at": alive.started_at,
        "alive_at": alive.alive_at,
        "connected": alive.connected,
        "ended_at": alive.ended_at,
        "problem": alive.problem,
    }
    if not insert_if_absent(connection, listener, host=alive.host, **values):
        connection.execute(update(listener).where(listener.c.host == alive.host).values(**values))


def listeners(connection: Connection) -> tuple[Listener, ...]:
    """Every host that ever listened, the one that was alive last first."""
    rows = connection.execute(select(listener).order_by(listener.c.alive_at.desc()))
    return tuple(Listener(**row._mapping) for row in rows)
