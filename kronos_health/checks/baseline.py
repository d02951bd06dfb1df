"""Import what was measured before this project: the shipped figures of 2025-10-30, and results files of that format."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from kronos_health.checks.context import CheckError, Context
from kronos_health.probe import baseline
from kronos_health.store.baseline import import_baseline
from kronos_health.store.database import writing


def import_shipped(context: Context) -> str:
    """Import the baseline of 2025-10-30; a line that says what was added. Doing it again adds nothing."""
    return _import(context, baseline.shipped(), "the baseline of 2025-10-30")


def import_file(context: Context, path: Path, target: str, recorded_at: datetime | None) -> str:
    """Import a ``kronos_benchmark_results.json``. Raises :class:`CheckError` naming the file and the key."""
    try:
        found = baseline.read_results(path, target, recorded_at)
    except baseline.BaselineError as error:
        raise CheckError(str(error)) from error
    return _import(context, found, str(path))


def _import(context: Context, found: baseline.Baseline, name: str) -> str:
    with writing(context.engine) as connection:
        added = import_baseline(connection, found.recorded_at, found.probes, found.decisions)
    if not added.probes and not added.decisions:
        return f"{name}: already imported."
    return f"{name}: {added.probes} probes and {added.decisions} decisions imported."
