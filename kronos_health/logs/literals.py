"""Which fixed text every match of a regular expression must contain: what the first, fast stage looks for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

# Python's own parser of regular expressions: nothing else knows its syntax exactly. Not public, but stable for years.
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

SHORTEST = 3
_LONGEST_FOLDED = 4  # 2 ** 4 spellings
_MOST = 64


def required_literals(pattern: str) -> frozenset[str] | None:
    """Texts of which at least one is in every match of ``pattern``; ``None`` if there is no such set of use.

    Each has at least three characters; under ``(?i)`` every spelling is listed. Raises ``re.error`` for a bad pattern.
    """
    parsed = _parser.parse(pattern)
    return _best(_sets(parsed, bool(parsed.state.flags & re.IGNORECASE)))


def _best(candidates: Iterable[frozenset[str]]) -> frozenset[str] | None:
    usable = [item for item in candidates if item and len(item) <= _MOST and min(map(len, item)) >= SHORTEST]
    # The longest shortest text is the rarest; of two equal ones the smaller set is searched faster.
    return max(usable, key=lambda item: (min(map(len, item)), -len(item)), default=None)


def _sets(parsed: Sequence[Any], folded: bool) -> list[frozenset[str]]:
    """Sets of texts, each of which has a member in every match of the sequence ``parsed``."""
    found: list[frozenset[str]] = []
    run = ""
    for operation, argument in parsed:
        # White space ends a text: colours and line breaks may stand between words, never within.
        if operation is sre.LITERAL and not chr(argument).isspace():
            run += chr(argument)
            continue
        found += _of_run(run, folded)
        run = ""
        found += _of_item(operation, argument, folded)
    return found + _of_run(run, folded)


def _of_item(operation: Any, argument: Any, folded: bool) -> list[frozenset[str]]:
    if operation is sre.SUBPATTERN:
        _group, added, removed, inner = argument
        inside = (folded or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE
        return _sets(inner, inside)
    if operation is sre.BRANCH:
        branches = [_best(_sets(branch, folded)) for branch in argument[1]]
        if all(branch is not None for branch in branches):
            return [frozenset().union(*(branch for branch in branches if branch is not None))]
    if operation in {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT} and argument[0] >= 1:
        return _sets(argument[2], folded)
    if operation is sre.ATOMIC_GROUP:
        return _sets(argument, folded)
    return []  # classes, look-arounds, optional parts: not necessarily in the text


def _of_run(run: str, folded: bool) -> list[frozenset[str]]:
    if len(run) < SHORTEST:
        return []
    if not folded:
        return [frozenset({run})]
    windows = [run[start : start + _LONGEST_FOLDED] for start in range(max(len(run) - _LONGEST_FOLDED + 1, 1))]
    return [_spellings(window) for window in windows if window.isascii()]


def _spellings(text: str) -> frozenset[str]:
    return frozenset("".join(spelling) for spelling in itertools.product(*({c.lower(), c.upper()} for c in text)))
