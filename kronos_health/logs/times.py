"""The time a record carries, as UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kronos_health.logs.errors import LogProblem

_HEAD = 400
_STAMP = re.compile(
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

    ``zone`` is that of stamps without one; ``modified`` the file's last change, from which stamps without a year take
    the latest year that does not put them in the future.
    """

    def __init__(self, zone: tzinfo, modified: datetime) -> None:
        self.zone, self.modified = zone, modified.astimezone(UTC)
        self._cached = lru_cache(maxsize=256)(self._of_head)

    def time_of(self, record: str) -> datetime | None:
        """The first time in the record's first line, UTC; ``None`` where there is none that is valid."""
        return self._cached(record[:_HEAD].split("\n", 1)[0])

    def _of_head(self, line: str) -> datetime | None:
        try:
            return self._stamped(line) or self._yearless(line) or _epoch(line)
        except (ValueError, OverflowError):
            return None  # 2025-13-45: looks like a stamp, is none

    def _stamped(self, line: str) -> datetime | None:
        found = _STAMP.search(line)
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

    def _yearless(self, line: str) -> datetime | None:
        found = _GLOG.search(line)
        if found is not None:
            return self._latest(int(found["month"]), int(found["day"]), found["time"], found["fraction"])
        found = _SYSLOG.match(line)
        if found is not None:
            return self._latest(_MONTHS.index(found["name"]) + 1, int(found["day"]), found["time"], None)
        return None

    def _latest(self, month: int, day: int, clock: str, fraction: str | None) -> datetime | None:
        hour, minute, second = (int(part) for part in clock.split(":"))
        # Up to 9 years back: 29 February, as in 1896 to 1904, is the longest wait there can be.
        for year in range(self.modified.year + 1, self.modified.year - 9, -1):
            try:
                moment = datetime(year, month, day, hour, minute, second, _micro(fraction), tzinfo=self.zone)
            except ValueError:
                continue
            if moment.astimezone(UTC) <= self.modified + timedelta(days=1):
                return moment.astimezone(UTC)
        return None


def _epoch(line: str) -> datetime | None:
    found = _EPOCH.search(line)
    if found is None:
        return None
    fraction = found["millis"] or found["fraction"]
    return datetime.fromtimestamp(int(found["seconds"]), UTC).replace(microsecond=_micro(fraction))


def _micro(fraction: str | None) -> int:
    return int((fraction or "0")[:6].ljust(6, "0"))
