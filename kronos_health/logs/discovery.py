"""Which files belong to a log: the live one and its rotated siblings, by name. What they are, their content says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_COMPRESSED = r"(?:\.(?:gz|zst|zstd|xz|bz2|lz4))?"
# After the whole name: .1, .2.gz, -20251030, .2025-10-30_09-08, .1.20251030, .old …
_NUMBERS = r"(?:[._-](?:\d[\d_.:T-]*|old|bak|prev))"
# Before the extension only what can hardly be another program's log: .1 or a date.
_INNER = r"(?:\.\d{1,5}|[._-]\d{8}(?:[_-]?\d+)*|[._-]\d{4}-\d\d-\d\d(?:[T_-][\d_:.-]+)?)"


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


def is_sibling(live: str, name: str) -> bool:
    """Whether a file called ``name`` can be a rotation of the log called ``live``."""
    if name == live:
        return False
    stem, dot, extension = live.rpartition(".")
    whole = rf"{re.escape(live)}(?:{_NUMBERS}+{_COMPRESSED}|{_COMPRESSED})"
    if re.fullmatch(whole, name):
        return True
    if not dot or not stem:
        return False
    return re.fullmatch(rf"{re.escape(stem)}{_INNER}\.{re.escape(extension)}{_COMPRESSED}", name) is not None


def discover(live: Path, remembered: Iterable[Path] = ()) -> tuple[Candidate, ...]:
    """The live file, its siblings beside it (and beside what it links to), and ``remembered`` paths that still exist.

    Each file once, the live one first. Raises ``OSError`` when a folder cannot be listed.
    """
    found: dict[tuple[int, int], Candidate] = {}
    target = Path(os.path.realpath(live))
    paths = [live, *_siblings(live)]
    if target != live:
        paths += _siblings(target)
    named = set(paths)
    for path in [*paths, *remembered]:
        candidate = _look(path, path in (live, target), path in named)
        if candidate is not None:
            found.setdefault((candidate.device, candidate.inode), candidate)
    return tuple(found.values())


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
