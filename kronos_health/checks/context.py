"""What every use case needs: settings, database, clock, and who asked."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from kronos_health.checks.errors import CheckError
from kronos_health.settings.models import Settings
from kronos_health.store import migrations
from kronos_health.store.database import open_engine

if TYPE_CHECKING:
    from kronos_health.logs.objects import OpenStorage

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked: ``command line``, ``airflow``, ``upstream watch`` …, and the DAG run where there is one."""

    name: str = "command line"
    dag_id: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Passed to every use case. ``clock`` returns aware UTC and is passed in so that tests own the time."""

    settings: Settings
    engine: Engine
    clock: Clock
    origin: Origin = field(default_factory=Origin)
    open_storage: OpenStorage | None = None  # of logs at an address; None: as fsspec finds it

    def now(self) -> datetime:
        """The current time, aware UTC."""
        return self.clock()

    def ignoring_blackout(self) -> Context:
        """The same, for a person who wants probes to run now, whatever hours ``[[probe.blackout]]`` keeps free."""
        probe = self.settings.probe.model_copy(update={"blackout": ()})
        return replace(self, settings=self.settings.model_copy(update={"probe": probe}))


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


def open_context(settings: Settings, origin: Origin | None = None, clock: Clock = utc_now) -> Context:
    """Open the history database and make sure its schema is this program's.

    Raises ``StoreError`` (unreachable, outdated, too new) with one line that says what to do.
    """
    engine = open_engine(settings.database_url, settings.database.busy_timeout_seconds)
    migrations.check(engine)
    return Context(settings, engine, clock, origin or Origin())


def require_known(kind: str, name: str, known: Iterable[str]) -> None:
    """Raise :class:`CheckError` with the nearest known name when ``name`` is not configured."""
    names = sorted(known)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    listed = ", ".join(names) or f"none: add a [{kind}s.{name}] table to kronos_health.toml"
    raise CheckError(f"there is no {kind} named {name!r}.{hint} Configured: {listed}.")
