"""Has production been deployed since the last look? A pure decision over what was and what is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from kronos_health.domain.upstream import Deployment, ProductionState

# A process' start is reckoned from the boot time, which moves by up to a second with the clock.
_TOLERANCE = timedelta(seconds=5)
_SHORT = 12


def detect_deployments(previous: ProductionState, current: ProductionState, now: datetime) -> tuple[Deployment, ...]:
    """What to record: nothing, a deployment, or (where there was nothing to compare with) the line to count from.

    A new revision counts from ``now``, when it was seen; a restart from the process' own start. Both at once are one
    deployment. A part of ``current`` that is not known says nothing.
    """
    moved = current.revision is not None and current.revision != previous.revision
    restarted = current.process_started_at is not None and (
        previous.process_started_at is None or current.process_started_at > previous.process_started_at + _TOLERANCE
    )
    found = []
    if restarted and current.process_started_at is not None:
        first = previous.process_started_at is None
        note = "running since then when the watch began" if first else "the process was restarted"
        found.append(Deployment(current.process_started_at, "process", current.revision, note, first))
    if moved and current.revision is not None:
        note = _moved(previous.revision, current.revision)
        if found and found[0].first_look == (previous.revision is None):
            return (_both(found[0], note),)
        found.append(Deployment(now, "revision", current.revision, note, previous.revision is None))
    return tuple(found)


def _moved(previous: str | None, current: str) -> str:
    if previous is None:
        return f"at revision {current[:_SHORT]} when the watch began"
    return f"revision {previous[:_SHORT]} → {current[:_SHORT]}"


def _both(restart: Deployment, note: str) -> Deployment:
    return replace(restart, note=f"{restart.note}; {note}")
