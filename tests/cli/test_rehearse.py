"""``rehearse`` as another project's CI calls it: no settings file, no database, one JSON object, an exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.probe.worker.runs import PLANTED

COMMAND = Path(sys.executable).with_name("kronos-health")
pytestmark = pytest.mark.timeout(900)


def rehearse(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_HEALTH")}
    command = [str(COMMAND), "rehearse", *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**clean, "COLUMNS": "200"}, capture_output=True, text=True, timeout=600, check=False
    )
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return done


def of_toy(folder: Path, name: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = rehearse(folder, "--factory", f"toys:{name}", "--path", str(PLANTED), "--format", "json", *arguments)
    assert list(folder.iterdir()) == [], "another project's checkout stays as it was"
    content: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, content


def it_says_why_it_fails_in_one_json_object(tmp_path: Path) -> None:
    status, content = of_toy(tmp_path, "HandsOff", "--variant", "compiled")
    assert (status, content["status"]) == (1, "fails")
    (rehearsal,) = content["rehearsals"]
    (trial,) = rehearsal["trials"]
    assert (trial["variant"], trial["outcome"]) == ("compiled", "graph_reuse")
    assert trial["frame"]["code"] == "return history * self.weight"
    (leak,) = trial["leaks"]
    assert (leak["producer"], leak["keeper"], leak["kept_by"]) == ("TwoHalves.encode", "handoff", "state")
    assert rehearsal["diagnosis"].startswith("TwoHalves.encode made output 0 (float32[1, 4]) at `return history")
    assert rehearsal["advice"][0].startswith("Clone what TwoHalves.encode returns")


def it_hands_options_to_the_factory_and_passes(tmp_path: Path) -> None:
    status, content = of_toy(tmp_path, "make", "--option", "fault=none", "--variant", "compiled")
    assert (status, content["status"]) == (0, "passes")
    assert content["rehearsals"][0]["trials"][0]["leaks"] == []


def it_could_not_when_the_factory_cannot_be_imported(tmp_path: Path) -> None:
    status, content = of_toy(tmp_path, "nowhere")
    assert (status, content["status"]) == (2, "could not")
    assert "no callable nowhere" in content["rehearsals"][0]["trials"][0]["reason"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--factory", "toys"], "module:function"),
        (["--factory", "toys:make", "--target", "kronos"], "exclude each other"),
        (["--factory", "toys:make", "--option", "fault"], "name=value"),
        (["--path", "."], "go with --factory"),
        (["--factory", "toys:make", "--candidate", "torch=2.15.0"], "stored rehearsals of configured targets"),
        (["--no-store", "--target", "kronoss"], "Did you mean kronos"),
    ],
)
def it_refuses_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = rehearse(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
