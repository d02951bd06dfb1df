"""The first stage: where in a block of a log one of many fixed texts stands. All engines give the same answer."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from operator import itemgetter
from typing import Any, Literal, Protocol

import numpy as np

from kronos_health.logs.errors import LogProblem
from kronos_health.logs.lines import Positions

Wanted = Literal["auto", "ahocorasick", "plain"]
_INSTALL = "Install it (pip install ahocorasick_rs)"


class Engine(Protocol):
    """Finds fixed texts.

    Leftmost first, of several that begin at one place the longest, and on after its end: so a text that begins inside
    one that was found is not reported.
    """

    name: str

    def find(self, block: memoryview) -> Positions:
        """Ascending positions in ``block``, which is contiguous, where a text begins."""
        ...


class AhoCorasick:
    """Vectorised search of the Rust library aho-corasick: gigabytes a second, at its best where no text is shorter
    than four bytes."""

    name = "ahocorasick"

    def __init__(self, texts: Collection[bytes]) -> None:
        module = _ahocorasick()
        # An automaton of nothing is refused by nobody, but its answer is not defined either.
        self._automaton = (
            module.BytesAhoCorasick(sorted(texts), matchkind=module.MatchKind.LeftmostLongest) if texts else None
        )

    def find(self, block: memoryview) -> Positions:
        """See :class:`Engine`."""
        found = self._automaton.find_matches_as_indexes(block) if self._automaton else []
        return np.fromiter(map(itemgetter(1), found), np.int64, len(found))


class Plain:
    """The standard library's regular expressions: a hundred times slower, and always there."""

    name = "plain"

    def __init__(self, texts: Collection[bytes]) -> None:
        longest_first = sorted(texts, key=lambda text: (-len(text), text))
        self._expression = re.compile(b"|".join(map(re.escape, longest_first))) if texts else None

    def find(self, block: memoryview) -> Positions:
        """See :class:`Engine`."""
        if self._expression is None:
            return np.empty(0, np.int64)
        return np.fromiter((found.start() for found in self._expression.finditer(block)), np.int64)


def in_force(wanted: Wanted = "auto") -> str:
    """The name of the engine that ``wanted`` means here. Raises :class:`LogProblem` for one that is not installed."""
    if wanted == "plain":
        return Plain.name
    if _ahocorasick() is not None:
        return AhoCorasick.name
    if wanted == "ahocorasick":
        raise LogProblem(f'logs.engine is "ahocorasick", whose wheel is missing. {_INSTALL}, or write "auto".')
    return Plain.name


def engine(texts: Collection[bytes], wanted: Wanted = "auto") -> Engine:
    """An engine that looks for ``texts``, none of them empty. Raises as :func:`in_force` does."""
    return Plain(texts) if in_force(wanted) == Plain.name else AhoCorasick(texts)


def note_on(wanted: Wanted) -> str | None:
    """A line for people where logs are searched slowly without anybody having asked for it."""
    if wanted == "auto" and in_force(wanted) == Plain.name:
        return f"logs are searched by the plain engine, many times slower: ahocorasick_rs is missing. {_INSTALL}."
    return None


@cache
def _ahocorasick() -> Any:
    """The wheel's module, ``None`` where it is missing or does not load on this machine."""
    try:
        import ahocorasick_rs
    except ImportError:
        return None
    return ahocorasick_rs
