"""Rows of alerts, transitions, messages, channels and heartbeats."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, insert

from kronos_health.domain.matching import parse_matcher
from kronos_health.domain.silences import ActionKind, Silence, Via
from kronos_health.store import silences
from kronos_health.store.tables.alerts import alert, alert_transition, channel, heartbeat, outbox
from kronos_health.store.types import new_id

REUSE = "graph_reuse:trade_stock_e2e"
DRIFT = "settings_drift:file .env.compile/ADD_LATEST"


def insert_alerts(connection: Connection, now: datetime, findings: list[str]) -> None:
    """Graph reuse firing for two days, a drift that was resolved, and their messages."""
    fired = now - timedelta(days=2)
    _alert(
        connection, REUSE, "firing", "critical", "CUDA graph outputs reused in <trade_stock_e2e>", fired, len(findings)
    )
    _alert(
        connection, DRIFT, "ok", "warning", "ADD_LATEST is missing", now - timedelta(days=6), 1, now - timedelta(days=5)
    )
    _step(connection, REUSE, "fired", fired, 1, "graph reuse fires at once")
    _step(connection, REUSE, "updated", fired + timedelta(hours=1), 2, f"seen {len(findings) - 1} more times")
    _step(connection, DRIFT, "fired", now - timedelta(days=6), 1, "drift fires at once")
    _step(connection, DRIFT, "resolved", now - timedelta(days=5), 2, "the file follows the decision again")
    connection.execute(insert(channel).values(name="console", last_sent_at=fired))
    connection.execute(
        insert(channel).values(
            name="slack", disabled_at=fired, disabled_reason="invalid_auth: the token was refused; renew slack.token"
        )
    )
    _message(connection, "console", REUSE, 1, "sent", fired, fired + timedelta(seconds=4))
    _message(connection, "console", DRIFT, 1, "sent", now - timedelta(days=6), now - timedelta(days=6))
    _message(connection, "slack", REUSE, 1, "pending", fired)
    _message(connection, "slack", REUSE, 2, "dead", fired + timedelta(hours=1))


def insert_actions(connection: Connection, now: datetime) -> None:
    """Ann took the graph reuse on, and keeps the skipped graphs of one log quiet for a day."""
    acted = now - timedelta(hours=3)
    silences.note(connection, ActionKind.ACKNOWLEDGE, "ann", Via.SLACK, acted, fingerprint=REUSE, detail="episode 1")
    wanted = (parse_matcher("kind=log_errors"), parse_matcher("source=trade_stock_e2e"))
    made = Silence(new_id(), wanted, acted, acted + timedelta(days=1), "ann", "known since the update")
    silences.add(connection, made)
    silences.note(connection, ActionKind.SILENCE, "ann", Via.CLI, acted, silence_id=made.id, detail=made.comment)


def insert_heartbeats(connection: Connection, now: datetime) -> None:
    """A good probe and scan, and a watch that was killed."""
    for check, subject, verdict in (
        ("probe", "kronos", "attention"),
        ("scan", "trade_stock_e2e", "ok"),
        ("watch", None, None),
    ):
        connection.execute(
            insert(heartbeat).values(
                id=new_id(),
                check=check,
                subject=subject,
                started_at=now - timedelta(hours=1),
                finished_at=now - timedelta(minutes=50) if verdict else None,
                verdict=verdict,
            )
        )


def _alert(
    connection: Connection,
    fingerprint: str,
    state: str,
    severity: str,
    title: str,
    fired_at: datetime,
    occurrences: int,
    resolved_at: datetime | None = None,
) -> None:
    kind, key = fingerprint.split(":", 1)
    connection.execute(
        insert(alert).values(
            fingerprint=fingerprint,
            kind=kind,
            key=key,
            state=state,
            episode=1,
            sequence=2,
            occurrences=occurrences,
            fired_at=fired_at,
            last_bad_at=fired_at,
            resolved_at=resolved_at,
            title=title,
            severity=severity,
        )
    )


def _step(connection: Connection, fingerprint: str, kind: str, at: datetime, sequence: int, reason: str) -> None:
    connection.execute(
        insert(alert_transition).values(
            id=new_id(),
            fingerprint=fingerprint,
            episode=1,
            sequence=sequence,
            kind=kind,
            at=at,
            reason=reason,
            announced=True,
        )
    )


def _message(
    connection: Connection,
    to: str,
    fingerprint: str,
    sequence: int,
    state: str,
    at: datetime,
    sent_at: datetime | None = None,
) -> None:
    connection.execute(
        insert(outbox).values(
            id=new_id(),
            channel=to,
            fingerprint=fingerprint,
            episode=1,
            sequence=sequence,
            kind="fired" if sequence == 1 else "updated",
            state=state,
            message="{}",
            created_at=at,
            next_at=at,
            attempts=0 if state == "pending" else 1,
            last_error=None if state == "sent" else "invalid_auth",
            sent_at=sent_at,
        )
    )
