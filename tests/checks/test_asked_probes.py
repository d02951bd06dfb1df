"""A probe that a person asked for is measured once, by whoever takes it, and what came of it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from kronos_health.checks import asked_probes
from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.checks.probing import finish_campaign, start_campaign
from kronos_health.checks.saying import status_text
from kronos_health.domain.conversation import AskedProbe
from kronos_health.store import asked_probes as store
from kronos_health.store.database import open_engine, reading, writing
from tests.checks.conftest import Clock, MakeContext, on_sqlite
from tests.checks.planted import Planted

ROOT = Path(__file__).parents[2]
ID, OTHER = "0199a000-0000-7000-8000-000000000001", "0199a000-0000-7000-8000-000000000002"


def _settings(planted: Planted) -> dict[str, Any]:
    return {
        "probe": {"device": "cpu", "iterations": 2, "predictions": 2, "variants": ["eager"], "rehearse": "never"},
        "targets": {"kronos": {"interpreter": planted.path}},
    }


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "planted")


@pytest.fixture
def context(make_context: MakeContext, planted: Planted) -> Context:
    return make_context(**_settings(planted))


def _asked(context: Context, request_id: str = ID) -> AskedProbe:
    with reading(context.engine) as connection:
        found = store.by_id(connection, request_id)
    assert found is not None
    return found


@on_sqlite
def it_is_measured_for_real_once(context: Context, planted: Planted) -> None:
    asked_probes.ask_for_probe(context, ID, "anna (U0ANNA)", "slack")
    (done,) = asked_probes.run_waiting(context)
    assert asked_probes.run_waiting(context) == ()
    assert done.outcome == "kronos eager: passed, 2 of 2"
    assert set(planted.started.values()) == {1}
    assert "asked for, by anna (U0ANNA) at 2026-11-23 12:00 UTC: kronos eager: passed, 2 of 2." in status_text(context)


def it_stands_for_everybody_who_asks_until_it_is_done(context: Context) -> None:
    first, is_new = asked_probes.ask_for_probe(context, ID, "anna", "slack")
    second, is_another = asked_probes.ask_for_probe(context, OTHER, "ben", "slack")
    assert (is_new, is_another, second) == (True, False, first)
    with writing(context.engine) as connection:
        store.finish(connection, ID, "done", context.now(), None)
    assert asked_probes.ask_for_probe(context, OTHER, "ben", "slack")[1]


class DescribeADagRun:
    def it_takes_the_request_it_was_started_for_and_says_what_came_of_it(self, context: Context) -> None:
        asked_probes.ask_for_probe(context, ID, "anna", "slack")
        for _try in range(2):  # a task that is tried again
            asked_probes.begun(context, f"asked__{ID}")
        assert asked_probes.waiting(context) == ()
        campaign = start_campaign(context)
        asked_probes.ended(context, f"asked__{ID}", finish_campaign(context, campaign))
        assert (_asked(context).campaign_id, _asked(context).finished_at) == (campaign, context.now())

    def it_does_not_measure_what_another_process_took(self, context: Context) -> None:
        asked_probes.ask_for_probe(context, ID, "anna", "slack")
        with writing(context.engine) as connection:
            store.take(connection, ID, "a listener", context.now())
        with pytest.raises(CheckError, match="is measured by a listener already"):
            asked_probes.begun(context, f"asked__{ID}")

    def it_is_none_of_ours_when_it_was_started_otherwise(self, context: Context) -> None:
        asked_probes.ask_for_probe(context, ID, "anna", "slack")
        asked_probes.begun(context, "scheduled__2026-11-23")
        assert len(asked_probes.waiting(context)) == 1


def it_can_be_asked_for_again_a_day_after_its_taker_was_killed(context: Context, clock: Clock) -> None:
    asked_probes.ask_for_probe(context, ID, "anna", "slack")
    with writing(context.engine) as connection:
        store.take(connection, ID, "gone", context.now())
    clock.move(hours=25)
    asked_probes.waiting(context)
    assert _asked(context).outcome == "whoever measured it is gone; ask again"


@on_sqlite
def it_says_so_when_it_is_interrupted(
    context: Context, planted: Planted, sqlite_url: str, engine: Engine, tmp_path: Path
) -> None:
    asked_probes.ask_for_probe(context, ID, "anna", "slack")
    planted.hold("kronos eager saturated 0")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "KRONOS_HEALTH_STATE_DIR": str(tmp_path / "var"),
        "KRONOS_HEALTH__DATABASE__URL": engine.url.render_as_string(hide_password=False),
        "KRONOS_HEALTH__PROBE__DEVICE": "cpu",
        "KRONOS_HEALTH__PROBE__VARIANTS": "eager",
        "KRONOS_HEALTH__PROBE__REHEARSE": "never",
        "KRONOS_HEALTH__TARGETS__KRONOS__INTERPRETER": str(planted.path),
    }
    command = [sys.executable, "-c", "from kronos_health.cli import main; main()", "probe-asked"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 120
        while not planted.started and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    finally:
        process.kill()
        planted.let_go()
    assert process.returncode == 128 + signal.SIGTERM
    again = open_engine(sqlite_url)
    with reading(again) as connection:
        found = store.by_id(connection, ID)
    again.dispose()
    assert found is not None
    assert (found.outcome or "").startswith("was interrupted")
