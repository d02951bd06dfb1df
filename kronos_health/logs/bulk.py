"""Takes plain lines out of blocks that are full of hits, without a callback for each of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from kronos_health.logs.alike import UNKNOWN, Alike
from kronos_health.logs.digits import shapes
from kronos_health.logs.lines import Bytes, Positions, has_stamp, rows_at
from kronos_health.logs.matcher import Matcher
from kronos_health.logs.plans import MINUTE_CHARS, Place, Plan, minute_reader, plan_of
from kronos_health.logs.stretches import Survey, line_start, next_line
from kronos_health.logs.times import Clock

_LONGEST = 2000
_DENSE = 256  # hits in a block: then all its lines are found at once
_MOST_SHAPES = 50_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
_NONE = np.empty(0, np.int64)
_FIRST = np.zeros(1, np.int64)
Values = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Plain:
    """What plain lines of a block said, as columns; ``names`` says of what, by number.

    ``times`` are microseconds since 1970, ``offsets`` bytes of the file. ``values`` of tallies are 1.
    """

    names: Sequence[tuple[str, str | None]]
    series: Positions
    times: Positions
    offsets: Positions
    values: Values


@dataclass(slots=True)
class _Lines:
    """Plain lines: first bytes and ends within the block, plans by number, times."""

    starts: Positions
    ends: Positions
    plans: Positions
    times: Positions

    def where(self, mask: Mask) -> _Lines:
        return _Lines(self.starts[mask], self.ends[mask], self.plans[mask], self.times[mask])


@dataclass(frozen=True, slots=True)
class _Slot:
    """The first, second … number of each plan; series -1: it has none.

    ``tens`` is ten to the power of its decimals.
    """

    series: Positions
    starts: Positions
    ends: Positions
    tens: Values
    signs: Values
    factors: Values


@dataclass(frozen=True, slots=True)
class _Columns:
    """All plans, by their numbers."""

    plans: int
    numbers: list[_Slot]
    tallies: list[Positions]
    zones: list[str]
    zone: Positions
    seconds: Positions
    fraction: Positions


class BulkReader:
    """Reads the plain lines of one file.

    ``store`` keeps the numbers and the tallies of a block and returns how many events that makes.
    """

    def __init__(self, matcher: Matcher, clock: Clock, store: Callable[[Plain, Plain], int]) -> None:
        self._matcher, self._store = matcher, store
        self._minute = minute_reader(clock.time_of)
        self._shapes: dict[bytes, int] = {}  # shape → number of its plan, -1: none
        self._alike = Alike(matcher.kept_digits)  # the same, for many lines at once
        self._plans: list[Plan] = []
        self._series: dict[tuple[str, str | None], int] = {}  # metric or signature, and subject
        self._cached: _Columns | None = None
        self._found: tuple[Plain, Plain] | None = None

    def wants_line_breaks(self, hits: Positions) -> bool:
        """See :class:`kronos_health.logs.reading.Bulk`."""
        return len(hits) >= _DENSE

    def read(self, surveyed: Survey, hits: Positions, offset: int) -> tuple[Positions, int]:
        """See :class:`kronos_health.logs.reading.Bulk`."""
        array = np.frombuffer(surveyed.data, np.uint8)
        starts, ends = _lines_at(surveyed, hits)
        short = ends - starts <= _LONGEST
        starts, ends = starts[short], ends[short]
        lines = self._planned(surveyed, _Lines(starts, ends, starts, starts))
        lines = self._timed(array, lines.where(has_stamp(array, lines.ends)))  # the next line is another record
        self._found = self._numbers_of(array, lines, offset), self._tallies_of(lines, offset)
        if not len(lines.starts):
            return hits, 0
        line = np.maximum(np.searchsorted(lines.starts, hits, side="right") - 1, 0)
        taken = (lines.starts[line] <= hits) & (hits < lines.ends[line])
        return hits[~taken], len(lines.starts)

    def keep(self) -> int:
        """See :class:`kronos_health.logs.reading.Bulk`."""
        found, self._found = self._found, None
        return self._store(*found) if found else 0

    def _planned(self, surveyed: Survey, lines: _Lines) -> _Lines:
        """The lines that have a plan, with it."""
        if len(self._shapes) > _MOST_SHAPES:
            self._forget()
        array = np.frombuffer(surveyed.data, np.uint8)
        found = self._alike.numbers(array, lines.starts, lines.ends, ascii_only=surveyed.ascii)
        unknown = np.flatnonzero(found == UNKNOWN)
        if len(unknown):
            found[unknown] = self._looked_up(surveyed, lines.starts[unknown], lines.ends[unknown])
        lines.plans = found
        return lines.where(found >= 0)

    def _looked_up(self, surveyed: Survey, starts: Positions, ends: Positions) -> list[int]:
        """The plans of lines of unknown shapes, which are learnt; -1: none."""
        texts = [bytes(surveyed.data[a:b]) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        text = b"".join(texts)
        shape = shapes(text, self._matcher.kept_digits)
        edges = np.append(0, np.cumsum(ends - starts)).tolist()
        found, new = [], dict[bytes, int]()
        for line, (start, end) in zip(texts, itertools.pairwise(edges), strict=True):
            own = shape[start:end]
            # A byte beyond ASCII looks like a digit in the shape: such a line says nothing of others of its shape.
            number = -1 if not line.isascii() else self._shapes.get(own)
            if number is None:
                number = new[own] = self._shapes[own] = self._learnt(line)
            found.append(number)
        self._alike.tell(new)
        return found

    def _learnt(self, line: bytes) -> int:
        """The number of the plan of all lines of the shape of ``line``; -1 where it is none."""
        begins = has_stamp(np.frombuffer(line, np.uint8), _FIRST)
        plan = plan_of(line, self._matcher) if begins else None
        self._plans += [plan] if plan is not None else []
        return -1 if plan is None else len(self._plans) - 1

    def _forget(self) -> None:
        self._shapes.clear()
        self._plans.clear()
        self._cached = None
        self._alike = Alike(self._matcher.kept_digits)

    def _timed(self, array: Bytes, lines: _Lines) -> _Lines:
        """The lines whose time is valid, with it."""
        if not len(lines.starts):
            return lines
        columns = self._columns()
        zone = columns.zone[lines.plans]
        # Minutes repeat from line to line: only where one differs from the line before it, it is looked up.
        stamps = rows_at(array, lines.starts, MINUTE_CHARS)
        words = stamps.view(np.uint64)
        new = np.append(True, (words[1:] != words[:-1]).any(axis=1) | (zone[1:] != zone[:-1]))
        minutes = [
            self._minute(stamp.tobytes().decode("ascii"), columns.zones[number])
            for stamp, number in zip(stamps[new], zone[new].tolist(), strict=True)
        ]
        micros = np.array([-1 if minute is None else _micros(minute) for minute in minutes], np.int64)
        minute = micros[np.cumsum(new) - 1]
        seconds = _digit(array, lines, columns.seconds) * 10 + _digit(array, lines, columns.seconds + 1)
        seconds[columns.seconds[lines.plans] < 0] = 0
        lines.times = minute + seconds * _SECOND + self._fractions(array, lines, columns.fraction)
        return lines.where((minute >= 0) & (seconds < 60))

    def _fractions(self, array: Bytes, lines: _Lines, spans: Positions) -> Positions:
        """Microseconds: of longer fractions the first six digits, as :mod:`.times` reads them."""
        result = np.zeros(len(lines.starts), np.int64)
        if (spans[:, 0] >= 0).any():
            for place in range(6):
                at = spans[:, 0] + place
                here = (spans[:, 0] >= 0) & (at < spans[:, 1])
                result = result * 10 + np.where(here[lines.plans], _digit(array, lines, at), 0)
        return result

    def _numbers_of(self, array: Bytes, lines: _Lines, offset: int) -> Plain:
        parts = []
        for slot in self._columns().numbers:
            series = slot.series[lines.plans]
            some = lines.where(series >= 0)
            parts.append((series[series >= 0], some, _values(array, some, slot)))
        return self._joined(parts, offset)

    def _tallies_of(self, lines: _Lines, offset: int) -> Plain:
        parts = []
        for names in self._columns().tallies:
            series = names[lines.plans]
            some = lines.where(series >= 0)
            parts.append((series[series >= 0], some, np.ones(len(some.starts))))
        return self._joined(parts, offset)

    def _columns(self) -> _Columns:
        """The plans as columns, made anew when there are more of them."""
        if self._cached is None or self._cached.plans != len(self._plans):
            self._cached = self._made_columns()
        return self._cached

    def _made_columns(self) -> _Columns:
        plans, none = self._plans, Place("", None, 0, 0, 0, False, 1.0)
        numbers = []
        for slot in range(max((len(plan.numbers) for plan in plans), default=0)):
            places = [plan.numbers[slot] if slot < len(plan.numbers) else none for plan in plans]
            numbers.append(
                _Slot(
                    np.array([-1 if item is none else self._number((item.metric, item.subject)) for item in places]),
                    np.array([item.start for item in places]),
                    np.array([item.end for item in places]),
                    np.array([10.0**item.decimals for item in places]),
                    np.array([-1.0 if item.negative else 1.0 for item in places]),
                    np.array([item.factor for item in places]),
                )
            )
        tallies = [
            np.array([self._number(plan.tallies[slot]) if slot < len(plan.tallies) else -1 for plan in plans])
            for slot in range(max((len(plan.tallies) for plan in plans), default=0))
        ]
        zones = sorted({plan.zone for plan in plans})
        return _Columns(
            len(plans),
            numbers,
            tallies,
            zones,
            np.array([zones.index(plan.zone) for plan in plans]),
            np.array([-1 if plan.seconds is None else plan.seconds for plan in plans]),
            np.array([[-1, -1] if plan.fraction is None else plan.fraction for plan in plans]).reshape(-1, 2),
        )

    def _number(self, name: tuple[str, str | None]) -> int:
        return self._series.setdefault(name, len(self._series))

    def _joined(self, parts: Sequence[tuple[Positions, _Lines, Values]], offset: int) -> Plain:
        return Plain(
            tuple(self._series),
            np.concatenate([_NONE, *(series for series, _, _ in parts)]),
            np.concatenate([_NONE, *(lines.times for _, lines, _ in parts)]),
            np.concatenate([_NONE, *(lines.starts + offset for _, lines, _ in parts)]),
            np.concatenate([np.empty(0), *(values for _, _, values in parts)]),
        )


def _lines_at(surveyed: Survey, hits: Positions) -> tuple[Positions, Positions]:
    """First bytes and ends of the lines that hold ``hits``, each once."""
    breaks = surveyed.line_breaks
    if breaks is not None:
        at = np.searchsorted(breaks, hits)
        own = at[np.append(True, at[1:] != at[:-1])]
        bounds = np.append(0, breaks + 1)
        return bounds[own], bounds[own + 1]
    starts, ends = [0], [0]
    for hit in hits.tolist():
        if hit >= ends[-1]:
            starts.append(line_start(surveyed.data, hit, 0))
            ends.append(next_line(surveyed.data, hit, surveyed.end))
    return np.array(starts[1:], np.int64), np.array(ends[1:], np.int64)


def _values(array: Bytes, lines: _Lines, slot: _Slot) -> Values:
    """The numbers of one slot, equal to what ``float`` makes of their texts.

    They have at most 15 digits: those are exact as a whole number, and so is the power of ten, so that one division
    rounds once.
    """
    begin, end = lines.starts + slot.starts[lines.plans], lines.starts + slot.ends[lines.plans]
    whole = np.zeros(len(begin), np.int64)
    for step in range(int((end - begin).max()) if len(begin) else 0):
        digit = array[np.minimum(begin + step, end - 1)].astype(np.int64) - 48
        whole = np.where((digit >= 0) & (digit < 10) & (begin + step < end), whole * 10 + digit, whole)
    return whole / slot.tens[lines.plans] * slot.signs[lines.plans] * slot.factors[lines.plans]


def _digit(array: Bytes, lines: _Lines, places: Positions) -> Positions:
    """The digit at a place of each line that its plan tells; something else where there is none."""
    at = np.minimum(lines.starts + np.maximum(places[lines.plans], 0), len(array) - 1)
    return array[at].astype(np.int64) - 48


def _micros(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * _SECOND


def moment_of(micros: int) -> datetime:
    """The time so many microseconds after 1970, UTC."""
    return datetime.fromtimestamp(micros // _SECOND, UTC).replace(microsecond=micros % _SECOND)
