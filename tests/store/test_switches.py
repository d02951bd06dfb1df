"""Proposals in the database: one open at a time, one answer wins, nothing is lost on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from kronos_health.domain.revisit import Confidence
from kronos_health.domain.switch import Switch, SwitchState
from kronos_health.store import switches
from kronos_health.store.database import reading, writing
from kronos_health.store.errors import SwitchMoved


def proposal(now: datetime, **changes: object) -> Switch:
    one = Switch(
        switch_id="",
        target="kronos",
        variant="compiled",
        decision_id=None,
        evidence_key="e" * 32,
        confidence=Confidence.VERY_HIGH,
        state=SwitchState.PROPOSED,
        proposed_at=now,
        file="/srv/.env.compile",
        before_sha256="b" * 64,
        after_sha256="a" * 64,
        diff="-A\n+B",
        changes=(("KRONOS_COMPILE", "1"), ("TOTO_DISABLE_COMPILE", None)),
        former=(("KRONOS_COMPILE", None), ("TOTO_DISABLE_COMPILE", "1")),
        summary="because",
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def stored(engine: Engine, one: Switch) -> Switch | None:
    with writing(engine) as connection:
        return switches.open_one(connection, one)


def it_keeps_every_part_of_a_proposal(engine: Engine, now: datetime) -> None:
    full = proposal(now, who="ann", reason="why", answered_at=now, asked_by="run", asked_until=now, problem="p")
    opened = stored(engine, full)
    with reading(engine) as connection:
        (found,) = switches.all_switches(connection)
    assert found == opened == replace(full, switch_id=found.switch_id)


def it_lets_one_be_open_at_a_time(engine: Engine, now: datetime) -> None:
    first = stored(engine, proposal(now))
    assert first is not None
    assert stored(engine, proposal(now, target="toto")) is None
    with writing(engine) as connection:
        switches.save(connection, replace(first, state=SwitchState.REJECTED))
    second = stored(engine, proposal(now + timedelta(hours=1)))
    assert second is not None
    with reading(engine) as connection:
        assert [one.switch_id for one in switches.all_switches(connection)] == [first.switch_id, second.switch_id]


def it_refuses_the_second_of_two_answers(engine: Engine, now: datetime) -> None:
    first = stored(engine, proposal(now))
    assert first is not None
    with writing(engine) as connection:
        switches.save(connection, replace(first, state=SwitchState.APPROVED))
    with pytest.raises(SwitchMoved, match="somebody else"), writing(engine) as connection:
        switches.save(connection, replace(first, state=SwitchState.REJECTED))
