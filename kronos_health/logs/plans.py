"""What a plain line says and where, learnt once and used for all lines of the same *shape*.

Two ASCII lines have the same shape when they differ in digits only. The expressions of the catalogue that tell no
digits apart (see :mod:`.digits`) match such lines in the same places, so what the first of them says holds for the
others, but for the numbers: those are read where the first one had its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from kronos_health.domain.logs import Severity
from kronos_health.logs.entries import SamplePattern
from kronos_health.logs.levels import is_error
from kronos_health.logs.matcher import Matcher
from kronos_health.logs.text import ANSI, RecordText
from kronos_health.logs.times import STAMP
from kronos_health.logs.units import factor

_NUMBER = re.compile(r"[-+]?(?![\d.]{17})\d{1,15}(?:\.(?P<decimals>\d{1,14}))?")  # at most 15 digits
_MINUTE = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")
_ZONE = re.compile(r"(?:Z|[A-Z]{3,5})?")
MINUTE_CHARS = 16  # 2025-10-30 09:08


@dataclass(frozen=True, slots=True)
class Place:
    """A number of a line: what of, from which byte to which, how it is written, and what it is multiplied by."""

    metric: str
    subject: str | None
    start: int
    end: int
    decimals: int
    negative: bool
    factor: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What lines of one shape say: info signatures with their subjects, and numbers.

    ``zone`` is what follows the time, ``seconds`` and ``fraction`` where those stand (``None``: nowhere).
    """

    tallies: tuple[tuple[str, str], ...]
    numbers: tuple[Place, ...]
    zone: str
    seconds: int | None
    fraction: tuple[int, int] | None


def plan_of(line: bytes, matcher: Matcher) -> Plan | None:
    """What ``line`` and all others of its shape say; ``None`` where they are no plain lines.

    A plain line is ASCII, carries its time at its beginning, and nothing but info signatures and simple numbers.
    """
    if not line.isascii() or b"\r" in line or b"\0" in line or not matcher.looks_alike(line):
        return None
    text = RecordText(line.decode("ascii"))
    if text.searched != text.shown:
        return None
    places = _places(text.raw)
    stamp = _stamp(text.shown, places)
    matches = matcher.signatures(line, text)
    if not matches and matcher.errors and is_error(text.opened):
        return None
    if stamp is None or any(match.signature.severity is not Severity.INFO for match in matches):
        return None
    try:
        numbers = tuple(
            place for item in matcher.sample_patterns(line, text) for place in _numbers(item, text.shown, places)
        )
        tallies = tuple((match.signature.name, _same(match.subject or "")) for match in matches)
    except _NotPlain:
        return None
    return Plan(tallies, numbers, *stamp)


class _NotPlain(Exception):
    """A line says something that another one of its shape may not."""


def _same(subject: str) -> str:
    if any(character.isdigit() for character in subject):
        raise _NotPlain
    return subject


def _places(raw: str) -> list[int]:
    """Where in ``raw`` each character stands that is left without terminal sequences."""
    places: list[int] = []
    begin = 0
    for found in ANSI.finditer(raw):
        places += range(begin, found.start())
        begin = found.end()
    return [*places, *range(begin, len(raw))]


def _stamp(shown: str, places: list[int]) -> tuple[str, int | None, tuple[int, int] | None] | None:
    """Zone, seconds and fraction of the time that the line begins with."""
    found = STAMP.search(shown.split("\n", 1)[0])
    if found is None or found.start() or places[: found.end()] != list(range(found.end())):
        return None
    zone = found["zone"] or ""
    if not _MINUTE.match(shown) or not _ZONE.fullmatch(zone):
        return None
    fraction = found.span("fraction") if found["fraction"] else None
    return zone, MINUTE_CHARS + 1 if len(found["time"]) > 5 else None, fraction


def _numbers(item: SamplePattern, shown: str, places: list[int]) -> list[Place]:
    result = []
    for number in item.numbers(shown):
        start, end = number.span
        begin, stop = places[start], places[end - 1] + 1
        written = shown[start:end]
        found = _NUMBER.fullmatch(written)
        if stop - begin != end - start or found is None:
            raise _NotPlain
        subject = _same(number.symbol) if number.symbol else None
        result.append(
            Place(
                item.name,
                subject,
                begin,
                stop,
                len(found["decimals"] or ""),
                written[0] == "-",
                factor(number.unit, item.unit),
            )
        )
    return result


def minute_reader(time_of: Callable[[str], datetime | None]) -> Callable[[str, str], datetime | None]:
    """Reads the beginning of a minute, such as ``2025-10-30 09:08``, in a zone.

    ``None`` where the first or the last instant of the minute is no valid time: then its lines are read one by one.
    """
    read: dict[tuple[str, str], datetime | None] = {}

    def minute(stamp: str, zone: str) -> datetime | None:
        key = (stamp, zone)
        if key not in read:
            first, last = time_of(f"{stamp}:00 {zone}"), time_of(f"{stamp}:59.999999 {zone}")
            whole = first is not None and last is not None and last - first == timedelta(seconds=59.999999)
            read[key] = first if whole else None
        return read[key]

    return minute
