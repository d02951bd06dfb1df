"""The worker's folder is all it needs: it runs by path, with any Python from 3.10 on, beside any target."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from tests.probe.worker.runs import WORKER, run, spec, toy

SOURCES = sorted(WORKER.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(WORKER)))
def it_is_written_for_python_3_10_and_imports_nothing_of_the_package(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 10))
    named = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    named += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0]
    assert not [name for name in named if name.startswith("kronos_health")]


def it_works_as_a_copy_and_leaves_its_plain_module_names_to_the_target(tmp_path: Path) -> None:
    shutil.copytree(WORKER, tmp_path / "elsewhere" / "worker", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "memory.py").write_text(
        "import protocol\n"
        "class Constant:\n"
        "    shape = protocol.NAME\n"
        "    def predict(self, window, seed):\n"
        "        return [window.closes[-1]] * window.pred_len\n"
        "def make(device):\n"
        "    return Constant()\n"
    )
    (tmp_path / "protocol.py").write_text("NAME = 'the target has its own protocol module'\n")
    target = {"loader": "memory:make", "python_path": [str(tmp_path)]}
    told = run(spec(target=target), tmp_path / "run", worker=tmp_path / "elsewhere" / "worker")
    assert told.finished, told.stderr
    assert told.failure is None
    assert told.one("environment")["model_shape"] == "the target has its own protocol module"
    assert all(one["absolute_error"] == one["naive_error"] for one in told.all("prediction"))


def it_says_so_when_the_interpreter_has_no_torch(tmp_path: Path) -> None:
    import sys

    told = run(spec(target=toy()), tmp_path, python=(sys.executable, "-P", "-S"))
    assert told.finished
    assert told.failure is not None
    assert told.failure["kind"] == "bad_input"
    assert "cannot import torch" in told.failure["message"]
    assert "target.interpreter" in told.failure["message"]
