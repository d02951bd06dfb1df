"""The event-driven path through a real Airflow: a line, a trigger, a run, a finding, a message."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.conftest import make_home, run_program
from tests.support.running_airflow import Running, running_airflow
from tests.support.slack_server import CHANNEL, TOKEN, SlackServer, slack_server

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

REUSE = "{} ERROR {}\nRuntimeError: Error: accessing tensor output of CUDAGraphs that has been overwritten by a "
SETTINGS = f"""
state_dir = "var"
[targets.kronos]
size = "tiny"
[sources.one]
path = "one.log"
[sources.two]
path = "two.log"
[sources.three]
path = "three.log"
[sources.far]
path = "far.log"
queue = "elsewhere"
[alerts]
channels = ["slack"]
[slack]
token = "{TOKEN}"
channel = "{CHANNEL}"
"""


def write(folder: Path, name: str, text: str = "") -> None:
    with (folder / f"{name}.log").open("a", encoding="utf-8") as log:
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        log.write(f"{now} INFO started\n" if not text else REUSE.format(now, text) + "subsequent run.\n")


def told(slack: SlackServer, name: str) -> int:
    return sum(f" in {name}" in message["text"] for message in slack.messages)


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


@pytest.fixture(scope="module")
def following(tmp_path_factory: pytest.TempPathFactory, slack: SlackServer) -> Iterator[tuple[Running, Path]]:
    """Airflow with the regular scan paused, all logs read once, and the trigger at work."""
    folder = tmp_path_factory.mktemp("following")
    config = folder / "kronos_health.toml"
    config.write_text(f'{SETTINGS}base_url = "{slack.base_url}"\n', encoding="utf-8")
    for name in ("one", "two", "three"):
        write(folder, name)
    with running_airflow(config, folder / "var") as airflow:
        airflow.pause("kronos_log_scan")
        run = airflow.airflow.trigger("kronos_log_alarm", "reads all of them")  # by hand: all sources
        airflow.wait_for(lambda: airflow.airflow.run(run.dag_id, run.run_id).over)
        airflow.wait_for(lambda: "Following one, two, three" in airflow.triggerer_log())
        yield airflow, folder


def findings(folder: Path, signature: str = "graph_reuse") -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "var" / "kronos_health.db", timeout=30) as history:
        return history.execute(
            "select s.name, f.start_offset from finding f join log_generation g on g.id = f.generation_id "
            "join log_source s on s.id = g.source_id where f.signature = ?",
            (signature,),
        ).fetchall()


@pytest.mark.slow
def it_stores_and_delivers_a_written_line_with_no_regular_scan(
    following: tuple[Running, Path], slack: SlackServer
) -> None:
    airflow, folder = following
    write(folder, "one", "a forecast failed")
    airflow.wait_for(lambda: told(slack, "one"))
    assert len(findings(folder)) == 1
    assert airflow.ask("select count(*) from dag_run where dag_id = 'kronos_log_scan' and state = 'running'") == [(0,)]


@pytest.mark.slow
def it_reports_once_though_both_paths_ran(following: tuple[Running, Path], slack: SlackServer) -> None:
    airflow, folder = following
    write(folder, "two", "both see this")
    airflow.pause("kronos_log_scan", paused=False)
    run = airflow.airflow.trigger("kronos_log_scan", "beside the follower")
    airflow.wait_for(lambda: airflow.airflow.run(run.dag_id, run.run_id).over, 240)
    airflow.wait_for(lambda: told(slack, "two"))
    answered = "select count(*) from dag_run where dag_id = 'kronos_log_alarm' and state in ('queued', 'running')"
    airflow.wait_for(lambda: airflow.ask(answered) == [(0,)])
    assert [name for name, _ in findings(folder)].count("two") == 1
    assert told(slack, "two") == 1
    airflow.pause("kronos_log_scan")


def it_says_which_logs_are_for_their_own_hosts_and_ignores_what_is_answered(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", SETTINGS)
    for name in ("one", "two", "three"):
        write(home.folder, name)
    found = run_program("tests.airflow.drive_trigger", home, timeout=120)
    far = "far is on the queue elsewhere and not followed here: kronos-health follow on its host"
    assert [line for line in found["said"] if "far" in line] == [far] * 2  # once per start
    assert found["first"] == ["one"]  # and the mended state and settings made no difference
    assert found["repeated"] == []
    assert found["after_restart"] == ["one", "three", "two"]
    assert found["open"] == [["one"], [], ["one", "two"]]
    assert found["blocked_seconds"] < 1.0
