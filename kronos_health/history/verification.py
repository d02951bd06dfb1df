"""The four checks the team wrote down for after a deployment: answered from the logs, and said in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from kronos_health.history import words
from kronos_health.history.facts import DeploymentCheckFacts, SourceCount
from kronos_health.settings.models import Bounds
from kronos_health.store.history import run_query

# Answered by what is not there, so by nothing less than every log having been read.
_BY_ABSENCE = (1, 2)
# What each check looks for going wrong; its own name says what should be so.
_AGAINST = {
    1: "CUDA graph errors",
    2: "outputs overwritten by a subsequent run",
    3: "failed Kronos predictions",
    4: "Kronos inference times",
}
# The signatures that the checks count: what else was found has to be said beside them.
COUNTED = frozenset({"graph_reuse", "cudagraph_skipped", "cuda_error"})


def deployment_checks(
    connection: Connection,
    now: datetime,
    bounds: Bounds,
    since: datetime | None = None,
    sources: Iterable[str] | None = None,
) -> tuple[DeploymentCheckFacts, ...]:
    """The four checks, counted from ``since``, or from the last known deployment, or from the beginning.

    ``sources`` are the logs that count: those under watch; ``None`` stands for every log ever scanned. The first two
    are good only when every one of them has been read since, and found without a record that speaks against it.
    """
    names = None if sources is None else sorted(sources)
    total = _ask(connection, now, bounds, since, names)
    if names is None or len(names) < 2:
        return total
    parts = {name: _ask(connection, now, bounds, since, [name]) for name in names}
    return tuple(
        _with_parts(check, {name: answers[place] for name, answers in parts.items()})
        for place, check in enumerate(total)
    )


def against(facts: DeploymentCheckFacts, bounds: Bounds) -> str:
    """What speaks against a check, as it stands among the things that want attention."""
    counted = f"{facts.bad:,} of {facts.count:,}" if facts.number > len(_BY_ABSENCE) else f"{facts.bad:,}"
    last = f", last {words.stamp(facts.last_at)}" if facts.last_at else ""
    where = "; ".join(f"{part.source} {part.bad:,}" for part in facts.by_source if part.bad)
    told = f" ({where})" if where else ""
    if facts.number != 4:
        return f"{_AGAINST.get(facts.number, facts.check_name)}: {counted}{told}{last}"
    low, high = bounds.kronos_inference_ms
    expected = f"{words.figure(low)} to {words.figure(high, 'ms')}"
    median = words.figure(facts.median, "ms")
    return f"{_AGAINST[4]}: {counted} outside {expected}{told}, median {median}{last}"


def _ask(
    connection: Connection, now: datetime, bounds: Bounds, since: datetime | None, sources: list[str] | None
) -> tuple[DeploymentCheckFacts, ...]:
    low, high = bounds.kronos_inference_ms
    params: dict[str, Any] = {"since": since, "kronos_min_ms": low, "kronos_max_ms": high}
    if sources is not None:
        params["sources"] = ",".join(sources)
    rows = run_query(connection, "deployment_checks", params, now=now).dicts()
    return tuple(DeploymentCheckFacts(**row) for row in rows)


def _with_parts(check: DeploymentCheckFacts, parts: dict[str, DeploymentCheckFacts]) -> DeploymentCheckFacts:
    """A log under watch that was never scanned is no row of the database: only its own answer says unknown."""
    shares = tuple(SourceCount(name, part.state, part.count, part.bad) for name, part in parts.items())
    unread = check.number in _BY_ABSENCE and any(part.state == "unknown" for part in parts.values())
    state = "unknown" if unread and check.state == "good" else check.state
    return replace(check, state=state, by_source=shares)
