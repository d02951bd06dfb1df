"""Set variables in a shell file such as ``.env.compile`` and leave everything else as it is. Pure.

Comments, order, quotes, ``export`` and line ends stay. What comes out is read again: an edit that would not leave
exactly the values asked for, and every other variable as it was, is refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from kronos_health.upstream.shell_settings import ShellSettings, Variable, parse_shell_settings
from kronos_health.upstream.shell_words import Unclosed, Word, located_words

_BOM = "\ufeff"
_PLAIN = re.compile(r"[A-Za-z0-9_./:,+-]+")
_DECLARING = frozenset({"export", "declare", "typeset", "readonly"})


class CannotEdit(ValueError):
    """The file is written so that only a person can change it; the text says why."""


class _Found(NamedTuple):
    """An assignment of a variable: where its word begins and ends, and whether it fills a line of its own."""

    start: int
    end: int
    line: tuple[int, int] | None


def edited(text: str, changes: Mapping[str, str | None]) -> str:
    """``text`` with each variable of ``changes`` set and exported, or not set at all where the value is ``None``.

    An assignment that is there is changed in its place; else one that stands there as a comment is brought to life;
    else a line is added at the end. Raises :class:`CannotEdit`.
    """
    after = text
    _read(text)
    for name, value in changes.items():
        if value is not None and not _PLAIN.fullmatch(value):
            raise CannotEdit(f"the value {value!r} of {name} is not a plain word")
        after = _without(after, name) if value is None else _with(after, name, value)
    _check(text, after, changes)
    return after


def values_of(text: str, names: Mapping[str, str | None]) -> dict[str, str | None]:
    """The value that reaches the program of each variable named; ``None`` where it is not set.

    Raises :class:`CannotEdit` where only running the file would tell.
    """
    read = _read(text)
    for name in names:
        variable = read.variables.get(name)
        if variable is not None and not variable.known:
            raise CannotEdit(f"{name} depends on running the file")
    return {name: _effective(read.variables.get(name)) for name in names}


def _effective(variable: Variable | None) -> str | None:
    return variable.value if variable is not None and variable.exported else None


def _read(text: str) -> ShellSettings:
    try:
        return parse_shell_settings(text.removeprefix(_BOM))
    except Unclosed as error:
        raise CannotEdit(f"a shell would refuse the file: {error}") from error


def _check(before: str, after: str, changes: Mapping[str, str | None]) -> None:
    """Raise unless ``after`` leaves exactly what was asked for."""
    old, new = _read(before), _read(after)
    if old.runs_others:
        raise CannotEdit("it runs or sources other files, which may set the same variables")
    for name, value in changes.items():
        variable = new.variables.get(name)
        if variable is not None and not variable.known:
            raise CannotEdit(f"{name} is set where only running the file tells whether it is")
        if _effective(variable) != value:
            raise CannotEdit(f"{name} would not come out as {value or 'not set'}")
    if _others(old, changes) != _others(new, changes):
        raise CannotEdit("another variable would change with it")


def _others(read: ShellSettings, changes: Mapping[str, str | None]) -> dict[str, Variable]:
    return {name: variable for name, variable in read.variables.items() if name not in changes}


def _with(text: str, name: str, value: str) -> str:
    """``name`` set to ``value``: in place where that works, else as a last line, which always has the last word."""
    assignments = _assignments(text, name)
    changed = _replaced(text, name, value, assignments[-1]) if assignments else _revived(text, name, value) or text
    return changed if _holds(changed, name, value) else _appended(text, name, value)


def _holds(text: str, name: str, value: str) -> bool:
    variable = _read(text).variables.get(name)
    return variable is not None and variable.known and _effective(variable) == value


def _assignments(text: str, name: str) -> list[_Found]:
    """Every assignment of ``name``, alone or behind ``export`` and its like, in order."""
    found, statement, words = [], [], list(located_words(text))
    for token, start, end in [*words, ("\n", len(text), len(text))]:
        if isinstance(token, Word):
            statement.append((token, start, end))
            continue
        found += [
            _Found(begin, stop, _own_line(text, statement))
            for word, begin, stop in _assigning(statement)
            if text.startswith(f"{name}=", begin) and word.text.startswith(f"{name}=")
        ]
        statement = []
    return found


def _assigning(statement: list[tuple[Word, int, int]]) -> list[tuple[Word, int, int]]:
    """The words of a statement that assign; those before a command are that command's alone."""
    if statement and statement[0][0].text in _DECLARING:
        return statement[1:]
    return statement if all("=" in word.text for word, _, _ in statement) else []


def _own_line(text: str, statement: list[tuple[Word, int, int]]) -> tuple[int, int] | None:
    """The line that holds nothing but this statement with its one assignment; ``None`` where it shares one."""
    first, last = statement[0][1], statement[-1][2]
    start = text.rfind("\n", 0, first) + 1
    end = text.find("\n", last)
    end = len(text) if end < 0 else end
    alone = not text[start:first].strip(" \t\ufeff") and not text[last:end].partition("#")[0].strip()
    assigned = sum("=" in word.text for word, _, _ in statement)
    return (start, end) if alone and assigned == 1 and "\n" not in text[first:last] else None


def _replaced(text: str, name: str, value: str, found: _Found) -> str:
    raw = text[found.start + len(name) + 1 : found.end]
    quote = raw[:1] if raw[:1] in ("'", '"') else ""
    return f"{text[: found.start]}{name}={quote}{value}{quote}{_kept_return(text, raw)}{text[found.end :]}"


def _kept_return(text: str, raw: str) -> str:
    """The carriage return that belongs to the word in a file with such line ends.

    A shell reads it as the end of the value. Behind a ``#`` it is a comment, and the line end stays as it was.
    """
    if not raw.endswith("\r"):
        return ""
    if not parse_shell_settings(text.removeprefix(_BOM)).exports:
        raise CannotEdit("its lines end in carriage returns, which a shell takes for a part of the values")
    return " #\r"


def _revived(text: str, name: str, value: str) -> str | None:
    """The last comment that is nothing but this assignment, brought to life; ``None`` where there is none."""
    comment = re.compile(rf"^[ \t]*#[ \t]*((?:export[ \t]+)?){name}=[^\s#]*[ \t]*(\r?)$", re.MULTILINE)
    found = list(comment.finditer(text))
    if not found:
        return None
    last = found[-1]
    export = last[1] or ("export " if _read(text).exports else "")
    return f"{text[: last.start()]}{export}{name}={value}{' #' if last[2] else ''}{last[2]}{text[last.end() :]}"


def _appended(text: str, name: str, value: str) -> str:
    returns = text.count("\r\n") * 2 > text.count("\n")
    exports = _read(text).exports or not _read(text).variables
    if returns and not exports:
        raise CannotEdit("its lines end in carriage returns, which a shell takes for a part of the values")
    end = "\r\n" if returns else "\n"
    first = "" if not text or text.endswith("\n") else end
    return f"{text}{first}{'export ' if exports else ''}{name}={shlex.quote(value)}{' #' if returns else ''}{end}"


def _without(text: str, name: str) -> str:
    """``name`` not set: its lines become comments, so that they can be seen and brought back."""
    for found in reversed(_assignments(text, name)):
        if found.line is None:
            raise CannotEdit(f"{name} shares a line with something else")
        start, _end = found.line
        text = f"{text[:start]}# {text[start:]}"
    return text
