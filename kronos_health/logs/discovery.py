"""Which files belong to a log: the live one and its rotated siblings, by name. What they are, their content says."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from kronos_health.logs.naming import descends, is_sibling
from kronos_health.logs.places import Log


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may hold a generation; one that is not ``named`` like the log only if its content proves it."""

    path: Path
    live: bool
    named: bool
    device: int
    inode: int
    size: int
    modified_ns: int
    regular: bool


def discover(log: Log, remembered: Iterable[Path] = ()) -> tuple[Candidate, ...]:
    """The live file, its siblings beside it (and beside what it links to), and ``remembered`` paths that still exist.

    Each file once, the live one first. Raises ``OSError`` when a folder cannot be listed.
    """
    found: dict[tuple[int, int], Candidate] = {}
    live = log.live
    alone = log.siblings is None
    target = Path(os.path.realpath(live)) if alone or live.is_symlink() else live
    paths = [live, *(_siblings(live) if log.siblings is None else log.siblings)]
    if target != live:
        paths += _siblings(target)
    named = set(paths)
    for path in [*paths, *remembered]:
        candidate = _look(path, path in (live, target), path in named)
        if candidate is not None:
            found.setdefault((candidate.device, candidate.inode), candidate)
    return tuple(found.values())


def listed_again(log: Log) -> Log:
    """``log`` with the siblings that it has by now; one that is alone in its source is listed by :func:`discover`."""
    if log.siblings is None:
        return log
    stem, folder = log.live.name.partition(".")[0], log.live.parent
    with os.scandir(folder) as entries:
        names = [name for entry in entries if (name := entry.name).startswith(stem)]
    siblings = sorted(folder / name for name in names if descends(log.live.name, name))
    return replace(log, siblings=tuple(siblings))


def _siblings(live: Path) -> list[Path]:
    try:
        with os.scandir(live.parent) as entries:
            return sorted(live.parent / entry.name for entry in entries if is_sibling(live.name, entry.name))
    except FileNotFoundError:
        return []


def _look(path: Path, live: bool, named: bool) -> Candidate | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    regular = (status.st_mode & 0o170000) == 0o100000
    if not regular and not live:
        return None  # a folder called app.log.1 is no log
    return Candidate(path, live, named, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, regular)


def same_files(one: Iterable[Candidate], other: Iterable[Candidate]) -> bool:
    """Whether two looks saw the same files under the same names: nothing was rotated in between."""
    return {(item.path, item.device, item.inode) for item in one} == {
        (item.path, item.device, item.inode) for item in other
    }
