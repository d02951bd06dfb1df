"""Entries of a catalogue: signatures and sample patterns, read key by key with errors for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kronos_health.domain.logs import Severity
from kronos_health.logs.errors import CatalogueError
from kronos_health.logs.literals import SHORTEST, required_literals
from kronos_health.logs.units import UNITS, convert

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_NUMBER = re.compile(r"[-+]?\d[\d,_ ]*(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+]?\.\d+")
_LARGEST = 1e200  # nothing that a program measured, and sums of many of them would be no numbers any more
_SPACE = r"(?:\s|\\[nrt])+"
_SIGNATURE_KEYS = ("name", "severity", "title", "next_step", "regex", "literals", "exceptions", "unless", "seen_in")
_SAMPLE_KEYS = ("metric", "title", "unit", "regex", "literals")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a finding is an instance of. ``literals`` is ``None`` where no fixed text is in every match."""

    name: str
    severity: Severity
    title: str
    next_step: str
    expressions: tuple[re.Pattern[str], ...]
    exceptions: tuple[re.Pattern[str], ...]
    literals: frozenset[str] | None
    unless: tuple[str, ...]

    def with_expressions(self, expressions: tuple[re.Pattern[str], ...], literals: frozenset[str] | None) -> Signature:
        """The same signature in other words; exceptions belong to the old ones and go."""
        return replace(self, expressions=expressions, literals=literals, exceptions=())

    def find(self, text: str) -> re.Match[str] | None:
        """The first match in ``text`` that is no look-alike."""
        found = self._first(text)
        if found is None or not self.exceptions:
            return found
        bare = text
        for exception in self.exceptions:
            bare = exception.sub(_blank, bare)
        return found if bare is text or bare == text else self._first(bare)

    def _first(self, text: str) -> re.Match[str] | None:
        return next((found for expression in self.expressions if (found := expression.search(text))), None)


def _blank(found: re.Match[str]) -> str:
    return "\0" * len(found.group())  # neither word nor space, and what follows keeps its place


@dataclass(frozen=True, slots=True)
class Written:
    """A number in a text: where the match begins that says it, of which symbol, from where to where, in which unit."""

    begin: int
    symbol: str | None
    span: tuple[int, int]
    unit: str | None


@dataclass(frozen=True, slots=True)
class SamplePattern:
    """How a number is read from a line; ``unit`` is the one it is stored in, ``None``: as written."""

    name: str
    title: str
    unit: str | None
    expressions: tuple[re.Pattern[str], ...]
    literals: frozenset[str] | None

    def values(self, text: str) -> Iterator[tuple[int, str | None, float]]:
        """Where it is said, symbol and value of each number in ``text``."""
        for item in self.numbers(text):
            written = text[slice(*item.span)]
            value = convert(float(re.sub(r"[,_ ]", "", written)), item.unit, self.unit)
            if abs(value) < _LARGEST:
                yield item.begin, item.symbol, value

    def numbers(self, text: str) -> Iterator[Written]:
        """Each number in ``text`` as it is written; one that two expressions find counts once."""
        seen: set[int] = set()
        for expression in self.expressions:
            for found in expression.finditer(text):
                groups = found.groupdict()
                place, written = _value(found, groups)
                number = _NUMBER.search(written or "")
                if place in seen or number is None:
                    continue
                seen.add(place)
                span = (place + number.start(), place + number.end())
                yield Written(found.start(), groups.get("symbol"), span, groups.get("unit"))


def _value(found: re.Match[str], groups: Mapping[str, str | None]) -> tuple[int, str | None]:
    key: str | int = "value" if "value" in groups else 1
    return found.start(key), found[key]


@dataclass(frozen=True, slots=True)
class Entry:
    """One table of a catalogue file, or one pattern of the settings (``exact``: its spaces are spaces)."""

    file: str
    place: str
    table: Mapping[str, object]
    name_key: str
    exact: bool = False

    @property
    def name(self) -> str:
        """Its name. Raises :class:`CatalogueError` where it has none or one that does not fit a column."""
        name = self.text(self.name_key)
        if not _NAME.fullmatch(name):
            raise self.wrong(self.name_key, f"{name!r} must be letters, digits and underscores, at most 64")
        return name

    def wrong(self, key: str, what: str) -> CatalogueError:
        """The error that ``key`` is ``what``."""
        name = self.table.get(self.name_key)
        place = self.place if self.exact or not isinstance(name, str) else f"{self.place} ({name})"
        where = f"{self.file}.{place}" if self.exact else f"{self.file}: {place}: {key}"
        return CatalogueError(f"{where}: {what}.")

    def with_value(self, key: str, value: object) -> Entry:
        """The same entry with ``key`` set."""
        return replace(self, table={**self.table, key: value})

    def only(self, keys: tuple[str, ...]) -> None:
        """Refuse keys that are not in ``keys``."""
        for key in self.table:
            if key not in keys and not self.exact:
                raise self.wrong(key, f"is not known; known are {', '.join(keys)}")

    def text(self, key: str, default: str | None = None) -> str:
        """The text of ``key``; it may only be left out if there is a ``default``."""
        value = self.table.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.wrong(key, "is missing" if value is None else f"must be a text, not {value!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts of ``key``: one, a list, or none."""
        value = self.table.get(key, [])
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) and item for item in items):
            raise self.wrong(key, f"must be a text or a list of texts, not {value!r}")
        return tuple(items)

    def expressions(self, key: str) -> tuple[re.Pattern[str], ...]:
        """The compiled regular expressions of ``key``."""
        return tuple(self._compiled(key, pattern) for pattern in self.texts(key))

    def _compiled(self, key: str, pattern: str) -> re.Pattern[str]:
        try:
            compiled = re.compile(pattern if self.exact else any_space(pattern), re.MULTILINE)
        except (re.error, OverflowError, RecursionError) as error:
            raise self.wrong(key, f"is no regular expression ({error}): {pattern}") from error
        if compiled.search("") is not None:
            raise self.wrong(key, f"matches nothing at all, so it would match everywhere: {pattern}")
        return compiled

    def literals(self) -> frozenset[str] | None:
        """Those given; else those that the regular expressions require, ``None`` if one requires none."""
        given = self.texts("literals")
        for text in given:
            if len(text) < SHORTEST or any(character.isspace() for character in text):
                raise self.wrong("literals", f"{text!r} must be one word of at least {SHORTEST} characters")
        if given:
            return frozenset(given)
        found = [required_literals(expression.pattern) for expression in self.expressions("regex")]
        if any(item is None for item in found):
            return None
        return frozenset().union(*(item for item in found if item is not None))


def any_space(pattern: str) -> str:
    """``pattern`` with each space outside a character class standing for any white space and literal ``\\n``."""
    result, in_class, escaped = [], False, False
    for character in pattern:
        if character == " " and not in_class and not escaped:
            result.append(_SPACE)
            continue
        result.append(character)
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif in_class:
            in_class = character != "]"
        else:
            in_class = character == "["
    return "".join(result)


def signature(entry: Entry) -> Signature:
    """The signature in ``entry``. Raises :class:`CatalogueError`."""
    entry.only(_SIGNATURE_KEYS)
    written = entry.text("severity")
    if written not in set(Severity):
        raise entry.wrong("severity", f"must be one of {', '.join(Severity)}, not {written!r}")
    expressions = entry.expressions("regex")
    if not expressions:
        raise entry.wrong("regex", "is missing")
    return Signature(
        entry.name,
        Severity(written),
        entry.text("title"),
        entry.text("next_step", "kronos-health verify  # after reading the record"),
        expressions,
        entry.expressions("exceptions"),
        entry.literals(),
        entry.texts("unless"),
    )


def sample_pattern(entry: Entry) -> SamplePattern:
    """The sample pattern in ``entry``. Raises :class:`CatalogueError`."""
    entry.only(_SAMPLE_KEYS)
    unit = entry.text("unit", "")
    if unit and unit not in UNITS:
        raise entry.wrong("unit", f"must be one of {', '.join(sorted(UNITS))} or left out, not {unit!r}")
    expressions = entry.expressions("regex")
    if not expressions:
        raise entry.wrong("regex", "is missing")
    for expression in expressions:
        if "value" not in expression.groupindex and not expression.groups:
            raise entry.wrong(
                "regex", f"has no group with the number, such as (?P<value>[\\d.]+): {expression.pattern}"
            )
    return SamplePattern(entry.name, entry.text("title", entry.name), unit or None, expressions, entry.literals())
