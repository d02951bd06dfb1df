"""Split a shell file into words and separators, as a POSIX shell reads them, without running anything.

Known limits: here-documents are read as statements; ``$'…'``, brace and tilde expansion count as values only the shell
knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SEPARATORS = ("&&", "||", ";;", "\n", ";", "&", "|", "(", ")")
_BLANKS = " \t"
_CLOSING = {"(": ")", "{": "}"}


class Unclosed(ValueError):
    """A quote or expansion that never ends: a shell refuses such a file."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its quotes removed; ``literal`` is false where the shell would have to compute it."""

    text: str
    literal: bool


def words(text: str) -> Iterator[Word | str]:
    """Words and separators (strings) of ``text`` in order; comments are left out.

    Raises ``Unclosed`` with the line number for a quote or an expansion without its end.
    """
    for token, _start, _end in located_words(text):
        yield token


def located_words(text: str) -> Iterator[tuple[Word | str, int, int]]:
    """As :func:`words`, each with where it begins and ends in ``text``."""
    scanner = _Scanner(text)
    while not scanner.at_end:
        if scanner.skip_blank():
            continue
        start = scanner.position
        token = scanner.take_separator() or scanner.take_word()
        yield token, start, scanner.position


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.position, self.literal = text, 0, True

    @property
    def at_end(self) -> bool:
        return self.position >= len(self.text)

    def skip_blank(self) -> bool:
        """Pass blanks, continued lines and comments; false when there were none."""
        start, text = self.position, self.text
        if text[start] in _BLANKS:
            self.position += 1
        elif text.startswith("\\\n", start):
            self.position += 2
        elif text[start] == "#":
            end = text.find("\n", start)
            self.position = len(text) if end < 0 else end
        return self.position > start

    def take_separator(self) -> str | None:
        """The separator that begins here, if one does."""
        for separator in _SEPARATORS:
            if self.text.startswith(separator, self.position):
                self.position += len(separator)
                return separator
        return None

    def take_word(self) -> Word:
        """The word that begins here."""
        self.literal, parts = True, []
        while not self.at_end:
            character = self.text[self.position]
            if character in _BLANKS or character in "\n;&|()":
                break
            parts.append(self._piece(character))
        return Word("".join(parts), self.literal)

    def _piece(self, character: str) -> str:
        if character == "'":
            return self._single_quoted()
        if character == '"':
            return self._double_quoted()
        if character == "\\":
            return self._escaped()
        if character in "$`":
            return self._expansion()
        self.position += 1
        return character

    def _single_quoted(self) -> str:
        start = self.position
        end = self.text.find("'", start + 1)
        if end < 0:
            raise self._unclosed(start, "'")
        self.position = end + 1
        return self.text[start + 1 : end]

    def _double_quoted(self) -> str:
        start = self.position
        parts: list[str] = []
        self.position += 1
        while not self.at_end:
            character = self.text[self.position]
            if character == '"':
                self.position += 1
                return "".join(parts)
            if character == "\\":
                parts.append(self._escaped(only='$`"\\\n'))
            elif character in "$`":
                parts.append(self._expansion())
            else:
                parts.append(character)
                self.position += 1
        raise self._unclosed(start, '"')

    def _escaped(self, only: str | None = None) -> str:
        following = self.text[self.position + 1 : self.position + 2]
        self.position += 2
        if following == "\n":
            return ""
        return following if only is None or following in only else f"\\{following}"

    def _expansion(self) -> str:
        """``$NAME``, ``${…}``, ``$(…)`` or backquotes, kept as written; a lone ``$`` stands for itself."""
        start = self.position
        following = self.text[start + 1 : start + 2]
        if self.text[start] == "`":
            end = self.text.find("`", start + 1)
            if end < 0:
                raise self._unclosed(start, "`")
            self.position = end + 1
        elif following in _CLOSING:
            self.position = self._end_of_nested(start + 1, following)
        else:
            self.position += 1
            if not (following.isalnum() or following in tuple("_@*#?!$-'\"")):
                return "$"
        self.literal = False
        return self.text[start : self.position]

    def _end_of_nested(self, start: int, opening: str) -> int:
        depth = 0
        for position in range(start, len(self.text)):
            if self.text[position] == opening:
                depth += 1
            elif self.text[position] == _CLOSING[opening]:
                depth -= 1
                if depth == 0:
                    return position + 1
        raise self._unclosed(start, opening)

    def _unclosed(self, position: int, what: str) -> Unclosed:
        return Unclosed(f"the {what} in line {self.text.count(chr(10), 0, position) + 1} is never closed")
