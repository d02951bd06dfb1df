"""constraints.txt is the tested set: complete, exact, the same everywhere."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS, PYPROJECT = ROOT / "constraints.txt", ROOT / "pyproject.toml"
PROJECT = "kronos-health"


def _pins() -> dict[str, Requirement]:
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def _needed() -> set[str]:
    """Every distribution that ``kronos-health[dev]`` needs in this interpreter, directly or not."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(PROJECT, frozenset({"dev"}))]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        waiting += [(canonicalize_name(each.name), frozenset(each.extras)) for each in _requirements(name, extras)]
    return {name for name, _extras in seen} - {PROJECT}


def _requirements(name: str, extras: frozenset[str]) -> list[Requirement]:
    """What applies here. The project's own come from pyproject.toml: an editable installation remembers older ones."""
    if name != PROJECT:
        return [each for each in map(Requirement, importlib.metadata.requires(name) or []) if _applies(each, extras)]
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    return [each for each in map(Requirement, texts) if _applies(each, frozenset())]


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in extras | {""})


class DescribeConstraints:
    def it_pins_everything_that_is_needed(self) -> None:
        assert sorted(_needed() - set(_pins())) == []

    def it_pins_what_these_tests_run_with(self) -> None:
        pins = _pins()
        different = {
            name: (str(pins[name].specifier), importlib.metadata.version(name))
            for name in _needed() & set(pins)
            if not pins[name].specifier.contains(importlib.metadata.version(name), prereleases=True)
        }
        assert different == {}

    def it_pins_one_exact_public_version_each(self) -> None:
        for name, pin in _pins().items():
            assert re.fullmatch(r"==[^*+,]+", str(pin.specifier)), name
            assert pin.url is None, name
