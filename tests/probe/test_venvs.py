"""Environments are made once by real pip, used again, never used half made, and pruned unless in use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kronos_health.probe import pip
from kronos_health.probe.kept import NotHere, listed, prune
from kronos_health.probe.venvs import Making, MakingStopped, Recipe, VenvProblem, ensure, in_use


def wheel(folder: Path, name: str = "planted", needs: str = "") -> str:
    """A real wheel of one module, written here; its path is a requirement that asks no index."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "ANSWER = 42\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return str(path)


@pytest.mark.slow
def it_is_made_once_and_used_again_until_its_recipe_changes(tmp_path: Path) -> None:
    state, said = tmp_path / "state", []
    recipe = Recipe("planted=1.0", (wheel(tmp_path),))
    python = ensure(recipe, state, Making(say=said.append))
    answer = subprocess.run([python, "-c", "import planted; print(planted.ANSWER)"], capture_output=True, text=True)
    assert answer.stdout.strip() == "42", answer.stderr
    assert any("planted" in line for line in said)
    said.clear()
    assert ensure(recipe, state, Making(say=said.append)) == python
    assert said == []
    (venv,) = listed(state)
    assert (venv.name, venv.folder / "bin" / "python") == ("planted=1.0", python)
    assert venv.size_mb > 1
    assert venv.holds == recipe.requirements
    assert "Installing collected packages: planted" in venv.folder.with_name(f"{venv.folder.name}.log").read_text()


def it_says_why_pip_could_not_and_leaves_nothing_behind(tmp_path: Path) -> None:
    recipe = Recipe("torch=none", (str(tmp_path / "none-1.0-py3-none-any.whl"),))
    with pytest.raises(VenvProblem, match=r"torch=none cannot be made: pip install .* failed: .*pip's log: "):
        ensure(recipe, tmp_path)
    assert listed(tmp_path) == ()
    assert [entry.suffix for entry in (tmp_path / "environments").iterdir()] == [".log"]


def it_refuses_packages_that_nobody_asked_for(tmp_path: Path) -> None:
    needed = wheel(tmp_path, "nvidia_cublas_cu13")
    recipe = Recipe(
        "torch=9",
        (wheel(tmp_path, "torch", needs=f"nvidia_cublas_cu13 @ file://{needed}"),),
        refusal=pip.Refusal(pip.CUDA_PACKAGES, "Name an index with CPU builds."),
    )
    with pytest.raises(NotHere, match=r"would bring nvidia-cublas-cu13 1\.0\. Name an index with CPU builds\."):
        ensure(recipe, tmp_path / "state")
    assert listed(tmp_path / "state") == ()


def it_stops_when_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(MakingStopped):
        ensure(Recipe("planted", (wheel(tmp_path),)), tmp_path / "state", Making(should_stop=lambda: True))
    assert listed(tmp_path / "state") == ()


@pytest.mark.slow
def it_never_uses_what_a_killed_making_left(tmp_path: Path) -> None:
    state = tmp_path / "state"
    program = textwrap.dedent(
        f"""
        from pathlib import Path
        from kronos_health.probe.venvs import Making, Recipe, ensure
        recipe = Recipe("planted", ({wheel(tmp_path)!r},))
        ensure(recipe, Path({str(state)!r}), Making(say=lambda text: print(text, flush=True)))
        """
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert next(line for line in child.stdout if line.startswith("installing"))
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert listed(state) == ()
    python = ensure(Recipe("planted", (wheel(tmp_path),)), state)
    assert subprocess.run([python, "-c", "import planted"]).returncode == 0


def planted(state: Path, name: str, used_days_ago: float, size_mb: float) -> Path:
    """A made environment without the cost of one: what pruning reads, and nothing else."""
    folder = state / "environments" / name
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "last_used").touch()
    stamp = time.time() - used_days_ago * 86400
    os.utime(folder / "last_used", (stamp, stamp))
    (folder / "made.json").write_text(
        f'{{"name": "{name}", "made_at": "2026-01-01T00:00:00+00:00", "size_mb": {size_mb},'
        ' "holds": [], "whole": "bin/python"}'
    )
    return folder


@pytest.mark.slow
def it_prunes_by_age_then_by_size_the_longest_unused_first(tmp_path: Path) -> None:
    for name, days, size in (("old", 31, 10), ("second", 20, 400), ("third", 10, 400), ("newest", 1, 400)):
        planted(tmp_path, name, days, size)
    (tmp_path / "environments" / "half-made").mkdir()
    removed = prune(tmp_path, datetime.now(UTC), keep_days=30, budget_mb=900)
    assert {(one.name, one.reason) for one in removed} == {
        ("half-made", "half made"),
        ("old", "not used for 30 days"),
        ("second", "over the budget of 900 MB"),
    }
    assert [venv.name for venv in listed(tmp_path)] == ["newest", "third"]


@pytest.mark.slow
def it_never_prunes_one_that_is_used(tmp_path: Path) -> None:
    recipe, state, later = Recipe("planted", (wheel(tmp_path),)), tmp_path / "state", datetime.now(UTC) + timedelta(400)
    with in_use(recipe, state) as (venv, lock):
        assert prune(state, later, keep_days=30, budget_mb=0) == ()
        child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.descriptor,))
        lock.leave_to_inheritors()
    try:  # the checker is gone, what it started in the environment is not
        assert prune(state, later, keep_days=30, budget_mb=0) == ()
        assert venv.python.exists()
    finally:
        child.kill()
        child.wait()
    assert [one.name for one in prune(state, later, keep_days=30, budget_mb=0)] == ["planted"]
    assert listed(state) == ()
