"""What one scan of a source knows and has gathered so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from kronos_health.domain.logs import Gap, Generation, ScanCounts
from kronos_health.logs.collecting import Collector, Kept
from kronos_health.logs.opening import OpenLog
from kronos_health.logs.reading import Budget
from kronos_health.logs.times import Clock
from kronos_health.settings.models import Logs


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of a scan: monotonic for budgets, wall for the age of files, and how to wait for quiet."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class Scan:
    """What one scan knows and has gathered. ``live`` and ``known`` are those of the log that is being read."""

    name: str
    path: str
    live: Path
    logs: Logs
    known: tuple[Generation, ...]
    known_before: tuple[Generation, ...]  # of all logs of the source
    now: datetime
    host: str
    clocks: Clocks
    encoding: str
    journal: bool
    collector: Collector
    budget: Budget
    clock_of: Callable[[OpenLog], Clock]
    first_run: bool
    candidates: int = 0
    live_path: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    changed: list[tuple[Generation, Generation | None]] = field(default_factory=list)  # (new, old)
    kept: list[tuple[str, Kept]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    counts: ScanCounts = field(default_factory=ScanCounts)
