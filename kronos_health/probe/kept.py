"""What is made once, kept under the state folder, used again and pruned: environments by pip, checkouts by git.

One lives in ``<state_dir>/<kind>/<id>``; its id is its name and a digest of what it is made from, so that something
else is another folder. What makes it safe:

* ``made.json`` is written last, by rename. A folder without it (its making was killed) is never used: it is removed and
  made anew.
* A lock is held alone while it is made or removed, and shared while it is used. Whoever runs a child in it hands the
  lock's descriptor on, so that it stays in use until the child has ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kronos_health.probe.interpreter import TargetProblem
from kronos_health.probe.locks import HeldLock, LockBusy, acquire

ENVIRONMENTS, CHECKOUTS = "environments", "checkouts"
KINDS = (ENVIRONMENTS, CHECKOUTS)
MAKE_SECONDS = 3600.0
_MADE = "made.json"
_USED = "last_used"
_WAIT_SECONDS = 1.0
_HALF_MADE = "half made"


class KeepingProblem(TargetProblem):
    """Something that cannot be made or used; one line says what, why, and where its log is."""


class NotHere(KeepingProblem):
    """It is not made on this machine, on purpose; nothing is wrong. The line says why and what would change that."""


class MakingStopped(Exception):
    """``should_stop`` said so while it was being made; nothing half-made is used later."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A made thing as it lies on the disk; ``size_mb`` as measured when it was made, ``holds`` for people."""

    name: str
    kind: str
    folder: Path
    made_at: datetime
    used_at: datetime
    size_mb: float
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """What pruning removed, and why."""

    name: str
    size_mb: float
    reason: str


def _never() -> bool:
    return False


def _silent(_text: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Making:
    """How long making may take, who hears of it, and who may stop it."""

    deadline_seconds: float = MAKE_SECONDS
    say: Callable[[str], None] = _silent
    should_stop: Callable[[], bool] = _never


@dataclass(frozen=True, slots=True)
class Bench:
    """What a maker is given: the folder to fill, a log that outlives a failure, the time left, the lock it works under.

    ``scratch`` is inside the folder and removed in the end.
    """

    folder: Path
    log: Path
    scratch: Path
    deadline: float  # of time.monotonic()
    making: Making
    lock: HeldLock

    def seconds_left(self) -> float:
        """Seconds until making has taken too long; never below zero."""
        return max(self.deadline - time.monotonic(), 0.0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is kept. ``whole`` is a path inside its folder without which it is not usable."""

    name: str
    kind: str
    folder: Path
    whole: str

    @classmethod
    def of(cls, kind: str, name: str, content: object, state_dir: Path, whole: str) -> Place:
        """The place of what is made from ``content`` (JSON values)."""
        slug = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:40] or "unnamed"
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
        return cls(name, kind, state_dir.absolute() / kind / f"{slug}-{digest}", whole)

    @property
    def log(self) -> Path:
        """The maker's log, beside the folder."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def lock(self) -> Path:
        """Its lock file; it stays when the folder goes, since removing a lock file is a race."""
        return _lock_of(self.folder)


Maker = Callable[[Bench], Sequence[str]]  # fills the folder and returns what it holds


@contextlib.contextmanager
def in_use(place: Place, make: Maker, making: Making | None = None) -> Iterator[tuple[Kept, HeldLock]]:
    """What is kept at ``place``, made if it is not there, and the lock that keeps it while the block runs.

    Raises :class:`KeepingProblem` when it cannot be made, and :class:`MakingStopped`.
    """
    making = making or Making()
    with contextlib.ExitStack() as stack:
        try:
            kept, lock = stack.enter_context(_made_and_held(place, make, making))
            (place.folder / _USED).touch()
        except OSError as error:
            raise KeepingProblem(f"{place.name} at {place.folder} cannot be made or used: {error}") from error
        yield kept, lock


def listed(state_dir: Path) -> tuple[Kept, ...]:
    """Everything that is kept and whole, the last used first."""
    found = [kept for folder in _folders(state_dir) if (kept := _read(folder)) is not None]
    return tuple(sorted(found, key=lambda kept: kept.used_at, reverse=True))


def prune(state_dir: Path, now: datetime, keep_days: float, budget_mb: float) -> tuple[Removed, ...]:
    """Remove what is half made, what was not used for ``keep_days``, then the longest unused above ``budget_mb``.

    What is in use or being made is never removed, and counts in the budget. Logs go with their folders, or alone once
    they are as old.
    """
    oldest = now - timedelta(days=keep_days)
    removed: list[Removed] = []
    for folder in _folders(state_dir):
        kept = _read(folder)
        if kept is None:
            removed += _remove(folder, folder.name, 0.0, _HALF_MADE)
        elif kept.used_at < oldest:
            removed += _remove(folder, kept.name, kept.size_mb, f"not used for {keep_days:g} days")
    left = list(listed(state_dir))
    total = sum(kept.size_mb for kept in left)
    while total > budget_mb and left:
        kept = left.pop()
        gone = _remove(kept.folder, kept.name, kept.size_mb, f"over the budget of {budget_mb:,.0f} MB")
        total -= sum(one.size_mb for one in gone)
        removed += gone
    _remove_old_logs(state_dir, oldest)
    return tuple(removed)


@contextlib.contextmanager
def _made_and_held(place: Place, make: Maker, making: Making) -> Iterator[tuple[Kept, HeldLock]]:
    deadline = time.monotonic() + making.deadline_seconds
    while True:
        with _locked(place, making, deadline, shared=True) as lock:
            kept = _read(place.folder)
            if kept is not None:
                yield kept, lock
                return
        with _locked(place, making, deadline, shared=False) as lock:
            if _read(place.folder) is None:  # nobody else made it while this one waited
                _make(place, make, making, deadline, lock)


@contextlib.contextmanager
def _locked(place: Place, making: Making, deadline: float, shared: bool) -> Iterator[HeldLock]:
    while True:
        try:
            lock = acquire(place.lock, f"process {os.getpid()} ({place.name})", _WAIT_SECONDS, shared)
            break
        except LockBusy as busy:
            if making.should_stop():
                raise MakingStopped(place.name) from busy
            if time.monotonic() > deadline:
                raise KeepingProblem(f"{place.name} is still being made by {busy}") from busy
            making.say(f"waiting: {busy} has it")
    with lock:
        yield lock


def _make(place: Place, make: Maker, making: Making, deadline: float, lock: HeldLock) -> None:
    _clear(place.folder)
    place.log.unlink(missing_ok=True)
    scratch = place.folder / "tmp"
    scratch.mkdir(parents=True)
    try:
        holds = make(Bench(place.folder, place.log, scratch, deadline, making, lock))
        shutil.rmtree(scratch, ignore_errors=True)
        _write_mark(place, holds)
    except BaseException:
        _clear(place.folder)
        raise


def _write_mark(place: Place, holds: Sequence[str]) -> None:
    mark = {
        "name": place.name,
        "made_at": datetime.now(UTC).isoformat(),
        "size_mb": round(_size_mb(place.folder), 1),
        "holds": list(holds),
        "whole": place.whole,
    }
    (place.folder / _USED).touch()
    draft = place.folder / f"{_MADE}.draft"
    draft.write_text(json.dumps(mark, indent=1), encoding="utf-8")
    draft.replace(place.folder / _MADE)


def _read(folder: Path) -> Kept | None:
    """What ``folder`` holds, or ``None`` when it is not whole, e.g. because its base Python is gone."""
    try:
        mark = json.loads((folder / _MADE).read_text("utf-8"))
        used = datetime.fromtimestamp((folder / _USED).stat().st_mtime, UTC)
        made_at, size = datetime.fromisoformat(mark["made_at"]), float(mark["size_mb"])
        kept = Kept(mark["name"], folder.parent.name, folder, made_at, used, size, tuple(mark["holds"]))
        return kept if (folder / mark["whole"]).exists() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _folders(state_dir: Path) -> list[Path]:
    roots = [state_dir.absolute() / kind for kind in KINDS]
    return sorted(entry for root in roots if root.is_dir() for entry in root.iterdir() if entry.is_dir())


def _lock_of(folder: Path) -> Path:
    return folder.parent.parent / "locks" / f"{folder.parent.name}-{folder.name}.lock"


def _remove(folder: Path, name: str, size_mb: float, reason: str) -> list[Removed]:
    try:
        with acquire(_lock_of(folder), f"process {os.getpid()} (pruning)"):
            if reason == _HALF_MADE and _read(folder) is not None:
                return []  # it was made meanwhile
            _clear(folder)
            folder.with_name(f"{folder.name}.log").unlink(missing_ok=True)
    except (LockBusy, OSError):
        return []  # in use, being made, or not ours to remove
    return [Removed(name, size_mb, reason)]


def _clear(folder: Path) -> None:
    """Remove ``folder``: first what says that it is whole, so that a kill in between leaves nothing that is used."""
    (folder / _MADE).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_old_logs(state_dir: Path, oldest: datetime) -> None:
    for kind in KINDS:
        for log in (state_dir.absolute() / kind).glob("*.log"):
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
