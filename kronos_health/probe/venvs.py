"""Virtual environments made by pip from a recipe, kept and used again (see :mod:`kronos_health.probe.kept`)."""

from __future__ import annotations

import contextlib
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kronos_health.probe import kept, pip
from kronos_health.probe.kept import Bench, KeepingProblem, Making, MakingStopped, NotHere
from kronos_health.probe.locks import HeldLock

__all__ = ["Making", "MakingStopped", "Recipe", "Venv", "VenvProblem", "ensure", "in_use"]

_ASK_SECONDS = 60.0
_PYTHON = "bin/python"


class VenvProblem(KeepingProblem):
    """An environment that cannot be made or used; one line says which, why and where pip's log is."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an environment holds.

    ``requirements`` are installed with what they need, then ``bare`` with ``--no-deps``; ``python`` is the base
    interpreter (default: this one); ``extra_index`` is asked beside the indexes of pip's own configuration.
    ``refusal`` names packages that must not come along; it has no part in the environment's identity.
    """

    name: str
    requirements: tuple[str, ...]
    bare: tuple[str, ...] = ()
    python: Path | None = None
    extra_index: str = ""
    refusal: pip.Refusal | None = None

    @property
    def base(self) -> str:
        """Path of the base interpreter."""
        return str(self.python.absolute()) if self.python else sys.executable


@dataclass(frozen=True, slots=True)
class Venv:
    """A made environment."""

    name: str
    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / _PYTHON


@contextlib.contextmanager
def in_use(recipe: Recipe, state_dir: Path, making: Making | None = None) -> Iterator[tuple[Venv, HeldLock]]:
    """The environment of ``recipe``, made if it is not there, and the lock that keeps it while the block runs.

    Raises :class:`VenvProblem` when it cannot be made, ``NotHere`` when the recipe's refusal applies, and
    :class:`MakingStopped`.
    """
    content = [recipe.requirements, recipe.bare, recipe.extra_index, recipe.base, _version(recipe)]
    place = kept.Place.of(kept.ENVIRONMENTS, recipe.name, content, state_dir, _PYTHON)
    with kept.in_use(place, lambda bench: _make(recipe, bench), making) as (made, lock):
        yield Venv(made.name, made.folder), lock


def ensure(recipe: Recipe, state_dir: Path, making: Making | None = None) -> Path:
    """The interpreter of the environment of ``recipe``, made if it is not there. Raises as :func:`in_use`."""
    with in_use(recipe, state_dir, making) as (venv, _):
        return venv.python


def _version(recipe: Recipe) -> str:
    """The base interpreter's version: after an upgrade in place, the environment is made anew."""
    if recipe.python is None:
        return platform.python_version()
    question = [recipe.base, "-I", "-c", "import platform; print(platform.python_version())"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=_ASK_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise VenvProblem(f"{recipe.base}, on which {recipe.name} is to be based, is no working Python: {error}") from (
            error
        )
    return answer.stdout.strip()


def _make(recipe: Recipe, bench: Bench) -> tuple[str, ...]:
    try:
        _fill(recipe, bench)
    except pip.Stopped:
        raise MakingStopped(recipe.name) from None
    except pip.Unwanted as unwanted:
        raise NotHere(f"the environment {recipe.name} is not made here: {unwanted}") from unwanted
    except pip.PipFailed as failed:
        log = f" pip's log: {bench.log}" if bench.log.exists() else ""
        raise VenvProblem(f"the environment {recipe.name} cannot be made: {failed}{log}") from failed
    return (*recipe.requirements, *recipe.bare)


def _fill(recipe: Recipe, bench: Bench) -> None:
    pip.make_empty(recipe.base, bench)
    python = bench.folder / _PYTHON
    options = ["--extra-index-url", recipe.extra_index] if recipe.extra_index else []
    if recipe.requirements and recipe.refusal:
        pip.refuse_unwanted(python, recipe.requirements, options, recipe.refusal, bench)
    if recipe.requirements:
        pip.install(python, recipe.requirements, options, bench)
    if recipe.bare:
        pip.install(python, recipe.bare, [*options, "--no-deps"], bench)
