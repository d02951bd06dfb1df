"""From probes to a message: two trailing violations fire once, the level's return resolves, and a win is a notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from kronos_health.checks import probing
from kronos_health.checks.context import Context
from kronos_health.checks.figures import watch_figures
from kronos_health.domain.figures import FigureLabel
from kronos_health.domain.probes import Environment, Outcome, ProbeFigures
from kronos_health.store import probes
from kronos_health.store.database import reading, writing
from kronos_health.store.history import run_query
from tests.checks.conftest import Clock, MakeContext, on_sqlite
from tests.store.test_probes import CPU, a_result, an_iteration

Rows = Callable[[str], list[dict[str, Any]]]
GPU = replace(CPU, device="cuda", fingerprint="c" * 64)
QUIET = (100.0, 101.0, 99.0, 100.5, 99.5, 100.0)


class Days:
    """A probe a day, stored as the supervisor hands it over, and its campaign finished as every face does it."""

    def __init__(self, context: Context, clock: Clock) -> None:
        self.context, self.clock = context, clock
        self.environment: Environment = GPU

    def pass_with(self, *latencies: float, noise: tuple[str, ...] = (), **changes: Any) -> str:
        campaign_id = ""
        for latency in latencies:
            self.clock.move(days=1)
            now = self.clock.now
            result = replace(
                a_result(now, (an_iteration(now),), Outcome.PASSED),
                environment=self.environment,
                noise=noise,
                figures=ProbeFigures(steady_median_ms=latency, memory_mb=400.0),
                **changes,
            )
            with writing(self.context.engine) as connection:
                campaign_id = probes.start_campaign(connection, "test", now)
                probes.add_probe(connection, campaign_id, result)
            probing.finish_campaign(self.context, campaign_id)
        return campaign_id


@pytest.fixture
def days(make_context: MakeContext, clock: Clock) -> Days:
    return Days(make_context(), clock)


def messages(engine: Engine) -> list[tuple[str, str]]:
    with reading(engine) as connection:
        rows = connection.execute(text("SELECT fingerprint, kind FROM outbox ORDER BY created_at, sequence")).all()
    return [(fingerprint.split(":")[0], kind) for fingerprint, kind in rows]


def it_tells_of_a_regression_once_and_when_it_is_over(days: Days, engine: Engine, rows: Rows) -> None:
    days.pass_with(*QUIET, 120.0)
    assert messages(engine) == [], "once is suspicious, and nobody is told"
    campaign_id = days.pass_with(120.0)
    assert messages(engine) == [("figure_regression", "fired")]
    (alert,) = rows("SELECT key, title, severity, state FROM alert")
    assert alert == {
        "key": "kronos/eager/production/saturated/cuda/steady_latency",
        "title": "kronos eager on CUDA: steady latency is 20% above its level",
        "severity": "warning",
        "state": "firing",
    }
    watch_figures(days.context, campaign_id)
    probing.finish_campaign(days.context, campaign_id)
    days.pass_with(121.0, 120.0, 100.0)
    assert messages(engine) == [("figure_regression", "fired")], "it stands, and is judged again: no news"
    assert rows("SELECT state, occurrences FROM alert") == [{"state": "firing", "occurrences": 3}]
    days.pass_with(100.0)
    assert messages(engine) == [("figure_regression", "fired"), ("figure_regression", "resolved")]
    labels = [
        row["label"] for row in rows("SELECT label FROM figure_watch WHERE figure = 'steady_latency' ORDER BY id")
    ]
    assert labels == ["insufficient_data"] * 6 + [
        "suspicious",
        "regression",
        "steady",
        "steady",
        "suspicious",
        "improvement",
    ]
    assert {row["label"] for row in rows("SELECT label FROM figure_watch WHERE figure = 'peak_memory'")} == {
        "insufficient_data",
        "steady",
    }


@on_sqlite
def it_tells_of_a_win_as_news(days: Days, engine: Engine, rows: Rows) -> None:
    days.pass_with(*QUIET, 80.0, 80.0, 80.0)
    assert messages(engine) == [("figure_improved", "notice")]
    (alert,) = rows("SELECT title, severity FROM alert")
    assert alert == {"title": "kronos eager on CUDA: steady latency fell by 20%", "severity": "info"}


@on_sqlite
def it_begins_anew_in_a_new_environment_and_forgets_the_regression_of_the_old(days: Days, engine: Engine) -> None:
    days.pass_with(*QUIET, 120.0, 120.0)
    days.environment = replace(GPU, fingerprint="d" * 64)
    days.pass_with(*[120.0] * 6)
    assert messages(engine)[1:] == [], "too little data says nothing, neither good nor bad"
    days.pass_with(120.0)
    assert messages(engine)[1:] == [("figure_regression", "resolved")]


@on_sqlite
def it_leaves_what_was_said_while_probes_are_disturbed_or_fail(days: Days, engine: Engine, rows: Rows) -> None:
    days.pass_with(*QUIET, 120.0, 120.0)
    days.pass_with(100.0, 100.0, 100.0, noise=("foreign process 7 (python) on the GPU",))
    assert messages(engine) == [("figure_regression", "fired")]
    labels = [
        row["label"] for row in rows("SELECT label FROM figure_watch WHERE figure = 'steady_latency' ORDER BY id")
    ]
    assert labels[8:] == ["disturbed"] * 3
    assert "disturbed" not in {
        row["label"] for row in rows("SELECT label FROM figure_watch WHERE figure = 'peak_memory'")
    }


def it_judges_what_was_measured_before_figures_were_watched(days: Days, rows: Rows) -> None:
    """An older program, or a campaign that was killed before its end, leaves probes that nobody judged."""
    with writing(days.context.engine) as connection:
        for latency in QUIET:
            days.clock.move(days=1)
            result = a_result(days.clock.now, (an_iteration(days.clock.now),), Outcome.PASSED)
            result = replace(result, environment=GPU, noise=(), figures=ProbeFigures(steady_median_ms=latency))
            probes.add_probe(connection, probes.start_campaign(connection, "test", days.clock.now), result)
    days.pass_with(100.0)
    assert rows("SELECT count(*) AS n FROM figure_watch WHERE figure = 'steady_latency'")[0]["n"] == 7
    with reading(days.context.engine) as connection:
        current = run_query(connection, "current_figures", now=days.clock.now).dicts()
        trend = run_query(connection, "figure_trend", {"figure": "steady_latency"}, now=days.clock.now).dicts()
    (row,) = [item for item in current if item["figure"] == "steady_latency"]
    assert (row["label"], row["baseline"], row["change"]) == (FigureLabel.STEADY, 100.0, 0.0)
    assert [item["value"] for item in trend] == [*QUIET, 100.0]
