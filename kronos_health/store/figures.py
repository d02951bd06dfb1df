"""Figures of passing probes as series, and what was said of them.

Like all repositories these functions take part in the caller's transaction and neither begin nor commit one.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select

from kronos_health.domain.figures import Figure, FigurePoint, FigureSeries, FigureVerdict
from kronos_health.domain.probes import CacheState, Outcome, ProbeKind
from kronos_health.store.alerts import insert_if_absent
from kronos_health.store.tables.figures import figure_watch
from kronos_health.store.tables.probes import environment, iteration, probe
from kronos_health.store.types import new_id

LONGEST = 500  # points of a series that are looked at: more than a year of daily probes
_AT_ONCE = 500  # SQLite takes only so many values in one statement
_ARM = (probe.c.target, probe.c.variant, probe.c.candidate, probe.c.regime, probe.c.environment_id)
_COMPILES = {CacheState.COLD.value: Figure.COLD_COMPILE, CacheState.WARM.value: Figure.WARM_COMPILE}
_VERDICT = tuple(name for name in FigureVerdict.__dataclass_fields__ if name not in ("started_at", "label"))
# Only a measured probe that passed whole ran the variant as it is meant to run.
_COUNTS = (
    probe.c.outcome == Outcome.PASSED.value,
    probe.c.kind == ProbeKind.MEASURED.value,
    probe.c.imported.is_(False),
    probe.c.environment_id.is_not(None),
)


def series_of_campaign(connection: Connection, campaign_id: str) -> dict[FigureSeries, tuple[FigurePoint, ...]]:
    """The series to which the passing probes of a campaign belong, each oldest first and with all it has elsewhere."""
    arms = connection.execute(select(*_ARM).where(probe.c.campaign_id == campaign_id, *_COUNTS).distinct())
    found: dict[FigureSeries, tuple[FigurePoint, ...]] = {}
    for arm in arms.all():
        same = [column == value for column, value in zip(_ARM, arm, strict=True)]
        query = (
            select(probe, environment.c.fingerprint, environment.c.device)
            .join(environment, probe.c.environment_id == environment.c.id)
            .where(*same, *_COUNTS)
            .order_by(probe.c.started_at.desc(), probe.c.id.desc())
            .limit(LONGEST)
        )
        found |= _series(connection, connection.execute(query).mappings().all()[::-1])
    return found


def _series(connection: Connection, rows: Sequence[RowMapping]) -> dict[FigureSeries, tuple[FigurePoint, ...]]:
    compiles = _compile_times(connection, [row["id"] for row in rows])
    found: dict[FigureSeries, list[FigurePoint]] = {}
    for row in rows:
        values = {
            Figure.STEADY_LATENCY: row["steady_median_ms"],
            Figure.PEAK_MEMORY: row["memory_mb"],
            **compiles.get(row["id"], {}),
        }
        for figure, value in values.items():
            if value is None:
                continue
            names = ("target", "variant", "candidate", "regime", "fingerprint", "device")
            series = FigureSeries(**{name: row[name] for name in names}, figure=figure)
            noise = tuple((row["noise"] or "").splitlines())
            found.setdefault(series, []).append(FigurePoint(row["id"], row["started_at"], value, noise))
    return {series: tuple(points) for series, points in found.items()}


def _compile_times(connection: Connection, probe_ids: Sequence[str]) -> dict[str, dict[Figure, float]]:
    """Median first calls by probe and by what the compile caches held; eager compiles nothing and has none."""
    table = iteration.c
    calls: dict[tuple[str, Figure], list[float]] = {}
    for start in range(0, len(probe_ids), _AT_ONCE):
        query = select(table.probe_id, table.cache_state, table.first_call_ms).where(
            table.probe_id.in_(probe_ids[start : start + _AT_ONCE]),
            table.outcome == Outcome.PASSED.value,
            table.cache_state.in_(_COMPILES),
            table.first_call_ms.is_not(None),
        )
        for row in connection.execute(query):
            calls.setdefault((row.probe_id, _COMPILES[row.cache_state]), []).append(row.first_call_ms)
    found: dict[str, dict[Figure, float]] = {}
    for (probe_id, figure), times in calls.items():
        found.setdefault(probe_id, {})[figure] = statistics.median(times)
    return found


def record_verdicts(
    connection: Connection, verdicts: Mapping[FigureSeries, Iterable[FigureVerdict]], now: datetime
) -> int:
    """Store what was said of each point; what was said before stays as it was said. Returns how many are new."""
    new = 0
    for series, judged in verdicts.items():
        rows = {verdict.probe_id: verdict for verdict in judged}
        for probe_id in rows.keys() - _judged(connection, series.figure, list(rows)):
            verdict = rows[probe_id]
            values = {name: getattr(verdict, name) for name in _VERDICT}
            row = {"id": new_id(), "figure": series.figure.value, "label": verdict.label.value, "judged_at": now}
            new += insert_if_absent(connection, figure_watch, **row, **values)
    return new


def _judged(connection: Connection, figure: Figure, probe_ids: Sequence[str]) -> set[str]:
    table, found = figure_watch.c, set[str]()
    for start in range(0, len(probe_ids), _AT_ONCE):
        some = probe_ids[start : start + _AT_ONCE]
        query = select(table.probe_id).where(table.figure == figure.value, table.probe_id.in_(some))
        found.update(connection.execute(query).scalars())
    return found
