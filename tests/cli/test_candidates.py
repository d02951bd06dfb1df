"""Candidates by the command: real pip makes an environment, real git a checkout, and the worker runs in them."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.kronos_checkout import git, make_remote, mend

COMMAND = Path(sys.executable).with_name("kronos-health")
SETTINGS = """
[probe]
device = "cpu"
iterations = 1
rehearsal_iterations = 1
predictions = 2
[probe.evaluation]
lookback = 32
max_context = 32
sample_count = 1
[targets.kronos]
size = "tiny"
"""


def say(folder: Path, *arguments: str, timeout: float = 2700) -> subprocess.CompletedProcess[str]:
    """Run the command in ``folder`` with its own state."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_HEALTH")}
    done = subprocess.run(
        [COMMAND, *arguments], cwd=folder, capture_output=True, text=True, timeout=timeout, check=False,
        env={**clean, "COLUMNS": "250", "TORCHINDUCTOR_VEC_ISA_OK": "1"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return done


def probes(folder: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(folder / "var" / "kronos_health.db") as database:
        database.row_factory = sqlite3.Row
        query = (
            "SELECT p.*, e.torch, e.fingerprint, e.target_revision FROM probe p "
            "LEFT JOIN environment e ON e.id = p.environment_id WHERE NOT p.imported ORDER BY p.id"
        )
        return [dict(row) for row in database.execute(query)]


def it_refuses_a_name_that_is_none_in_one_line(tmp_path: Path) -> None:
    for name in ("torch=2.x", "trch=2.15.0", "kronos=upstream/main"):
        said = say(tmp_path, "probe", "--candidate", name)
        assert said.returncode == 2
        assert said.stdout == ""
    assert "Did you mean torch=…?" in say(tmp_path, "probe", "--candidate", "trch=2.15.0").stderr


def it_stores_why_an_interpreter_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "kronos_health.toml").write_text(SETTINGS)
    said = say(tmp_path, "probe", "--no-production", "--candidate", "python=/nowhere/python", "--no-rehearse")
    assert said.returncode == 2
    assert "there is no such file. Name the python that has torch" in said.stdout
    assert {(row["candidate"], row["outcome"]) for row in probes(tmp_path)} == {
        ("python=/nowhere/python", "worker_error")
    }
    assert "No candidate was made yet" in say(tmp_path, "candidates").stdout
    assert "0 kept, 0 MB." in say(tmp_path, "candidates", "prune").stdout


@pytest.mark.slow
@pytest.mark.timeout(3400)
def it_probes_in_an_environment_made_by_pip_and_keeps_it(tmp_path: Path) -> None:
    index = f'\n[candidates]\nindex = "{os.environ.get("TORCH_INDEX", "")}"\n'
    (tmp_path / "kronos_health.toml").write_text(SETTINGS + index)
    asked = ("probe", "--no-production", "--candidate", "torch==2.13.0", "--no-rehearse")
    said = say(tmp_path, *asked)
    if "is not made here" in said.stdout:
        pytest.skip("this machine's pip has no CPU build of torch 2.13.0; set TORCH_INDEX to an index that has")
    eager, compiled = probes(tmp_path)
    assert (eager["variant"], eager["outcome"], eager["candidate"]) == ("eager", "passed", "torch=2.13.0")
    assert compiled["variant"] == "compiled"
    assert compiled["outcome"] == "passed", said.stdout
    assert str(eager["torch"]).startswith("2.13.0")
    assert "kronos with torch=2.13.0: not tried on CUDA" in said.stdout
    assert "compiled @ torch=2.13.0 against eager: accuracy" in said.stdout
    (environment,) = (tmp_path / "var" / "environments").glob("torch-2.13.0-*/")
    assert subprocess.run([environment / "bin" / "python", "-c", "import sktime"], check=False).returncode == 0
    made = json.loads((environment / "made.json").read_text())
    again = say(tmp_path, *asked, "--variant", "eager")
    assert "making the environment" not in again.stdout
    assert json.loads((environment / "made.json").read_text()) == made
    assert len({row["fingerprint"] for row in probes(tmp_path)}) == 1
    assert "torch=2.13.0" in say(tmp_path, "candidates").stdout
    (tmp_path / "kronos_health.toml").write_text(SETTINGS + "[candidates]\nbudget_mb = 1\n")
    assert "torch=2.13.0: removed" in say(tmp_path, "candidates", "prune").stdout
    assert not environment.exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def it_shows_that_a_fixing_commit_of_a_remote_mends_what_fails_before_it(tmp_path: Path) -> None:
    remote, checkout = tmp_path / "remote", tmp_path / "kronos"
    old = make_remote(remote)
    git(tmp_path, "clone", "-q", "-o", "upstream", str(remote), str(checkout))
    fixed = mend(remote)
    (checkout / "notes.txt").write_text("somebody's own")
    before = _work_tree(checkout)
    (tmp_path / "kronos_health.toml").write_text(SETTINGS + f'[upstream]\nkronos_checkout = "{checkout}"\n')
    names = ("--candidate", f"kronos={old}", "--candidate", "kronos=upstream/main")
    said = say(tmp_path, "probe", "--no-production", *names, "--rehearse")
    found = {(row["candidate"], row["variant"], row["kind"]): row for row in probes(tmp_path)}
    at_old, at_fixed = f"kronos={old[:12]}", f"kronos={fixed[:12]}"
    assert {name for name, _, _ in found} == {at_old, at_fixed}
    for name, commit in ((at_old, old), (at_fixed, fixed)):
        assert found[name, "eager", "measured"]["outcome"] == "passed", said.stdout
        assert found[name, "eager", "measured"]["target_revision"].startswith(f"{commit[:12]}+")
    broken, mended = found[at_old, "compiled", "rehearsed"], found[at_fixed, "compiled", "rehearsed"]
    assert broken["outcome"] == "graph_reuse"
    assert mended["outcome"] == "passed", mended["message"]
    assert broken["fingerprint"] != mended["fingerprint"]
    assert f"kronos with {at_fixed}: not tried on CUDA" in said.stdout
    assert "Rehearsed without a GPU, which is no evidence: compiled: 1 of 1" in said.stdout
    assert _work_tree(checkout) == before, "the checkout's files, index and HEAD are as they were"
    assert git(checkout, "worktree", "list").count("\n") == 0


def _work_tree(checkout: Path) -> dict[str, str]:
    files = [path for path in sorted(checkout.rglob("*")) if path.is_file() and ".git" not in path.parts]
    files += [checkout / ".git" / name for name in ("HEAD", "index")]
    return {str(path.relative_to(checkout)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
