"""make and its helpers: what is missing is named first, and nothing lands outside the state folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PREFLIGHT = ROOT / "tools/preflight"


def _programs(folder: Path, *names: str) -> dict[str, str]:
    """An environment whose path holds only ``names`` of this machine's programs."""
    folder.mkdir()
    for name in ("bash", "env", *names):
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return {"PATH": str(folder), "LC_ALL": "C.UTF-8"}


def _interpreter(folder: Path, name: str, answer: str) -> None:
    """A stand-in for an interpreter that this machine has not got; it answers preflight's question."""
    script = folder / name
    script.write_text(f"#!/bin/bash\n{answer}\n")
    script.chmod(0o755)


def _preflight(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PREFLIGHT, *words], env=environment, capture_output=True, text=True, check=False, cwd=ROOT)


class DescribePreflight:
    def it_prints_a_python_that_will_do(self) -> None:
        run = _preflight(dict(os.environ))
        assert run.returncode == 0, run.stderr
        version = subprocess.run([run.stdout.strip(), "--version"], capture_output=True, text=True, check=True).stdout
        assert re.match(r"Python 3\.1[123]\.", version)

    def it_names_everything_missing_at_once_and_how_to_get_it(self, tmp_path: Path) -> None:
        run = _preflight(_programs(tmp_path / "bin"))
        assert run.returncode == 1
        assert "Python 3.11, 3.12 or 3.13 was not found" in run.stderr
        assert "a C++ compiler was not found (g++)" in run.stderr
        assert "git was not found" in run.stderr
        assert "apt-get update && apt-get install python3 python3-venv python3-dev g++ git\n" in run.stderr

    def it_passes_by_a_version_managers_stand_in(self, tmp_path: Path) -> None:
        environment = _programs(tmp_path / "bin", "git", "g++")
        _interpreter(tmp_path / "bin", "python3.11", "echo 'python3.11: command not found' >&2; exit 127")
        _interpreter(tmp_path / "bin", "python3.12", "echo 3.12 1 1 /usr/bin/python3.12")
        run = _preflight(environment)
        assert (run.returncode, run.stdout) == (0, "/usr/bin/python3.12\n")

    @pytest.mark.parametrize(
        ("answer", "sentence", "advice"),
        [
            ("3.11 0 1", "has no venv module", "apt-get install python3.11-venv\n"),
            ("3.11 1 0", "has no C headers (Python.h)", "apt-get install python3.11-dev\n"),
            ("3.11 0 0", "has no venv module", "apt-get install python3.11-venv python3.11-dev\n"),
            ("3.9 1 1", "(python3 is Python 3.9)", "make up PYTHON=/path/to/python3.11\n"),
            ("3.14 1 1", "(python3 is Python 3.14)", "make up PYTHON=/path/to/python3.11\n"),
        ],
    )
    def it_says_what_a_python_lacks(self, answer: str, sentence: str, advice: str, tmp_path: Path) -> None:
        environment = _programs(tmp_path / "bin", "git", "g++")
        _interpreter(tmp_path / "bin", "python3", f"echo {answer} /usr/bin/python3")
        run = _preflight(environment)
        assert run.returncode == 1
        assert sentence in run.stderr
        assert run.stderr.endswith(advice)

    def it_looks_at_the_named_python_alone(self, tmp_path: Path) -> None:
        run = _preflight({**os.environ, "PYTHON": str(tmp_path / "none")})
        assert run.returncode == 1
        assert f"PYTHON={tmp_path / 'none'} cannot be started as a Python" in run.stderr
        assert "apt-get" not in run.stderr

    def it_asks_for_redis_only_before_the_slow_tests(self, tmp_path: Path) -> None:
        environment = _programs(tmp_path / "bin", "git", "g++")
        _interpreter(tmp_path / "bin", "python3", "echo 3.11 1 1 /usr/bin/python3")
        assert _preflight(environment).returncode == 0
        run = _preflight(environment, "slow")
        assert run.returncode == 1
        assert "apt-get install redis-server" in run.stderr


class DescribeMake:
    def it_installs_before_it_starts(self, tmp_path: Path) -> None:
        checkout = _bare_checkout(tmp_path)
        run = subprocess.run(["make", "-n", "up"], cwd=checkout, capture_output=True, text=True, check=True)
        steps = ["tools/preflight", "tools/install", "kronos-health up"]
        places = [run.stdout.index(step) for step in steps]
        assert places == sorted(places)

    def it_hands_the_torch_index_on(self, tmp_path: Path) -> None:
        checkout = _bare_checkout(tmp_path)
        index = "https://download.pytorch.org/whl/cpu"
        run = subprocess.run(
            ["make", "-n", "up", f"TORCH_INDEX={index}"], cwd=checkout, capture_output=True, text=True, check=True
        )
        assert f"TORCH_INDEX='{index}' tools/install" in run.stdout

    def it_prints_the_status_of_a_check_last(self, tmp_path: Path) -> None:
        for status, word, made in [(0, "well", 0), (1, "wants attention", 0), (2, "could not check", 2)]:
            run = _check_ending_in(status, tmp_path / str(status))
            assert run.stdout.splitlines()[-1] == f"kronos-health check: exit status {status} ({word})"
            assert run.returncode == made

    def it_keeps_every_cache_in_the_state_folder(self, tmp_path: Path) -> None:
        state = tmp_path / "elsewhere"
        probe = tmp_path / "print.mk"
        probe.write_text(f"include {ROOT / 'Makefile'}\nprint-environment:\n\t@env\n")
        clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KRONOS_HEALTH_STATE_DIR": str(state)}
        run = subprocess.run(
            ["make", "-f", probe, "print-environment"], cwd=ROOT, env=clean, capture_output=True, text=True, check=True
        )
        seen = dict(line.split("=", 1) for line in run.stdout.splitlines() if "=" in line)
        for name in (
            "AIRFLOW_HOME", "CUDA_CACHE_PATH", "HF_HOME", "KRONOS_HEALTH_STATE_DIR", "MPLCONFIGDIR", "PIP_CACHE_DIR",
            "TORCHINDUCTOR_CACHE_DIR", "TORCH_HOME", "TRITON_CACHE_DIR", "XDG_CACHE_HOME",
        ):  # fmt: skip
            assert Path(seen[name]).is_relative_to(state), name


def _bare_checkout(folder: Path) -> Path:
    """What make needs of the checkout, without an environment."""
    checkout = folder / "checkout"
    checkout.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, checkout)
    shutil.copytree(ROOT / "tools", checkout / "tools")
    return checkout


def _check_ending_in(status: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """``make check`` where ``kronos-health check`` ends with ``status``: make's own part of it alone."""
    checkout = _bare_checkout(folder)
    scripts = checkout / ".venv/bin"
    scripts.mkdir(parents=True)
    _interpreter(scripts, "kronos-health", f"echo a sentence; exit {status}")
    (checkout / ".venv/.installed").touch()
    return subprocess.run(["make", "check"], cwd=checkout, capture_output=True, text=True, check=False)
