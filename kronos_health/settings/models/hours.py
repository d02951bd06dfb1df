"""Hours of the week: in which production has the machine alone, and in which people want quiet."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, field_validator

from kronos_health.settings.models.section import Section


def _time_of_day(value: Any) -> time:
    """A wall clock time from ``"9:30"`` or TOML's own ``09:30:00``; numbers are refused, for nobody means seconds."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", value.strip()) if isinstance(value, str) else None
    if match is not None and int(match[1]) < 24 and max(int(match[2]), int(match[3] or 0)) < 60:
        return time(int(match[1]), int(match[2]), int(match[3] or 0))
    if isinstance(value, time) and value.tzinfo is None:
        return value
    raise ValueError('must be a time of day such as "09:30"; midnight is "00:00"')


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_ALL_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]


class Window(Section):
    """A window of every week; the default is New York's trading hours."""

    days: tuple[Day, ...] = Field(_ALL_DAYS[:5], description="days on which it begins")
    start: TimeOfDay = Field(time(9, 30), description="wall clock time at which it begins")
    end: TimeOfDay = Field(
        time(16), description="wall clock time at which it ends; at or before start: on the next day"
    )
    timezone: str = Field("America/New_York", description="time zone of start and end")

    @field_validator("days")
    @classmethod
    def _has_a_day(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("must name at least one day")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is no time zone known here; write a name such as America/New_York") from None
        return value

    def __str__(self) -> str:
        """The window for people, e.g. ``mon tue 09:30-16:00 America/New_York``."""
        return f"{' '.join(self.days)} {self.start:%H:%M}-{self.end:%H:%M} {self.timezone}"


class Blackout(Window):
    """A window of every week in which production has the machine alone."""

    rehearsals: bool = Field(False, description="true: rehearsals wait too; measured probes always do")


class QuietHours(Window):
    """A window of every week in which only what is critical is sent; the default is every night."""

    days: tuple[Day, ...] = Field(_ALL_DAYS, description="days on which it begins")
    start: TimeOfDay = Field(time(22), description="wall clock time at which it begins")
    end: TimeOfDay = Field(time(7), description="wall clock time at which it ends; at or before start: on the next day")
    timezone: str = Field("UTC", description="time zone of start and end")
