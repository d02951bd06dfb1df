"""Finds files by pattern, and says so when it could not look: what ``glob`` passes over in silence looks like a gap."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

_WILD = re.compile(r"[*?\[]")


def is_pattern(path: str) -> bool:
    """Whether ``path`` has a wildcard; a file that is really called so is a file."""
    return _WILD.search(path) is not None and not Path(path).exists()


def fixed_part(pattern: str) -> str:
    """The folder that ``pattern`` begins with: everything before its first wildcard."""
    parts = Path(pattern).parts
    wild = next((index for index, part in enumerate(parts) if _WILD.search(part)), len(parts) - 1)
    return str(Path(*parts[:wild]))


def files_matching(pattern: str) -> list[Path]:
    """The files that match the absolute ``pattern``, links to files included, sorted. ``**`` stands for any folders.

    Hidden names must be asked for. Raises ``OSError`` when a folder cannot be listed, or when the one that the pattern
    begins with is not there.
    """
    base = fixed_part(pattern)
    parts = Path(pattern).parts[len(Path(base).parts) :]
    return sorted(set(_walk(Path(base), (*parts, "*") if parts[-1] == "**" else parts)))


def _walk(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    part, rest = parts[0], parts[1:]
    with os.scandir(folder) as listing:
        entries = list(listing)
    if part == "**":
        yield from _walk(folder, rest)
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield from _below(folder / entry.name, parts)
        return
    for entry in entries:
        if fnmatchcase(entry.name, part) and (part.startswith(".") or not entry.name.startswith(".")):
            if rest and entry.is_dir():
                yield from _below(folder / entry.name, rest)
            elif not rest and entry.is_file():
                yield folder / entry.name


def _below(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    with suppress(FileNotFoundError):  # removed since its parent was listed
        yield from _walk(folder, parts)
