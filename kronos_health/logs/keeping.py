"""Adds what plain lines said, in columns, to what is collected of a file: the same as adding them one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from kronos_health.domain.logs import Sample, Tally
from kronos_health.logs.bulk import Plain, moment_of
from kronos_health.logs.collecting import COMPLETED, SUBJECT_CHARS, Kept
from kronos_health.logs.lines import Positions

_MANY = 600_000  # rows: grouping many at once costs less, and these take some twenty megabytes
_MINUTE = 60_000_000


class BulkKeeper:
    """Keeps what was read of one file in ``kept``, the newest ``per_metric`` samples of each kind one by one."""

    def __init__(self, kept: Kept, per_metric: int) -> None:
        self._kept, self._per_metric = kept, per_metric
        self._waiting: list[tuple[Plain, Plain]] = []
        self._rows = 0
        self._newest: dict[tuple[str, str | None], Plain] = {}

    def add(self, numbers: Plain, tallies: Plain) -> int:
        """Take the columns of one block, whose other records were taken before; returns how many rows that makes."""
        reused_at = -1 if self._kept.reused_at is None else self._kept.reused_at
        completed = [number for number, (signature, _) in enumerate(tallies.names) if signature == COMPLETED]
        late = tallies.offsets > reused_at
        self._kept.completed += int(np.count_nonzero(np.isin(tallies.series[late], completed)))
        self._waiting.append((numbers, tallies))
        self._rows += len(numbers.values) + len(tallies.values)
        return self._flush() if self._rows >= _MANY else 0

    def close(self) -> int:
        """Put everything into ``kept``; returns how many rows more that makes."""
        rows = self._flush()
        for (metric, subject), newest in self._newest.items():
            known = self._kept.newest(metric, subject, self._per_metric)
            before = len(known) + len(newest.values)  # were told as rows
            # Some of the same blocks were taken one by one, before these.
            ordered = sorted([*known, *_samples(metric, subject, newest)], key=lambda sample: sample.start_offset)
            self._kept.samples[metric, subject] = deque(ordered, self._per_metric)
            rows += len(self._kept.samples[metric, subject]) - before
        self._newest.clear()
        return rows

    def _flush(self) -> int:
        waiting, self._waiting, self._rows = self._waiting, [], 0
        rows = 0
        for part in _by_series([numbers for numbers, _ in waiting]):
            rows += self._keep_numbers(part)
        for part in _by_series([tallies for _, tallies in waiting]):
            rows += self._keep_tallies(part)
        return rows

    def _keep_numbers(self, part: Plain) -> int:
        (metric, symbol), *_ = part.names
        subject = symbol[:SUBJECT_CHARS] if symbol else None
        self._kept.windows.add_many(metric, subject, part.times, part.values)
        newest = self._newest.get((metric, subject))
        known = 0 if newest is None else len(newest.values)
        self._newest[metric, subject] = _last(self._per_metric, part if newest is None else _followed(newest, part))
        return len(self._newest[metric, subject].values) - known

    def _keep_tallies(self, part: Plain) -> int:
        (signature, subject), *_ = part.names
        minutes = part.times // _MINUTE
        rows = 0
        for some in _groups(minutes):
            times = part.times[some]
            minute = moment_of(int(minutes[some[0]]) * _MINUTE)
            first, last = moment_of(int(times.min())), moment_of(int(times.max()))
            rows += self._kept.count(Tally(signature, (subject or "")[:SUBJECT_CHARS], minute, len(some), first, last))
        return rows


def _last(count: int, part: Plain) -> Plain:
    first = max(len(part.values) - count, 0)
    return Plain(part.names, part.series[first:], part.times[first:], part.offsets[first:], part.values[first:])


def _followed(one: Plain, other: Plain) -> Plain:
    return Plain(
        one.names,
        np.concatenate([one.series, other.series]),
        np.concatenate([one.times, other.times]),
        np.concatenate([one.offsets, other.offsets]),
        np.concatenate([one.values, other.values]),
    )


def _samples(metric: str, subject: str | None, part: Plain) -> Iterator[Sample]:
    rows = zip(part.values.tolist(), part.times.tolist(), part.offsets.tolist(), strict=True)
    return (Sample(metric, subject, value, moment_of(time), offset) for value, time, offset in rows)


def _by_series(parts: list[Plain]) -> Iterator[Plain]:
    """The rows of each series, in the order of the file."""
    if not parts:
        return
    names = parts[-1].names  # grows from block to block
    series = np.concatenate([part.series for part in parts])
    times = np.concatenate([part.times for part in parts])
    offsets = np.concatenate([part.offsets for part in parts])
    values = np.concatenate([part.values for part in parts])
    for some in _groups(series):
        at = offsets[some]
        ordered = some if (at[1:] >= at[:-1]).all() else some[np.argsort(at, kind="stable")]
        yield Plain((names[int(series[some[0]])],), series[ordered], times[ordered], offsets[ordered], values[ordered])


def _groups(keys: Positions) -> Iterator[Positions]:
    """The places of equal ``keys``, each group in order."""
    if not len(keys):
        return iter(())
    span = keys - keys.min()
    # Numbers of sixteen bits are sorted by numpy in a time that grows no faster than they do.
    order = np.argsort(span.astype(np.uint16) if span.max() < 1 << 16 else span, kind="stable")
    return iter(np.split(order, np.flatnonzero(np.diff(keys[order])) + 1))
