"""Observations become alerts, steps and queued messages in the caller's transaction, or not at all."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from kronos_health.alerts.messages import from_json, headline
from kronos_health.alerts.recording import RecordedAlerts, record
from kronos_health.domain.alerts import (
    AlertKind,
    AlertState,
    Fact,
    Observation,
    ObservationState,
    TransitionKind,
)
from kronos_health.domain.logs import Severity
from kronos_health.settings.models import Settings
from kronos_health.store import alerts as store
from kronos_health.store import outbox
from kronos_health.store.database import reading, writing
from tests.alerts.samples import DRIFT, HIT, OBSERVATIONS, OK_AGAIN, found, seen

CONSOLE = Settings()
BOTH = Settings.model_validate(
    {
        "alerts": {"channels": ["slack", "console"]},
        "slack": {"token": "xoxb-1", "channel": "C0123456"},
    }
)


def _record(engine: Engine, now: datetime, *observations: Observation, settings: Settings = CONSOLE) -> RecordedAlerts:
    with writing(engine) as connection:
        return record(connection, observations, settings, now)


def _queue(engine: Engine) -> list[outbox.OutboxRow]:
    with reading(engine) as connection:
        return sorted(outbox.recent(connection, 1_000), key=lambda row: (row.episode, row.sequence, row.channel))


def it_stores_alert_step_and_message_together(engine: Engine, now: datetime) -> None:
    recorded = _record(engine, now, HIT, settings=BOTH)
    assert recorded.fingerprints(TransitionKind.FIRED) == ("graph_reuse:trading",)
    assert recorded.queued == 2
    with reading(engine) as connection:
        (stored,) = store.open_alerts(connection)
        (step,) = store.transitions(connection, HIT.fingerprint)
    assert (stored.alert.state, stored.title, stored.severity) == (AlertState.FIRING, HIT.title, Severity.CRITICAL)
    assert (step.kind, step.announce, step.at) == (TransitionKind.FIRED, True, now)
    assert [(row.channel, row.kind, row.sequence) for row in _queue(engine)] == [
        ("console", TransitionKind.FIRED, 1),
        ("slack", TransitionKind.FIRED, 1),
    ]
    assert from_json(_queue(engine)[0].message).occurrences == 42


def it_stores_nothing_when_the_transaction_fails(engine: Engine, now: datetime) -> None:
    def fail_after_recording() -> None:
        with writing(engine) as connection:
            record(connection, [HIT], CONSOLE, now)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_recording()
    with reading(engine) as connection:
        assert store.open_alerts(connection, list(AlertState)) == ()
    assert _queue(engine) == []


def it_decides_about_each_observation_in_order(engine: Engine, now: datetime) -> None:
    recorded = _record(engine, now, HIT, OK_AGAIN, HIT)
    assert [(step.kind, step.episode, step.sequence) for step in recorded.announced] == [
        (TransitionKind.FIRED, 1, 1),
        (TransitionKind.RESOLVED, 1, 2),
        (TransitionKind.FIRED, 2, 1),
    ]


def it_carries_the_state_from_run_to_run(engine: Engine, now: datetime) -> None:
    _record(engine, now, HIT)
    _record(engine, now + timedelta(minutes=5), replace(OK_AGAIN, positives=19))
    recorded = _record(engine, now + timedelta(minutes=10), replace(OK_AGAIN, positives=1))
    assert recorded.fingerprints(TransitionKind.RESOLVED) == (HIT.fingerprint,)
    resolved = from_json(_queue(engine)[-1].message)
    assert (resolved.title, resolved.duration_seconds, resolved.since) == (HIT.title, 600.0, now)
    # What was wrong, with its evidence, is said again; what to do about it is not.
    assert "What was seen: Only compiled code can raise this" in resolved.summary
    assert Fact("Predictions completed since", "20") in resolved.facts
    assert (resolved.excerpt, resolved.evidence) == (HIT.excerpt, HIT.evidence)
    assert "# nothing to do" in resolved.next_step


def it_needs_no_row_for_what_was_always_fine(engine: Engine, now: datetime) -> None:
    assert _record(engine, now, OK_AGAIN).queued == 0
    with reading(engine) as connection:
        assert store.open_alerts(connection, list(AlertState)) == ()


def it_remembers_that_something_could_not_be_seen(engine: Engine, now: datetime) -> None:
    _record(engine, now, replace(HIT, state=ObservationState.UNKNOWN))
    with reading(engine) as connection:
        (stored,) = store.open_alerts(connection, list(AlertState))
    assert (stored.alert.state, stored.alert.unknown_since) == (AlertState.OK, now)


def it_leaves_unsaid_what_an_open_alert_says_too(engine: Engine, now: datetime) -> None:
    symptom = seen("recompile_limit", found("recompile_limit", 3, None))
    assert symptom.inhibitors == (HIT.fingerprint,)
    assert _record(engine, now, HIT, symptom).queued == 1
    with reading(engine) as connection:
        (step,) = store.transitions(connection, symptom.fingerprint)
        assert len(store.open_alerts(connection)) == 2
    assert (step.kind, step.announce) == (TransitionKind.FIRED, False)
    assert "not sent: graph_reuse:trading is open and says it" in step.reason
    # The cause is over and the symptom is not: now it is news of its own.
    _record(engine, now + timedelta(hours=1), OK_AGAIN, symptom)
    assert {(row.fingerprint, row.kind) for row in _queue(engine)} == {
        (HIT.fingerprint, TransitionKind.FIRED),
        (HIT.fingerprint, TransitionKind.RESOLVED),
        (symptom.fingerprint, TransitionKind.FIRED),
    }


def it_does_not_let_an_alert_nobody_was_told_of_speak_for_another(engine: Engine, now: datetime) -> None:
    middle = replace(DRIFT, key="middle", inhibitors=(HIT.fingerprint,))
    last = replace(DRIFT, key="last", inhibitors=(middle.fingerprint,))
    recorded = _record(engine, now, HIT, middle, last)
    assert [decision.transitions[0].announce for decision in recorded.decisions] == [True, False, True]


def it_says_the_same_evidence_in_every_message_of_an_episode(engine: Engine, now: datetime) -> None:
    for hours, look in ((0, HIT), (25, replace(HIT, state=ObservationState.UNKNOWN, excerpt=None, evidence=()))):
        _record(engine, now + timedelta(hours=hours), look)
    fired, reminded = (from_json(row.message) for row in _queue(engine))
    assert (reminded.excerpt, reminded.evidence, reminded.facts) == (fired.excerpt, fired.evidence, fired.facts)
    assert reminded.seen is ObservationState.UNKNOWN
    assert "Still so" not in headline(reminded)


def it_says_a_notice_once_however_often_it_is_seen(engine: Engine, now: datetime) -> None:
    release = OBSERVATIONS[AlertKind.TORCH_RELEASE]
    assert _record(engine, now, release).queued == 1
    assert _record(engine, now + timedelta(days=1), release, release).queued == 0
    assert _record(engine, now, replace(release, key="2.15.0")).queued == 1


def it_sends_to_the_console_what_a_channel_without_token_would_get(engine: Engine, now: datetime) -> None:
    settings = Settings.model_validate({"alerts": {"channels": ["slack", "slack_webhook", "console"]}})
    assert _record(engine, now, HIT, settings=settings).queued == 1
    assert [row.channel for row in _queue(engine)] == ["console"]


def it_accepts_keys_and_titles_no_database_would(engine: Engine, now: datetime) -> None:
    hostile = replace(DRIFT, key="k\x00" + "ä" * 500, title="t\x00\ud800" + "x" * 5_000, excerpt="\x00\ud800")
    other = replace(hostile, key=hostile.key + "!")
    assert _record(engine, now, hostile, other).queued == 2
    with reading(engine) as connection:
        keys = {stored.alert.key for stored in store.open_alerts(connection)}
    assert len(keys) == 2
    assert all(len(key) <= 190 for key in keys)


def it_lets_checks_that_run_at_once_take_turns(engine: Engine, now: datetime) -> None:
    observations = [replace(DRIFT, key=str(number)) for number in range(10)]
    failures: list[Exception] = []

    def check(mine: list[Observation]) -> None:
        try:
            for _run in range(5):
                _record(engine, now, *mine)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=check, args=(order,)) for order in (observations, observations[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(_queue(engine)) == 10
    with reading(engine) as connection:
        assert {stored.alert.occurrences for stored in store.open_alerts(connection)} == {10}
