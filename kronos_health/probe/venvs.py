"""Virtual environments that are made by pip once, kept under the state folder, used again, and pruned.

One lives in ``<state_dir>/environments/<id>``; its id is its name and a digest of its recipe and base Python, so that
another recipe is another environment. What makes it safe:

* ``made.json`` is written last, by rename. A folder without it (its making was killed) is never used: it is removed and
  made anew.
* A lock beside it is held alone while it is made or removed, and shared while it is used. Whoever runs a child in it
  hands the lock's descriptor on, so that it stays in use until the child has ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kronos_health.probe import pip
from kronos_health.probe.interpreter import TargetProblem
from kronos_health.probe.locks import HeldLock, LockBusy, acquire

MAKE_SECONDS = 3600.0
_MADE = "made.json"
_USED = "last_used"
_ASK_SECONDS = 60.0
_WAIT_SECONDS = 1.0


class VenvProblem(TargetProblem):
    """An environment that cannot be made or used; one line says which, why and where pip's log is."""


class MakingStopped(Exception):
    """``should_stop`` said so while the environment was being made; nothing half-made is used later."""


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
    """A made environment as it lies on the disk; ``size_mb`` as measured when it was made."""

    name: str
    folder: Path
    made_at: datetime
    used_at: datetime
    size_mb: float
    requirements: tuple[str, ...]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Removed:
    """What pruning removed, and why."""

    name: str
    size_mb: float
    reason: str


def _no(_text: str = "") -> bool:
    return False


def _silent(_text: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Making:
    """How long making may take, who hears of it, and who may stop it."""

    deadline_seconds: float = MAKE_SECONDS
    say: Callable[[str], None] = _silent
    should_stop: Callable[[], bool] = _no


@contextlib.contextmanager
def in_use(recipe: Recipe, state_dir: Path, making: Making | None = None) -> Iterator[tuple[Venv, HeldLock]]:
    """The environment of ``recipe``, made if it is not there, and the lock that keeps it while the block runs.

    Raises :class:`VenvProblem` when it cannot be made, and :class:`MakingStopped`.
    """
    making = making or Making()
    place = _Place.of(recipe, state_dir)
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(_made_and_held(recipe, place, making))
            (place.folder / _USED).touch()
            venv = _read(place.folder)
        except OSError as error:
            raise VenvProblem(f"the environment {recipe.name} at {place.folder} cannot be used: {error}") from error
        if venv is None:
            raise VenvProblem(f"the environment {recipe.name} at {place.folder} cannot be read")
        yield venv, lock


def ensure(recipe: Recipe, state_dir: Path, making: Making | None = None) -> Path:
    """The interpreter of the environment of ``recipe``, made if it is not there. Raises as :func:`in_use`."""
    with in_use(recipe, state_dir, making) as (venv, _):
        return venv.python


def listed(state_dir: Path) -> tuple[Venv, ...]:
    """Every made environment, the last used first."""
    found = [venv for folder in _folders(state_dir) if (venv := _read(folder)) is not None]
    return tuple(sorted(found, key=lambda venv: venv.used_at, reverse=True))


def prune(state_dir: Path, now: datetime, keep_days: float, budget_mb: float) -> tuple[Removed, ...]:
    """Remove half-made environments, those not used for ``keep_days``, then the longest unused above ``budget_mb``.

    One in use or being made is never removed, and counts in the budget. Logs go with their environments, or alone
    once they are as old.
    """
    oldest = now - timedelta(days=keep_days)
    removed: list[Removed] = []
    for folder in _folders(state_dir):
        venv = _read(folder)
        if venv is None:
            removed += _remove(folder, state_dir, folder.name, 0.0, "half made")
        elif venv.used_at < oldest:
            removed += _remove(folder, state_dir, venv.name, venv.size_mb, f"not used for {keep_days:g} days")
    left = list(listed(state_dir))
    total = sum(venv.size_mb for venv in left)
    while total > budget_mb and left:
        venv = left.pop()
        gone = _remove(venv.folder, state_dir, venv.name, venv.size_mb, f"over the budget of {budget_mb:,.0f} MB")
        total -= sum(one.size_mb for one in gone)
        removed += gone
    _remove_old_logs(state_dir, oldest)
    return tuple(removed)


@dataclass(frozen=True, slots=True)
class _Place:
    folder: Path
    log: Path
    lock: Path

    @classmethod
    def of(cls, recipe: Recipe, state_dir: Path) -> _Place:
        slug = re.sub(r"[^a-z0-9.]+", "-", recipe.name.lower()).strip("-.")[:40] or "environment"
        content = (recipe.requirements, recipe.bare, recipe.extra_index, recipe.base, _version(recipe))
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
        return cls.at(state_dir, f"{slug}-{digest}")

    @classmethod
    def at(cls, state_dir: Path, name: str) -> _Place:
        root = state_dir.absolute()
        folder = root / "environments" / name
        return cls(folder, folder.with_name(f"{name}.log"), root / "locks" / f"environment-{name}.lock")


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


@contextlib.contextmanager
def _made_and_held(recipe: Recipe, place: _Place, making: Making) -> Iterator[HeldLock]:
    deadline = time.monotonic() + making.deadline_seconds
    while True:
        with _locked(recipe, place, making, deadline, shared=True) as lock:
            if _read(place.folder) is not None:
                yield lock
                return
        with _locked(recipe, place, making, deadline, shared=False) as lock:
            if _read(place.folder) is None:  # nobody else made it while this one waited
                _make(recipe, place, making, deadline, lock)


@contextlib.contextmanager
def _locked(recipe: Recipe, place: _Place, making: Making, deadline: float, shared: bool) -> Iterator[HeldLock]:
    while True:
        try:
            lock = acquire(place.lock, f"process {os.getpid()} ({recipe.name})", _WAIT_SECONDS, shared)
            break
        except LockBusy as busy:
            if making.should_stop():
                raise MakingStopped(recipe.name) from busy
            if time.monotonic() > deadline:
                raise VenvProblem(f"the environment {recipe.name} is still being made by {busy}") from busy
            making.say(f"waiting: {busy} has the environment")
    with lock:
        yield lock


def _make(recipe: Recipe, place: _Place, making: Making, deadline: float, lock: HeldLock) -> None:
    _clear(place.folder)
    place.log.unlink(missing_ok=True)
    scratch = place.folder / "tmp"  # inside, so that it goes with a half-made environment
    scratch.mkdir(parents=True)
    bench = pip.Workbench(
        log=place.log,
        scratch=scratch,
        deadline_seconds=lambda: deadline - time.monotonic(),
        say=making.say,
        should_stop=making.should_stop,
        keep_open=(lock.descriptor,),
    )
    try:
        _fill(recipe, place.folder, bench)
    except pip.Stopped:
        _clear(place.folder)
        raise MakingStopped(recipe.name) from None
    except pip.PipFailed as failed:
        _clear(place.folder)
        kept = f" pip's log: {place.log}" if place.log.exists() else ""
        raise VenvProblem(f"the environment {recipe.name} cannot be made: {failed}{kept}") from failed
    shutil.rmtree(scratch, ignore_errors=True)
    _write_mark(recipe, place.folder)


def _fill(recipe: Recipe, folder: Path, bench: pip.Workbench) -> None:
    pip.make_empty(recipe.base, folder, bench)
    python = folder / "bin" / "python"
    options = ["--extra-index-url", recipe.extra_index] if recipe.extra_index else []
    if recipe.requirements and recipe.refusal:
        pip.refuse_unwanted(python, recipe.requirements, options, recipe.refusal, bench)
    if recipe.requirements:
        pip.install(python, recipe.requirements, options, bench)
    if recipe.bare:
        pip.install(python, recipe.bare, [*options, "--no-deps"], bench)


def _write_mark(recipe: Recipe, folder: Path) -> None:
    mark = {
        "name": recipe.name,
        "made_at": datetime.now(UTC).isoformat(),
        "size_mb": round(_size_mb(folder), 1),
        "requirements": [*recipe.requirements, *recipe.bare],
        "recipe": {key: value for key, value in asdict(recipe).items() if key not in {"refusal", "python"}},
        "base": recipe.base,
    }
    (folder / _USED).touch()
    draft = folder / f"{_MADE}.draft"
    draft.write_text(json.dumps(mark, indent=1), encoding="utf-8")
    draft.replace(folder / _MADE)


def _read(folder: Path) -> Venv | None:
    """The environment in ``folder``, or ``None`` when it is not whole, or its base Python is gone."""
    try:
        mark = json.loads((folder / _MADE).read_text("utf-8"))
        used = datetime.fromtimestamp((folder / _USED).stat().st_mtime, UTC)
        made_at = datetime.fromisoformat(mark["made_at"])
        venv = Venv(mark["name"], folder, made_at, used, float(mark["size_mb"]), tuple(mark["requirements"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return venv if os.access(venv.python, os.X_OK) else None


def _folders(state_dir: Path) -> list[Path]:
    root = state_dir.absolute() / "environments"
    return sorted(entry for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []


def _remove(folder: Path, state_dir: Path, name: str, size_mb: float, reason: str) -> list[Removed]:
    place = _Place.at(state_dir, folder.name)
    try:
        with acquire(place.lock, f"process {os.getpid()} (pruning)"):
            if reason == "half made" and _read(folder) is not None:
                return []  # it was made meanwhile
            _clear(folder)
            place.log.unlink(missing_ok=True)
    except (LockBusy, OSError):
        return []  # in use, being made, or not ours to remove
    return [Removed(name, size_mb, reason)]


def _clear(folder: Path) -> None:
    """Remove ``folder``: first what says that it is whole, so that a kill in between leaves nothing that is used."""
    (folder / _MADE).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_old_logs(state_dir: Path, oldest: datetime) -> None:
    for log in (state_dir.absolute() / "environments").glob("*.log"):
        with contextlib.suppress(OSError):
            if not log.with_suffix("").is_dir() and log.stat().st_mtime < oldest.timestamp():
                log.unlink()


def _size_mb(folder: Path) -> float:
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += (Path(root) / name).lstat().st_size
    return total / 1e6
