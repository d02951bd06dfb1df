"""The variables a shell file such as ``.env.compile`` leaves in the environment of what is started after it.

Read, never run. What only a run could tell (``$(…)``, an ``if``, another file sourced) is marked as not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from kronos_health.upstream.shell_words import Word, words

_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<append>\+?)=(?P<value>.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPENING = frozenset({"if", "for", "while", "until", "case", "{", "select"})
_CLOSING = frozenset({"fi", "done", "esac", "}"})
_INNER = frozenset({"then", "else", "elif", "do", "!", "time"})


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as the file leaves it. ``known`` is false when its value depends on running the file."""

    value: str
    exported: bool
    known: bool


@dataclass(frozen=True, slots=True)
class ShellSettings:
    """All variables of a file. ``runs_others``: it sources or evaluates more, so a missing one proves nothing.

    ``exports``: it is made to be sourced; without any export, every assignment is meant for the program.
    """

    variables: dict[str, Variable]
    runs_others: bool
    exports: bool = True


def parse_shell_settings(text: str) -> ShellSettings:
    """Variables after the last line of ``text``; the last assignment wins.

    A file that exports nothing at all is one for ``--env-file`` or systemd, where every assignment reaches the
    program; otherwise only what is exported does. Raises ``shell_words.Unclosed`` for a file a shell would refuse.
    """
    reader = _Reader()
    for token in words(text):
        reader.take(token)
    reader.take("\n")
    if reader.exports:
        return ShellSettings(reader.variables, reader.runs_others)
    everything = {name: replace(variable, exported=True) for name, variable in reader.variables.items()}
    return ShellSettings(everything, reader.runs_others, exports=False)


class _Reader:
    """One statement at a time: which variables it sets, and whether it surely runs."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.exports = self.runs_others = self._export_all = False
        self._statement: list[Word] = []
        self._blocks = self._parentheses = 0
        self._depends = False  # on the statement before: after && or ||
        self._commands: dict[str, Callable[[list[Word]], None]] = {
            "export": self._export,
            "declare": self._declare,
            "typeset": self._declare,
            "readonly": self._assign_all,
            "set": self._set,
            "unset": self._unset,
            "source": self._run_other,
            ".": self._run_other,
            "eval": self._run_other,
        }

    @property
    def _certain(self) -> bool:
        return not (self._blocks or self._parentheses or self._depends)

    def take(self, token: Word | str) -> None:
        if isinstance(token, Word):
            self._statement.append(token)
            return
        statement, self._statement = self._without_keywords(self._statement), []
        if statement:
            self._execute(statement)
        if token in ("&&", "||"):
            self._depends = True
        elif statement or token in (";", "&", ";;"):  # an operator at the end of a line goes on in the next
            self._depends = False
        self._parentheses = max(0, self._parentheses + {"(": 1, ")": -1}.get(token, 0))

    def _without_keywords(self, statement: list[Word]) -> list[Word]:
        while statement and statement[0].literal and statement[0].text in _OPENING | _CLOSING | _INNER:
            self._blocks = max(0, self._blocks + (statement[0].text in _OPENING) - (statement[0].text in _CLOSING))
            statement = statement[1:]
        return statement

    def _execute(self, statement: list[Word]) -> None:
        first = statement[0].text
        if first in self._commands:
            self._commands[first](statement[1:])
        elif all(_ASSIGNMENT.match(word.text) for word in statement):  # A=1 before a command is that command's alone
            self._assign_all(statement)

    def _assign_all(self, arguments: list[Word], export: bool = False) -> None:
        for word in arguments:
            found = _ASSIGNMENT.match(word.text)
            if found:
                self._assign(found["name"], found["value"], word.literal and not found["append"], export)
            elif export and _NAME.fullmatch(word.text) and word.text in self.variables:
                self.variables[word.text] = replace(self.variables[word.text], exported=True)

    def _assign(self, name: str, value: str, literal: bool, export: bool) -> None:
        earlier = self.variables.get(name)
        exported = export or self._export_all or (earlier is not None and earlier.exported)
        self.variables[name] = Variable(value, exported, literal and self._certain)

    def _export(self, arguments: list[Word]) -> None:
        self.exports = True
        if arguments and arguments[0].text == "-n":
            for word in arguments[1:]:
                if word.text in self.variables:
                    self.variables[word.text] = replace(self.variables[word.text], exported=False)
            return
        self._assign_all(arguments, export=True)

    def _declare(self, arguments: list[Word]) -> None:
        export = any(word.text.startswith("-") and "x" in word.text for word in arguments)
        self.exports = self.exports or export
        self._assign_all(arguments, export)

    def _set(self, arguments: list[Word]) -> None:
        options = [word.text for word in arguments]
        for flag, name in zip(options, [*options[1:], ""], strict=True):
            if flag[:1] in ("-", "+") and ("a" in flag or (flag.endswith("o") and name == "allexport")):
                self._export_all = flag.startswith("-")
                self.exports = self.exports or self._export_all

    def _unset(self, arguments: list[Word]) -> None:
        for word in arguments:
            earlier = self.variables.get(word.text)
            if earlier is not None and self._certain:
                del self.variables[word.text]
            elif earlier is not None:
                self.variables[word.text] = replace(earlier, known=False)

    def _run_other(self, _arguments: list[Word]) -> None:
        self.runs_others = True
