"""docs/outcomes.md has a row for every outcome and state, and every test it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from kronos_health.domain.probes import AccuracyState, Outcome

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "outcomes.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::([\w.]+)`")


def tests_in(path: Path) -> set[str]:
    """Functions by name, and methods by class and name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    methods = {f"{c.name}.{node.name}" for c in classes for node in c.body if isinstance(node, ast.FunctionDef)}
    return functions | methods


@pytest.mark.parametrize("name", [*Outcome, *AccuracyState, "not available"])
def it_has_one_row_that_says_how_it_is_found_and_what_plants_it(name: str) -> None:
    (row,) = (row for row in ROWS if row[0].strip("`") == name)
    assert len(row) == 3, row
    assert len(row[1]) > 20
    assert NAMED.search(row[2]), "which test plants it?"


@pytest.mark.parametrize(("path", "test"), sorted(set(NAMED.findall(PAGE))))
def it_names_only_tests_that_exist(path: str, test: str) -> None:
    assert test in tests_in(ROOT / path)


def it_has_no_row_for_what_does_not_exist() -> None:
    known = {*Outcome, *AccuracyState, "not available", "outcome", "state"}
    assert {row[0].strip("`") for row in ROWS if set(row[0]) != {"-"}} == known
