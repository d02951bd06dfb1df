"""Which digits a regular expression tells apart: lines that differ in other digits only match it in the same places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import numpy as np

from kronos_health.logs.lines import Bytes

_CHUNK = 64 * 1024
_DIGITS = frozenset(range(48, 58))
_BOUNDARY = (sre.AT, sre.AT_BOUNDARY)
# Of ASCII digits, the only ones a caller may ask about.
_CATEGORIES = {
    sre.CATEGORY_DIGIT: _DIGITS,
    sre.CATEGORY_WORD: _DIGITS,
    sre.CATEGORY_SPACE: frozenset(),
    sre.CATEGORY_NOT_DIGIT: frozenset(),
    sre.CATEGORY_NOT_WORD: frozenset(),
    sre.CATEGORY_NOT_SPACE: _DIGITS,
}


class _ToldApart(Exception):
    """The expression looks at a digit in another way than as a word of its own."""


@cache
def digits_told_apart(pattern: str) -> frozenset[str] | None:
    """The digits that ``pattern`` knows as words (``\\b0\\b``); ``None`` if it tells digits apart otherwise.

    Of two ASCII texts that differ in digits only, and in none of these where it is no part of a longer word, the
    expression matches either both in the same places or neither.
    """
    try:
        return frozenset(_words(_parser.parse(pattern)))
    except _ToldApart:
        return None


def _words(parsed: Sequence[Any], before: Any = None) -> Iterator[str]:
    """``before`` is what stands in front of ``parsed``: Python's parser takes it out of branches that share it."""
    items = list(parsed)
    for index, (operation, argument) in enumerate(items):
        if operation is sre.LITERAL and argument in _DIGITS:
            previous = items[index - 1] if index else before
            if previous != _BOUNDARY or items[index + 1 : index + 2] != [_BOUNDARY]:
                raise _ToldApart
            yield chr(argument)
        else:
            yield from _of_item(operation, argument, items[index - 1] if index else before)


def _of_item(operation: Any, argument: Any, before: Any) -> Iterator[str]:
    if operation in {sre.LITERAL, sre.ANY, sre.AT, sre.FAILURE}:
        return
    if operation is sre.IN:
        _check_class(argument)
    elif operation is sre.BRANCH:
        for branch in argument[1]:
            yield from _words(branch, before)
    elif operation is sre.SUBPATTERN:
        yield from _words(argument[3])
    elif operation in {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT}:
        yield from _words(argument[2])
    elif operation in {sre.ASSERT, sre.ASSERT_NOT}:
        yield from _words(argument[1])
    elif operation is sre.ATOMIC_GROUP:
        yield from _words(argument)
    elif operation is not sre.NOT_LITERAL or argument in _DIGITS:
        raise _ToldApart  # references to what another group matched, and whatever a later Python adds


def _check_class(items: Sequence[Any]) -> None:
    found: set[int] = set()
    for operation, argument in items:
        if operation is sre.LITERAL:
            found |= {argument} & _DIGITS
        elif operation is sre.RANGE:
            found |= _DIGITS & set(range(argument[0], argument[1] + 1))
        elif operation is sre.CATEGORY:
            found |= _CATEGORIES[argument]
        elif operation is not sre.NEGATE:
            raise _ToldApart
    if found and found != _DIGITS:
        raise _ToldApart


def shapes(text: bytes, kept: frozenset[str]) -> bytes:
    """``text`` with every digit replaced by the byte 255, but for those in ``kept`` that no other digit is beside."""
    array = np.frombuffer(text, np.uint8)
    if len(array) <= _CHUNK:
        return shaped(array, kept).tobytes()
    result = np.empty(len(array), np.uint8)
    for start in range(0, len(array), _CHUNK):  # small enough to stay in the processor's cache
        begin, stop = max(start - 1, 0), min(start + _CHUNK, len(array))
        result[start:stop] = shaped(array[begin : stop + 1], kept)[start - begin : stop - begin]
    return result.tobytes()


def shaped(array: Bytes, kept: frozenset[str]) -> Bytes:
    """An array of text as :func:`shapes` makes it; rows of a matrix follow each other as in memory."""
    flat = array.reshape(-1)
    digit = (flat - np.uint8(48)) < 10
    result = digit.view(np.uint8) * np.uint8(255)
    result |= flat
    for item in kept:
        alone = flat == ord(item)
        # Of two truth values, "greater" says that the first is true and the second is not.
        np.greater(alone[1:], digit[:-1], out=alone[1:])
        np.greater(alone[:-1], digit[1:], out=alone[:-1])
        result[alone] = ord(item)
    return result.reshape(array.shape)
