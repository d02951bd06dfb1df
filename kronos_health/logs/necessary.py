"""What a text must contain for a regular expression to match in it: a quick *no* that is never wrong.

:mod:`.literals` answers a narrower question for the search of raw blocks: one set of bytes, spelled out, without white
space. Here all that a whole text must have counts, single characters and what look-arounds ask for included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

# Python's own parser of regular expressions: nothing else knows its syntax exactly. Not public, but stable for years.
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_MOST = 64  # texts of one need: looking for more costs as much as the expression itself
_WIDEST = 8  # characters of a class that are spelled out
_NO_WIDTH = (sre.AT, sre.ASSERT, sre.ASSERT_NOT)
_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_LETTERS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
# Without regard to case, Python's expressions take these for letters of ASCII; str.lower does not.
_LIKE_ASCII = {"\u0130": "i", "\u0131": "i", "\u017f": "s", "\u212a": "k"}
_Texts = frozenset[str]
_NOTHING = frozenset({""})


def folded(text: str) -> str:
    """``text`` for what is looked for without regard to case."""
    if not text.isascii():
        for letter, taken_for in _LIKE_ASCII.items():
            text = text.replace(letter, taken_for)
    return text.lower()


@dataclass(frozen=True, slots=True)
class Need:
    """One of ``texts`` stands in every text that matches; ``fold``: in the :func:`folded` text."""

    texts: tuple[str, ...]
    fold: bool


@dataclass(frozen=True)
class Rule:
    """A regular expression that is compiled and tried only where it may match."""

    pattern: str
    flags: int = 0

    @property
    def written(self) -> str:
        """The pattern with its flags in it."""
        letters = "".join(letter for letter, flag in _LETTERS.items() if self.flags & flag)
        return f"(?{letters}){self.pattern}" if letters else self.pattern

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """The expression, compiled at the first use."""
        return re.compile(self.pattern, self.flags)

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """See :func:`needs`."""
        return needs(self.pattern, self.flags)

    def may_match(self, text: str, text_folded: str) -> bool:
        """Whether the expression may match somewhere in ``text``; ``False`` is certain."""
        for need in self.needs:
            inside = text_folded if need.fold else text
            for item in need.texts:
                if item in inside:
                    break
            else:
                return False
        return True


def needs(pattern: str, flags: int = 0) -> tuple[Need, ...]:
    """What every text must have in which ``pattern`` matches, all of it; the rarest first."""
    parsed = _parser.parse(pattern, flags)
    found = set(_needs_of(parsed, bool(parsed.state.flags & re.IGNORECASE)))
    kept: list[Need] = []
    for need in sorted(found, key=lambda need: (-min(map(len, need.texts)), len(need.texts), need.texts)):
        if not any(_implies(other, need) for other in kept):
            kept.append(need)
    return tuple(kept)


def _implies(one: Need, other: Need) -> bool:
    """Whether a text that has what ``one`` asks for has what ``other`` asks for."""
    return one.fold == other.fold and all(any(text in longer for text in other.texts) for longer in one.texts)


@dataclass(slots=True)
class _Run:
    """What stands in one piece so far: one of ``texts``, in either case where ``fold`` is set."""

    texts: _Texts = _NOTHING
    fold: bool = False

    def need(self) -> list[Need]:
        # A text that holds another one of them is found with it.
        fewest = [one for one in self.texts if not any(other != one and other in one for other in self.texts)]
        if not fewest or len(fewest) > _MOST or "" in fewest or (self.fold and not "".join(fewest).isascii()):
            return []
        return [Need(tuple(sorted(fewest)), self.fold)]


def _needs_of(parsed: Iterable[Any], fold: bool) -> list[Need]:
    """The needs of a parsed expression, collected from left to right."""
    found: list[Need] = []
    run = _Run()
    for operation, argument in parsed:
        if operation in _NO_WIDTH:  # what stands before and after it still stands together
            found += _needs_of(argument[1], fold) if operation is sre.ASSERT else []
            continue
        texts, exact, folds = _spelled(operation, argument, fold)
        longer = _joined(run.texts, texts)
        if len(longer) > _MOST:
            found += run.need()
            longer, run = texts, _Run()
        folds = folds or run.fold
        run = _Run(frozenset(map(str.lower, longer)) if folds else longer, folds)
        if not exact:
            found += [*run.need(), *_within(operation, argument, fold)]
            run = _Run()
    return found + run.need()


def _within(operation: Any, argument: Any, fold: bool) -> list[Need]:
    """The needs of an item that is no fixed text."""
    if operation is sre.SUBPATTERN:
        return _needs_of(argument[3], _inside(argument, fold))
    if operation is sre.ATOMIC_GROUP:
        return _needs_of(argument, fold)
    if operation in _REPEATS and argument[0] >= 1:
        return _needs_of(argument[2], fold)
    if operation is sre.BRANCH:
        return _either([_needs_of(branch, fold) for branch in argument[1]])
    return []


def _either(branches: Sequence[list[Need]]) -> list[Need]:
    """One need for all of the branches: the rarest text of each."""
    if not all(branches):
        return []
    best = [max(needs, key=lambda need: (min(map(len, need.texts)), -len(need.texts))) for needs in branches]
    folds = any(need.fold for need in best)
    texts = frozenset(text.lower() if folds else text for need in best for text in need.texts)
    return _Run(texts, folds).need()


def _joined(before: _Texts, after: _Texts) -> _Texts:
    return frozenset(one + other for one in before for other in after)


def _inside(argument: Any, fold: bool) -> bool:
    _group, added, removed, _parsed = argument
    return (fold or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE


def _spelled(operation: Any, argument: Any, fold: bool) -> tuple[_Texts, bool, bool]:
    """With which texts a match of one item begins, whether these are all of it, and whether their case is folded."""
    if operation is sre.LITERAL:
        return frozenset({chr(argument)}), True, fold
    if operation is sre.IN:
        characters = _characters(argument)
        return (characters, True, fold) if characters else (_NOTHING, False, False)
    if operation is sre.SUBPATTERN:
        return _beginning(argument[3], _inside(argument, fold))
    if operation is sre.ATOMIC_GROUP:
        return _beginning(argument, fold)
    if operation is sre.BRANCH:
        return _of_branches([_beginning(branch, fold) for branch in argument[1]])
    if operation in _REPEATS:
        least, most, repeated = argument
        texts, exact, folds = _beginning(repeated, fold)
        if least == 0:
            return (texts | _NOTHING, True, folds) if exact and most == 1 else (_NOTHING, False, False)
        return texts, exact and least == most == 1, folds
    return _NOTHING, False, False


def _of_branches(branches: Sequence[tuple[_Texts, bool, bool]]) -> tuple[_Texts, bool, bool]:
    texts = frozenset().union(*(item[0] for item in branches))
    if len(texts) > _MOST:
        return _NOTHING, False, False
    return texts, all(item[1] for item in branches), any(item[2] for item in branches)


def _beginning(parsed: Iterable[Any], fold: bool) -> tuple[_Texts, bool, bool]:
    """As :func:`_spelled`, of a sequence."""
    texts, folds = _NOTHING, False
    for operation, argument in parsed:
        if operation in _NO_WIDTH:
            continue
        more, exact, inside = _spelled(operation, argument, fold)
        longer = _joined(texts, more)
        if len(longer) > _MOST:
            return texts, False, folds
        texts, folds = longer, folds or inside
        if not exact:
            return texts, False, folds
    return texts, True, folds


def _characters(items: Sequence[Any]) -> _Texts:
    """The characters of a small class; none of a larger one."""
    found: set[str] = set()
    for operation, argument in items:
        if operation is sre.LITERAL:
            found.add(chr(argument))
        elif operation is sre.RANGE and argument[1] - argument[0] < _WIDEST:
            found |= {chr(code) for code in range(argument[0], argument[1] + 1)}
        else:
            return frozenset()
    return frozenset(found) if len(found) <= _WIDEST else frozenset()
