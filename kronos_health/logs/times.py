"""The time a record carries, as UTC."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kronos_health.logs.errors import LogProblem

_HEAD = 400
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
STAMP = re.compile(
    r"(?P<date>\d{4}[-/]\d\d[-/]\d\d)[ T](?P<time>\d\d:\d\d(?::\d\d)?)(?:[.,](?P<fraction>\d{1,9}))?"
    r"\s?(?P<zone>Z\b|[+-]\d\d:?\d\d\b|[A-Z]{3,5}\b)?"
)
_GLOG = re.compile(
    r"(?:^|[\s\]:])[VDIWEFC](?P<month>\d\d)(?P<day>\d\d) (?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?"
)
_SYSLOG = re.compile(
    r"(?P<name>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?P<day>[ \d]\d) (?P<time>\d\d:\d\d:\d\d)"
)
_EPOCH = re.compile(
    r'"(?:@?timestamp|time|ts|created|asctime)"\s*:\s*"?(?P<seconds>\d{10})(?P<millis>\d{3})?(?:\.(?P<fraction>\d+))?\b'
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Abbreviations that mean one offset everywhere; others (CST, IST, BST …) are the source's own, or nothing.
_HOURS = {
    "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CDT": -5, "MDT": -6, "PST": -8, "PDT": -7,
    "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "JST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip


def zone_named(name: str) -> tzinfo:
    """The time zone ``name``. Raises :class:`LogProblem` for one that is not known here."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise LogProblem(
            f"time zone {name!r} is not known here. Write a name such as UTC or America/New_York."
        ) from error


class Clock:
    """Reads the times of one file's records.

    ``zone`` is that of stamps without one; ``modified`` the file's last change; ``now`` the time of the scan. A stamp
    from before this century, or later than both of them by more than a day, is somebody's placeholder and no time.
    """

    def __init__(self, zone: tzinfo, modified: datetime, now: datetime) -> None:
        self.zone, self.modified = zone, modified.astimezone(UTC)
        self._latest = max(self.modified, now) + timedelta(days=1)
        self._cached = lru_cache(maxsize=256)(self._dated)

    def time_of(self, record: str, before: Callable[[], Iterable[str]] = tuple) -> datetime | None:
        """The time in the record's first line, UTC; ``None`` where there is none that is valid.

        ``before`` gives the first lines of the records before it, nearest first: a stamp without a year takes the year
        that brings it nearest to them, and without any the latest that was over when the file was last changed. A
        record without a stamp has the time of the one before: it was written after it.
        """
        line = record[:_HEAD].split("\n", 1)[0]
        own = self._cached(line)
        if own is not None:
            return own
        nearest = next((at for head in before() if (at := self._cached(head)) is not None), None)
        return self._yearless(line, nearest) or nearest

    def _dated(self, line: str) -> datetime | None:
        try:
            moment = self._stamped(line) or _epoch(line)
        except (ValueError, OverflowError):
            return None  # 2025-13-45: looks like a stamp, is none
        return moment if moment and _EARLIEST <= moment <= self._latest else None

    def _stamped(self, line: str) -> datetime | None:
        found = STAMP.search(line)
        if found is None:
            return None
        moment = datetime.fromisoformat(f"{found['date'].replace('/', '-')} {found['time']}")
        moment = moment.replace(microsecond=_micro(found["fraction"]))
        return moment.replace(tzinfo=self._zone_of(found["zone"], moment)).astimezone(UTC)

    def _zone_of(self, written: str | None, moment: datetime) -> tzinfo:
        if not written:
            return self.zone
        if written[0] in "+-":
            sign = -1 if written[0] == "-" else 1
            offset = timedelta(hours=int(written[1:3]), minutes=int(written[-2:]))
            return timezone(sign * offset)
        if written == "Z":
            return UTC
        if written in _HOURS and self.zone.tzname(moment) != written:
            return timezone(timedelta(hours=_HOURS[written]))
        return self.zone

    def _yearless(self, line: str, nearest: datetime | None) -> datetime | None:
        found = _GLOG.search(line)
        month = int(found["month"]) if found else 0
        if found is None:
            found = _SYSLOG.match(line)
            month = _MONTHS.index(found["name"]) + 1 if found else 0
        if found is None:
            return None
        moments = self._in_years(month, int(found["day"]), found["time"], found.groupdict().get("fraction"))
        if nearest is not None:
            return min(moments, key=lambda moment: abs(moment - nearest), default=None)
        return max((moment for moment in moments if moment <= self.modified + timedelta(days=1)), default=None)

    def _in_years(self, month: int, day: int, clock: str, fraction: str | None) -> list[datetime]:
        """That day and time in each year in question; 29 February may be up to eight years away."""
        hour, minute, second = (int(part) for part in clock.split(":"))
        moments = []
        for year in range(self.modified.year - 9, self.modified.year + 2):
            with suppress(ValueError):
                moment = datetime(year, month, day, hour, minute, second, _micro(fraction), tzinfo=self.zone)
                moments.append(moment.astimezone(UTC))
        return moments


def _epoch(line: str) -> datetime | None:
    found = _EPOCH.search(line)
    if found is None:
        return None
    fraction = found["millis"] or found["fraction"]
    return datetime.fromtimestamp(int(found["seconds"]), UTC).replace(microsecond=_micro(fraction))


def _micro(fraction: str | None) -> int:
    return int((fraction or "0")[:6].ljust(6, "0"))
