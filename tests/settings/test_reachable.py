"""What the settings name is looked at, and what cannot be used is told before a check trips over it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kronos_health.settings.loading import check_reachable, load_settings


def problems(folder: Path, text: str) -> list[str]:
    path = folder / "kronos_health.toml"
    path.write_text(text, encoding="utf-8")
    loaded = load_settings(path, {})
    return [str(problem) for problem in check_reachable(loaded.settings, loaded.origins)]


def it_finds_nothing_wrong_with_defaults(tmp_path: Path) -> None:
    assert problems(tmp_path, "") == []


def it_only_warns_of_a_log_that_may_still_be_written(tmp_path: Path) -> None:
    path = tmp_path / "kronos_health.toml"
    path.write_text("[sources.a]\npath = 'a.log'\n")
    (problem,) = check_reachable(load_settings(path, {}).settings)
    assert not problem.is_error
    assert "does not exist yet" in str(problem)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[production]\nenv_file = 'none'", "production.env_file = {0}/none (kronos_health.toml): does not exist."),
        ("[production]\ncheckout = '.'", "production.checkout = {0} (kronos_health.toml): is not a git checkout."),
        (
            "[probe.evaluation]\ncsv = '.'",
            "probe.evaluation.csv = {0} (kronos_health.toml): is a folder, a file is needed.",
        ),
        (
            "[sources.a]\npath = 'a.log'\ntimezone = 'Mars/Base'",
            "sources.a.timezone = Mars/Base (kronos_health.toml): is no time zone known here.",
        ),
        (
            "[sources.a]\npath = 'a.log'\nencoding = 'utf-9'",
            "sources.a.encoding = utf-9 (kronos_health.toml): is no encoding Python knows.",
        ),
        (
            "[sources.a]\npath = 'nothing://logs/a.log'",
            "sources.a.path = nothing://logs/a.log (kronos_health.toml): has no kind of storage known here, nothing.",
        ),
        (
            "[sources.a]\npath = 'gs://logs/a.log'",
            "sources.a.path = gs://logs/a.log (kronos_health.toml): needs another package.",
        ),
        (
            "[logs.patterns]\nprediction_completed = '('",
            (
                "logs.patterns.prediction_completed = ( (kronos_health.toml): is no regular expression: "
                "missing ), unterminated subpattern."
            ),
        ),
        (
            "[targets.kronos]\nloader = 'kronos_checkout'\ncheckout = '.'",
            "targets.kronos.checkout = {0} (kronos_health.toml): has no model, loader kronos_checkout needs it.",
        ),
        (
            "[targets.kronos]\nloader = 'production_wrapper'",
            "targets.kronos.checkout: is missing, loader production_wrapper needs it.",
        ),
        (
            "[targets.kronos]\nweights = './none'",
            "targets.kronos.weights = {0}/none (kronos_health.toml): does not exist.",
        ),
        ("[logs]\ncatalogue = 'none.toml'", "logs.catalogue = {0}/none.toml (kronos_health.toml): does not exist."),
        (
            "state_dir = 'kronos_health.toml'",
            "state_dir = {0}/kronos_health.toml (kronos_health.toml): {0}/kronos_health.toml is not a folder.",
        ),
        (
            "[targets.kronos]\ninterpreter = 'none/bin/python'",
            "targets.kronos.interpreter = {0}/none/bin/python (kronos_health.toml): does not exist.",
        ),
        (
            "[upstream]\ntorch_interpreter = 'python-none'",
            "upstream.torch_interpreter = python-none (kronos_health.toml): is not found on PATH.",
        ),
    ],
)
def it_names_what_cannot_be_used(tmp_path: Path, text: str, line: str) -> None:
    found = problems(tmp_path, text)
    assert any(problem.startswith(line.format(tmp_path)) for problem in found), found


def it_asks_the_interpreter_itself(tmp_path: Path) -> None:
    not_python = tmp_path / "not-python"
    not_python.write_text("#!/bin/sh\necho this is no python >&2; exit 3\n")
    not_python.chmod(0o755)
    (line,) = problems(tmp_path, "[targets.kronos]\ninterpreter = 'not-python'\n")
    assert "cannot be started as a Python: this is no python" in line

    assert problems(tmp_path, f"[targets.kronos]\ninterpreter = '{sys.executable}'\n") == []

    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    (line,) = problems(tmp_path, "[targets.kronos]\ninterpreter = 'bare/bin/python'\n")
    assert f"has no torch. Install it there: {bare}/bin/python -m pip install torch" in line
