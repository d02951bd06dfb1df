"""A deployment is a new revision or a restart; what was there when the watch began is the line to count from."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.domain.upstream import Deployment, ProductionState
from kronos_health.upstream.deployments import detect_deployments

NOW = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
EARLIER, LATER = NOW - timedelta(days=2), NOW - timedelta(hours=1)
OLD, NEW = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("previous", "current", "expected"),
    [
        (ProductionState(OLD, EARLIER), ProductionState(OLD, EARLIER), []),
        (ProductionState(OLD, EARLIER), ProductionState(None, None), []),
        (ProductionState(OLD, EARLIER), ProductionState(OLD, EARLIER + timedelta(seconds=2)), []),
        (ProductionState(OLD, EARLIER), ProductionState(OLD, EARLIER - timedelta(days=1)), []),
        (
            ProductionState(OLD, EARLIER),
            ProductionState(NEW, EARLIER),
            [Deployment(NOW, "revision", NEW, "revision aaaaaaaaaaaa → bbbbbbbbbbbb")],
        ),
        (
            ProductionState(OLD, EARLIER),
            ProductionState(OLD, LATER),
            [Deployment(LATER, "process", OLD, "the process was restarted")],
        ),
        (
            ProductionState(OLD, EARLIER),
            ProductionState(NEW, LATER),
            [Deployment(LATER, "process", NEW, "the process was restarted; revision aaaaaaaaaaaa → bbbbbbbbbbbb")],
        ),
        (
            ProductionState(None, None),
            ProductionState(OLD, None),
            [Deployment(NOW, "revision", OLD, "at revision aaaaaaaaaaaa when the watch began", first_look=True)],
        ),
        (
            ProductionState(OLD, None),
            ProductionState(NEW, EARLIER),
            [
                Deployment(EARLIER, "process", NEW, "running since then when the watch began", first_look=True),
                Deployment(NOW, "revision", NEW, "revision aaaaaaaaaaaa → bbbbbbbbbbbb"),
            ],
        ),
    ],
)
def it_decides(previous: ProductionState, current: ProductionState, expected: list[Deployment]) -> None:
    assert list(detect_deployments(previous, current, NOW)) == expected


_STATES = st.builds(
    ProductionState,
    st.sampled_from([None, OLD, NEW]),
    st.one_of(st.none(), st.integers(0, 500).map(lambda hours: NOW - timedelta(hours=hours))),
)


@given(previous=_STATES, current=_STATES)
def it_finds_nothing_new_on_a_second_look(previous: ProductionState, current: ProductionState) -> None:
    found = detect_deployments(previous, current, NOW)
    revisions = [deployment.revision for deployment in found if deployment.revision]
    starts = [deployment.deployed_at for deployment in found if deployment.origin == "process"]
    stored = ProductionState(
        revisions[-1] if revisions else previous.revision,
        max([*starts, *filter(None, [previous.process_started_at])], default=None),
    )
    assert detect_deployments(stored, current, NOW + timedelta(minutes=5)) == ()
