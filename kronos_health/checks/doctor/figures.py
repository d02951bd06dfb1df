"""What is gathered of the checker, before anybody judges it. ``None`` where it could not be found out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kronos_health.checks.listener_health import Health
from kronos_health.settings.errors import Problem


@dataclass(frozen=True, slots=True)
class DatabaseFigures:
    """The history database. ``unreachable``, ``unwritable`` and ``damage`` are its own words, empty where well."""

    address: str  # without its password
    unreachable: str = ""
    schema: str | None = None
    head: str = ""
    schema_known: bool = True  # false: a newer program made it
    unwritable: str | None = None
    damage: str | None = None  # None: took too long, or nobody could look

    @property
    def usable(self) -> bool:
        """Whether rows can be read as this program knows them."""
        return not self.unreachable and self.schema == self.head


@dataclass(frozen=True, slots=True)
class DiskFigures:
    """Free space where something of ours is written; ``places`` names what. MB of 10**6 bytes."""

    places: str
    path: str
    free_mb: float | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LogFigures:
    """How far a configured log was read; ``last_scanned_at`` is ``None`` when it never was."""

    source: str
    last_scanned_at: datetime | None = None
    problem: str = ""
    lag_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RunFigures:
    """A run of a check that began long ago, never said how it ended, and was followed by none that did."""

    check: str
    subject: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class ProbeFigures:
    """A probe without an outcome whose checker gave no sign of life for long."""

    probe_id: str
    target: str
    variant: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    """A way out: whether it is refused, what waits in it since when, and what was given up lately."""

    name: str
    refused: str = ""  # its reason
    refused_at: datetime | None = None
    waiting: int = 0
    oldest_waiting_at: datetime | None = None
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class ClockFigures:
    """This machine's clock beside others: seconds that ours is ahead, negative when behind."""

    ahead_of_database: float | None = None
    ahead_of_web: float | None = None
    web_problem: str = ""  # why the web address gave no time
    newest_run_ahead: float | None = None  # the newest recorded run began so many seconds in the future


@dataclass(frozen=True, slots=True)
class AirflowFigures:
    """What Airflow knows of our DAGs. ``not_asked`` or ``problem`` says why the rest is empty."""

    not_asked: str = ""
    problem: str = ""
    known: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    unparsed: tuple[tuple[str, str], ...] = ()  # file and the last line of its error


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything. The parts that need the database are ``None`` where it is not usable."""

    at: datetime
    database: DatabaseFigures
    disks: tuple[DiskFigures, ...]
    clock: ClockFigures
    airflow: AirflowFigures
    problems: tuple[Problem, ...]
    logs: tuple[LogFigures, ...] | None = None
    runs: tuple[RunFigures, ...] | None = None
    probes: tuple[ProbeFigures, ...] | None = None
    channels: tuple[ChannelFigures, ...] | None = None
    listener: Health | None = None  # None: no buttons are set up
