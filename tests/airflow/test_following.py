"""The event-driven path through a real Airflow: a line, a trigger, a run, a finding, a message."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.airflow.conftest import make_home, run_program
from tests.support.slack_server import CHANNEL, TOKEN

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
