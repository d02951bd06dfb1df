"""Which file names are rotations of which. A name proves nothing: what a file is, its content says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

_COMPRESSION = r"\.(?:gz|zst|zstd|xz|bz2|lz4)"
# After the whole name: .1, .2.gz, -20251030, .2025-10-30_09-08, .1.20251030, .old …
_NUMBERS = r"(?:[._-](?:\d[\d_.:T-]*|old|bak|prev))"
_SUFFIX = re.compile(rf"{_NUMBERS}+(?:{_COMPRESSION})?|{_COMPRESSION}")
# Before the extension only what can hardly be another program's log: .1 or a date.
_INNER = re.compile(r"\.\d{1,5}|[._-]\d{8}(?:[_-]?\d+)*|[._-]\d{4}-\d\d-\d\d(?:[T_-][\d_:.-]+)?")
_COMPRESSED = re.compile(rf"(?P<name>.+?){_COMPRESSION}")


def is_sibling(live: str, name: str) -> bool:
    """Whether a file called ``name`` can be a rotation of the log called ``live``."""
    return live in _originals(name)


def descends(live: str, name: str) -> bool:
    """Whether ``name`` can be a rotation of ``live``, or one of a rotation of it: ``app.1.log.1`` of ``app.log``."""
    return live in ancestors(name)


@lru_cache(maxsize=65536)
def ancestors(name: str) -> frozenset[str]:
    """The names that ``name`` can have been rotated from, through any number of rotations."""
    found, new = frozenset[str](), _originals(name)
    while new - found:
        found |= new
        new = frozenset().union(*(_originals(other) for other in new))
    return found - {name}


@lru_cache(maxsize=65536)
def _originals(name: str) -> frozenset[str]:
    return frozenset(_before_suffix(name)) | frozenset(_around_inner(name))


def _cuts(name: str) -> Iterator[int]:
    return (index for index, character in enumerate(name) if index and character in "._-")


def _before_suffix(name: str) -> Iterator[str]:
    return (name[:cut] for cut in _cuts(name) if _SUFFIX.fullmatch(name, cut))


def _around_inner(name: str) -> Iterator[str]:
    compressed = _COMPRESSED.fullmatch(name)
    for whole in {name, compressed["name"] if compressed else name}:
        stem, dot, extension = whole.rpartition(".")
        if dot and extension:
            yield from (f"{stem[:cut]}.{extension}" for cut in _cuts(stem) if _INNER.fullmatch(stem, cut))
