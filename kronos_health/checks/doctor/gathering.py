"""Gathers the figures of the checker. Whatever fails becomes a figure: nothing raises, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from kronos_health.checks.context import Clock
from kronos_health.checks.doctor.clocks import web_time
from kronos_health.checks.doctor.figures import (
    AirflowFigures,
    ChannelFigures,
    ClockFigures,
    DatabaseFigures,
    DiskFigures,
    Figures,
    LogFigures,
    ProbeFigures,
    RunFigures,
)
from kronos_health.checks.listener_health import best
from kronos_health.checks.usable import check_usable
from kronos_health.settings.explain import mask_url
from kronos_health.settings.models import Settings
from kronos_health.settings.reachable import check_reachable
from kronos_health.store import alerts as alert_store
from kronos_health.store import conversation, probe_history, soundness
from kronos_health.store.database import open_engine, reading
from kronos_health.store.errors import StoreError
from kronos_health.store.history import run_query
from kronos_health.store.migrations import revisions

AskAirflow = Callable[[], AirflowFigures]
_MEGABYTE = 1_000_000


def gather(settings: Settings, clock: Clock, ask_airflow: AskAirflow, origins: Mapping[str, str]) -> Figures:
    """Everything there is to know, each part for itself."""
    database, engine = _database(settings)
    now = clock()
    problems = check_reachable(settings, origins)
    problems += check_usable(settings, origins, {problem.key for problem in problems})
    figures = Figures(
        at=now,
        database=database,
        disks=_disks(settings),
        clock=_clocks(settings, clock, engine if database.usable else None),
        airflow=ask_airflow(),
        problems=problems,
    )
    if engine is None:
        return figures
    try:
        return _with_rows(figures, settings, engine) if database.usable else figures
    except (StoreError, SQLAlchemyError):
        return figures  # it went away meanwhile: what is not known says so
    finally:
        engine.dispose()


def _database(settings: Settings) -> tuple[DatabaseFigures, Engine | None]:
    address = mask_url(settings.database_url)
    try:
        engine = open_engine(settings.database_url, settings.database.busy_timeout_seconds)
        found = revisions(engine)
    except (StoreError, SQLAlchemyError) as error:
        return DatabaseFigures(address, unreachable=" ".join(str(error).split())), None
    unwritable = damage = None
    if found.current == found.head:
        unwritable = soundness.why_not_writable(engine) or ""
        try:
            damage = soundness.damage(engine, settings.doctor.timeout_seconds)
        except (StoreError, SQLAlchemyError) as error:
            damage = " ".join(str(error).split())
    elif found.current is not None:
        damage = ""
    return DatabaseFigures(address, "", found.current, found.head, found.known, unwritable, damage), engine


def _disks(settings: Settings) -> tuple[DiskFigures, ...]:
    """One figure per disk: state folder and an SQLite database often share one."""
    places = {"state_dir": settings.state_dir}
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        places["the database"] = Path(url.database)
    by_device: dict[int, tuple[list[str], Path]] = {}
    failed = []
    for name, path in places.items():
        there = _existing(path)
        try:
            by_device.setdefault(there.stat().st_dev, ([], there))[0].append(name)
        except OSError as error:
            failed.append(DiskFigures(name, str(path), None, error.strerror or str(error)))
    found = [_free(" and ".join(names), path) for names, path in by_device.values()]
    return (*found, *failed)


def _existing(path: Path) -> Path:
    """The path or, while it is not there, the nearest folder above that is."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def _free(names: str, path: Path) -> DiskFigures:
    try:
        return DiskFigures(names, str(path), shutil.disk_usage(path).free / _MEGABYTE)
    except OSError as error:
        return DiskFigures(names, str(path), None, error.strerror or str(error))


def _clocks(settings: Settings, clock: Clock, engine: Engine | None) -> ClockFigures:
    database = newest = None
    if engine is not None:
        try:
            with reading(engine) as connection:
                theirs = soundness.clock(connection)
                database = (clock() - theirs).total_seconds()
                newest = soundness.newest_run(connection)
        except (StoreError, SQLAlchemyError):
            pass  # the lines about the database say it
    web, problem = None, ""
    if settings.doctor.clock_url:
        told = web_time(settings.doctor.clock_url, settings.doctor.timeout_seconds)
        if isinstance(told, datetime):
            web = (clock() - told).total_seconds()
        else:
            problem = told
    return ClockFigures(database, web, problem, (newest - clock()).total_seconds() if newest else None)


def _with_rows(figures: Figures, settings: Settings, engine: Engine) -> Figures:
    now = figures.at
    before = now - timedelta(hours=settings.retention.lost_after_hours)
    with reading(engine) as connection:
        return replace(
            figures,
            logs=_logs(connection, settings, now),
            runs=_runs(connection, before),
            probes=tuple(
                ProbeFigures(record.probe_id, record.target, record.variant, record.started_at)
                for record in probe_history.open_probes(connection, before)
            ),
            channels=_channels(connection, settings, now),
            listener=(
                best(conversation.listeners(connection), now) if settings.slack.app_token.get_secret_value() else None
            ),
        )


def _logs(connection: Connection, settings: Settings, now: datetime) -> tuple[LogFigures, ...]:
    rows = {row["source"]: row for row in run_query(connection, "log_sources", now=now).dicts()}
    return tuple(
        LogFigures(
            name,
            rows[name]["last_scanned_at"],
            rows[name]["problem"] or "",
            rows[name]["lag_bytes"],
        )
        if name in rows
        else LogFigures(name)
        for name in settings.sources
    )


def _runs(connection: Connection, before: datetime) -> tuple[RunFigures, ...]:
    """Of each check and subject the newest run that never ended, where no later one did."""
    newest = {(beat.check, beat.subject): beat for beat in alert_store.unfinished_heartbeats(connection, before)}
    stuck = []
    for beat in newest.values():
        latest = alert_store.last_heartbeat(connection, beat.check, beat.subject)
        if latest is None or latest.id == beat.id:
            stuck.append(RunFigures(beat.check, beat.subject or "", beat.started_at))
    return tuple(stuck)


def _channels(connection: Connection, settings: Settings, now: datetime) -> tuple[ChannelFigures, ...]:
    """The channels that messages go to now, and those where some still wait."""
    wanted = {*settings.alerts.channels, settings.alerts.fallback}
    given_up = soundness.given_up(connection, now - timedelta(days=settings.doctor.dead_days))
    rows = {row["channel"]: row for row in run_query(connection, "delivery_state", now=now).dicts()}
    found = []
    for name in sorted(wanted | rows.keys()):
        row = rows.get(name, {})
        waiting = (row.get("waiting") or 0) + (row.get("unknown") or 0)
        if name in wanted or waiting:
            found.append(
                ChannelFigures(
                    name,
                    row.get("disabled_reason") or "",
                    row.get("disabled_at"),
                    waiting,
                    row.get("oldest_waiting_at"),
                    given_up.get(name, 0),
                )
            )
    return tuple(found)
