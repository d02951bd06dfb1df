"""Which logs a source has now: one file, or every live file of a folder or a pattern, each with its rotated siblings.

A file is a log of its own unless its name says that it was rotated from another one that is there, or that was there
when the source was last read. So a new file appears by itself, and ``app.log.1`` is never taken for another program's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kronos_health.domain.logs import Generation
from kronos_health.logs.globbing import files_matching, is_pattern
from kronos_health.logs.naming import ancestors


@dataclass(frozen=True, slots=True)
class Log:
    """A log: its live file and what is called like a rotation of it; ``siblings`` is ``None`` where nobody looked.

    ``inode`` and ``modified_ns`` are the live file's; ``None`` and 0 where it is not there. ``address``: in a storage.
    """

    live: Path
    siblings: tuple[Path, ...] | None = None
    inode: int | None = None
    modified_ns: int = 0
    address: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """The logs of a source, the longest unwritten first: one that is always busy keeps no other one waiting.

    ``several``: its path is a folder or a pattern; ``problem`` says why nobody could look.
    """

    logs: tuple[Log, ...]
    several: bool = False
    problem: str | None = None
    aliases: Mapping[Path, Path] = field(default_factory=dict)  # other names of live files


def live_files(path: str) -> tuple[Path, ...]:
    """The live files of a source whose setting ``path`` is this, as far as they are there now.

    For whoever follows a source: new files show when it is asked again. Empty where they are not on this machine, or
    their folder cannot be listed.
    """
    if "://" in path:
        return ()
    return tuple(log.live for log in places(path).logs if log.inode is not None)


def places(path: str, known: Sequence[Generation] = ()) -> Places:
    """The logs of the source with the setting ``path``, and those that were ``known`` and are not there any more."""
    whole = Path(path).absolute()
    known_lives = {live_of(item) for item in known}
    if is_pattern(str(whole)):
        pattern = str(whole)
    elif whole.is_dir() or (not whole.exists() and any(whole in live.parents for live in known_lives)):
        pattern = str(whole / "*")
    else:
        return Places((_alone(whole),))
    try:
        return _grouped(files_matching(pattern), known_lives)
    except OSError as error:
        return Places((), True, f"{error.filename or path} cannot be listed ({error.strerror}). Nothing was skipped.")


def live_of(generation: Generation) -> Path:
    """The live file a generation belongs to; the file it was in, where that was not written down."""
    return Path(generation.live_path or generation.path)


def _alone(path: Path) -> Log:
    try:
        status = path.stat()
    except OSError:
        return Log(path)
    return Log(path, None, status.st_ino, status.st_mtime_ns)


def _grouped(matched: Sequence[Path], known_lives: Iterable[Path]) -> Places:
    known = set(known_lives)
    lives, root = grouped(matched, known)
    present, aliases = _without_doubles(lives, set(matched))
    siblings: dict[Path, list[Path]] = {live: [] for live in lives if live not in aliases}
    for folder in sorted({live.parent for live in lives}):
        for path in _listed(folder):
            live = root(path)
            if path != live and live in siblings and path not in aliases:
                siblings[live].append(path)
    logs = (Log(live, tuple(sorted(files)), *present.get(live, (None, 0))) for live, files in siblings.items())
    return Places(tuple(sorted(logs, key=lambda log: (log.modified_ns, log.live))), several=True, aliases=aliases)


def grouped(matched: Iterable[Path], known_lives: Iterable[Path]) -> tuple[set[Path], Callable[[Path], Path]]:
    """The live paths among those that match and those that were known, and which of them any path is rotated from."""
    paths = [*matched, *known_lives]
    named = _by_folder(paths)
    return {_root(path, named) for path in paths}, lambda path: _root(path, named)


def _by_folder(paths: Iterable[Path]) -> dict[Path, set[str]]:
    names: dict[Path, set[str]] = {}
    for path in paths:
        names.setdefault(path.parent, set()).add(path.name)
    return names


def _root(path: Path, named: Mapping[Path, set[str]]) -> Path:
    """The log that ``path`` was rotated from, of those that are ``named``; itself, where there is none."""
    older = ancestors(path.name) & named.get(path.parent, set())
    return path.parent / min(older, key=lambda name: (len(name), name)) if older else path


def _listed(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries]
    except FileNotFoundError:
        return []


def _without_doubles(lives: set[Path], matched: set[Path]) -> tuple[dict[Path, tuple[int, int]], dict[Path, Path]]:
    """Inodes and change times of the live files that are there; and which are other names of one that is kept."""
    present: dict[Path, tuple[int, int]] = {}
    aliases: dict[Path, Path] = {}
    first: dict[tuple[int, int], Path] = {}
    for path in sorted(lives, key=lambda path: (path.is_symlink(), path)):
        try:
            status = path.stat()
        except OSError:
            continue
        kept = first.setdefault((status.st_dev, status.st_ino), path)
        target = Path(os.path.realpath(path))
        if kept != path:
            aliases[path] = kept
        elif target != path and target in matched:
            aliases[path] = target  # a link to a rotated file: that is read as what it is
        else:
            present[path] = status.st_ino, status.st_mtime_ns
    return present, aliases


def belongings(found: Places, known: Sequence[Generation]) -> list[tuple[Log, tuple[Generation, ...]]]:
    """Each log with the generations it may have; a log without any is new.

    A file that was renamed into another log's place goes on there, where its content proves it: the inode says where to
    look.
    """
    if not found.several:
        return [(log, tuple(known)) for log in found.logs]
    named = _by_folder(log.live for log in found.logs)
    by_inode = {log.inode: log.live for log in found.logs if log.inode is not None}
    shares: dict[Path, list[Generation]] = {log.live: [] for log in found.logs}
    present = {log.live: log.inode for log in found.logs}
    for item in known:
        live = _root(live_of(item), named)
        live = found.aliases.get(live, live)
        moved = by_inode.get(item.inode or 0)
        if moved is not None and moved != live and not item.finished and present.get(live) != item.inode:
            live = moved
        if live in shares:
            shares[live].append(item)
    shared = [(log, tuple(shares[log.live])) for log in found.logs]
    return [(log, mine) for log, mine in shared if log.inode is not None or log.siblings or _unfinished(mine)]


def _unfinished(known: Iterable[Generation]) -> bool:
    return any(not item.finished for item in known)
