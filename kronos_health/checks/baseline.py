"""Import what was measured before this project: the shipped figures of 2025-10-30, and results files of that format."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.checks.revisiting import revisit
from kronos_health.history.words import counted
from kronos_health.probe import baseline
from kronos_health.store.baseline import import_baseline
from kronos_health.store.database import writing


def import_shipped(context: Context) -> str:
    """Import the baseline of 2025-10-30; a line that says what was added. Doing it again adds nothing."""
    return _import(context, baseline.shipped(), "the baseline of 2025-10-30")


def import_file(context: Context, path: Path, target: str, recorded_at: datetime | None) -> tuple[str, ...]:
    """Import a ``kronos_benchmark_results.json``, and weigh the criteria anew where ``target`` is configured.

    What the team decided then is a record; what holds now is the checker's own decision, so it is taken at once.
    Returns lines for people. Raises :class:`CheckError` naming the file and the key.
    """
    try:
        found = baseline.read_results(path, target, recorded_at)
    except baseline.BaselineError as error:
        raise CheckError(str(error)) from error
    if found.recorded_at > context.now():
        raise CheckError(
            f"{path}: it would be recorded on {found.recorded_at:%Y-%m-%d %H:%M} UTC, which lies in the future. "
            "Say when it was measured: --recorded 2025-10-30"
        )
    line = _import(context, found, str(path))
    if target not in context.settings.targets:
        return line, f"{target} is not configured, so nothing is decided about it: add a [targets.{target}] table."
    return line, *(decision.sentence for decision in revisit(context, (target,)))


def _import(context: Context, found: baseline.Baseline, name: str) -> str:
    with writing(context.engine) as connection:
        added = import_baseline(connection, found.recorded_at, found.probes, found.decisions)
    if not added.probes and not added.decisions:
        return f"{name}: already imported."
    parts = f"{counted(added.probes, 'probe')} and {counted(added.decisions, 'decision')} imported"
    return f"{name}: {parts}, as recorded on {found.recorded_at:%Y-%m-%d}."
