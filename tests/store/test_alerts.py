"""The repository of alerts, channels and heartbeats, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from kronos_health.domain.alerts import Alert, AlertKind, AlertState, Transition, TransitionKind
from kronos_health.domain.logs import Severity
from kronos_health.store import alerts as store
from kronos_health.store.alerts import StoredAlert
from kronos_health.store.database import reading, writing
from kronos_health.store.errors import StoreError


def _alert(now: datetime, key: str = "a", **values: object) -> Alert:
    alert = Alert(
        fingerprint=f"log_errors:{key}", kind=AlertKind.LOG_ERRORS, key=key, state=AlertState.FIRING, episode=3,
        sequence=2, occurrences=5_000_000_000, positives=7, pending_since=now, fired_at=now, last_bad_at=now,
        recovering_since=None, resolved_at=None, last_message_at=now, unknown_since=None,
        announced_occurrences=4_000_000_000, last_observation="0" * 32,
    )  # fmt: skip
    return replace(alert, **values)  # type: ignore[arg-type]


def it_keeps_every_field_of_an_alert(engine: Engine, now: datetime) -> None:
    alert = _alert(now)
    with writing(engine) as connection:
        store.ensure_alert(connection, replace(alert, state=AlertState.OK))
        store.ensure_alert(connection, replace(alert, state=AlertState.PENDING))  # changes nothing
        held = store.lock_alerts(connection, [alert.fingerprint])[alert.fingerprint]
        assert held.alert.state is AlertState.OK
        saved = store.save_alert(connection, StoredAlert(alert, "Title", Severity.WARNING, held.version))
    with writing(engine) as connection:
        found = store.lock_alerts(connection, [alert.fingerprint, "log_errors:unheard of"])
    assert found == {alert.fingerprint: saved}
    assert (saved.alert, saved.version) == (alert, 1)


def it_refuses_to_overwrite_what_changed_meanwhile(engine: Engine, now: datetime) -> None:
    alert = _alert(now)
    with writing(engine) as connection:
        store.ensure_alert(connection, alert)
        store.save_alert(connection, StoredAlert(alert))
    with pytest.raises(StoreError, match="log_errors:a was changed by another process"):
        with writing(engine) as connection:
            store.save_alert(connection, StoredAlert(alert, version=0))


def it_lists_what_is_open_the_longest_burning_first(engine: Engine, now: datetime) -> None:
    alerts = [
        _alert(now, "young", fired_at=now),
        _alert(now, "old", fired_at=now - timedelta(days=2), state=AlertState.RECOVERING),
        _alert(now, "over", state=AlertState.OK),
        _alert(now, "not yet", state=AlertState.PENDING),
    ]
    with writing(engine) as connection:
        for alert in alerts:
            store.ensure_alert(connection, alert)
    with reading(engine) as connection:
        assert [stored.alert.key for stored in store.open_alerts(connection)] == ["old", "young"]


def it_keeps_the_steps_of_an_alert_in_order(engine: Engine, now: datetime) -> None:
    steps = tuple(
        Transition(kind, 1, number, now, f"because {number}", announce=bool(number % 2))
        for number, kind in enumerate(TransitionKind)
    )
    with writing(engine) as connection:
        store.ensure_alert(connection, _alert(now))
        for step in steps:
            store.add_transition(connection, "log_errors:a", step)
    with reading(engine) as connection:
        assert store.transitions(connection, "log_errors:a") == steps


class DescribeChannels:
    def it_closes_and_opens_a_channel(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            assert store.lock_channel(connection, "slack").disabled_at is None
            store.disable_channel(connection, "slack", "invalid_auth. Mend it", now, now + timedelta(hours=1))
            store.note_sent(connection, "slack", now)
        with reading(engine) as connection:
            (closed,) = store.channels(connection)
        assert closed == store.ChannelStatus("slack", now, "invalid_auth. Mend it", now + timedelta(hours=1), now)
        with writing(engine) as connection:
            assert store.enable_channel(connection, "slack")
            assert not store.enable_channel(connection, "slack")
            assert not store.enable_channel(connection, "unheard of")
            opened = store.lock_channel(connection, "slack")
        assert (opened.disabled_at, opened.disabled_reason, opened.not_before) == (None, None, None)

    def it_holds_a_channel_back(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            store.lock_channel(connection, "slack")
            store.hold_channel(connection, "slack", now)
            assert store.lock_channel(connection, "slack").not_before == now


class DescribeHeartbeats:
    def it_tells_finished_runs_from_those_that_never_ended(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            killed = store.begin_heartbeat(connection, "scan", "trading", now)
            done = store.begin_heartbeat(connection, "scan", "other", now + timedelta(minutes=5))
            store.end_heartbeat(connection, done, "attention", "2 findings", now + timedelta(minutes=6))
        with reading(engine) as connection:
            newest = store.last_heartbeat(connection, "scan")
            of_trading = store.last_heartbeat(connection, "scan", "trading")
            lost = store.unfinished_heartbeats(connection, now + timedelta(hours=6))
            assert store.unfinished_heartbeats(connection, now) == ()
            assert store.last_heartbeat(connection, "probe") is None
        assert newest is not None
        assert (newest.id, newest.verdict, newest.message) == (done, "attention", "2 findings")
        assert newest.finished_at == now + timedelta(minutes=6)
        assert of_trading is not None
        assert [run.id for run in lost] == [of_trading.id] == [killed]
