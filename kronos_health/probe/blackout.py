"""Whether the clock stands in a window of the week, such as production's own: a pure decision on settings and a time.

A window is what a person reads off the wall: days and times in a time zone, over midnight where its end is not after
its start, as long or short as daylight saving makes it that night.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kronos_health.settings.models import Window

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LOOK_AHEAD = timedelta(days=8)  # whoever is closed for longer than a week is closed for good


def closed_until(windows: Iterable[Window], at: datetime) -> datetime | None:
    """When (aware UTC) the closed time ends, or ``None`` when ``at`` (aware) is in no window.

    Windows that overlap or touch are one: the answer is the first moment in none of them. Where they cover the whole
    week there is none, and the answer lies more than a week ahead.
    """
    windows, open_at = tuple(windows), at
    while open_at - at <= _LOOK_AHEAD:
        ends = [end for window in windows for begin, end in _around(window, open_at) if begin <= open_at < end]
        if not ends:
            break
        open_at = max(ends)
    return open_at.astimezone(UTC) if open_at > at else None


def _around(window: Window, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The window as (begin, end) in UTC, of each day on which one that holds ``at`` could have begun."""
    today = at.astimezone(ZoneInfo(window.timezone)).date()
    for day in (today - timedelta(days=1), today):
        if _DAYS[day.weekday()] in window.days:
            last = day if window.end > window.start else day + timedelta(days=1)
            yield min(_moments(day, window.start, window.timezone)), max(_moments(last, window.end, window.timezone))


def _moments(day: date, clock: time, timezone: str) -> list[datetime]:
    """When the clock shows that time: twice, or by two readings, on the night it is set; the longer window holds."""
    local = datetime.combine(day, clock, ZoneInfo(timezone))
    return [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]


def until_in_words(windows: Iterable[Window], at: datetime, until: datetime) -> str:
    """The end for people: on the clock of the first window that holds ``at``, and in UTC."""
    if until - at > _LOOK_AHEAD:
        return "for good: together its windows cover the whole week"
    holding = next(window for window in windows if closed_until([window], at) is not None)
    local = until.astimezone(ZoneInfo(holding.timezone))
    return f"until {local:%a %Y-%m-%d %H:%M} {holding.timezone} ({until:%Y-%m-%d %H:%M} UTC)"
