"""The floors of docs/architecture.md, held by import-linter, and what it cannot see."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "kronos_health"

# Decisions take the time as an argument.
PURE = [PACKAGE / "domain", PACKAGE / "revisit", *PACKAGE.glob("alerts/polic*.py")]
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time"), ("time", "monotonic")}


class DescribeFloors:
    def it_imports_downwards_only(self, tmp_path: Path) -> None:
        run = subprocess.run(
            [Path(sys.executable).with_name("lint-imports"), "--cache-dir", tmp_path],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stdout

    @pytest.mark.parametrize("place", PURE, ids=lambda path: path.relative_to(PACKAGE).as_posix())
    def it_decides_without_a_clock(self, place: Path) -> None:
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        assert files
        assert [call for file in files for call in _clock_calls(file)] == []

    def it_writes_sql_in_the_store_alone(self) -> None:
        outside = [path for path in PACKAGE.rglob("*.py") if PACKAGE / "store" not in path.parents]
        assert [f"{path.relative_to(ROOT)}" for path in outside if _executes_sql(path)] == []


def _clock_calls(file: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if (name, node.func.attr) in CLOCKS:
                found.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    return found


def _executes_sql(file: Path) -> bool:
    """Whether the file builds SQL: it imports statement builders of SQLAlchemy, or hands text to a driver."""
    builders = {"text", "select", "insert", "update", "delete"}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            from_sqlalchemy = (node.module or "").partition(".")[0] == "sqlalchemy"
            if from_sqlalchemy and {alias.name for alias in node.names} & builders:
                return True
        if isinstance(node, ast.Attribute) and node.attr in {"exec_driver_sql", "executescript"}:
            return True
    return False
