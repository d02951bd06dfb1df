"""Observations of figures over time: a regression that stands or is over, and a win."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.figures import Figure, FigureLabel, FigureSeries, FigureVerdict
from kronos_health.domain.logs import Severity

_NAMES = {
    Figure.STEADY_LATENCY: "steady latency",
    Figure.PEAK_MEMORY: "peak memory",
    Figure.COLD_COMPILE: "compile time (cold cache)",
    Figure.WARM_COMPILE: "compile time (warm cache)",
}
# One value out of bounds, too few, or a disturbed one: neither good nor bad, so nothing that was said changes.
_SAY_NOTHING = frozenset({FigureLabel.SUSPICIOUS, FigureLabel.INSUFFICIENT_DATA, FigureLabel.DISTURBED})


def of_series(series: FigureSeries, verdicts: Sequence[FigureVerdict]) -> Iterator[Observation]:
    """What the newest point says; the one before it tells a win from the end of a regression."""
    newest = verdicts[-1]
    if newest.label in _SAY_NOTHING:
        return
    yield _of_regression(series, newest)
    regressed_before = len(verdicts) > 1 and verdicts[-2].regressed
    if newest.label is FigureLabel.IMPROVEMENT and not regressed_before:
        yield _of_win(series, newest)


def _of_regression(series: FigureSeries, newest: FigureVerdict) -> Observation:
    name, before = _NAMES[series.figure], newest.reference
    more = f" is {newest.value / before - 1:.0%} above its level" if before else " is back at its level"
    summary = f"{_amount(series, newest.value)}, within what is usual: {newest.reason}."
    if before is not None:
        told = newest.reason if newest.label is FigureLabel.REGRESSION else "and so it stays"
        summary = f"{_amount(series, newest.value)} where {_amount(series, before)} were usual: {told}."
    return Observation(
        kind=AlertKind.FIGURE_REGRESSION,
        key=_key(series),
        state=ObservationState.GOOD if before is None else ObservationState.BAD,
        severity=Severity.WARNING if series.device == "cuda" else Severity.INFO,
        title=f"{_arm(series)}: {name}{more}",
        summary=summary,
        next_step=_trend(series),
        observed_at=newest.started_at,  # with the probe below: judged again, it is no new occurrence
        facts=_facts(series, newest, before),
        evidence=(f"probe:{newest.probe_id}",),
    )


def _of_win(series: FigureSeries, newest: FigureVerdict) -> Observation:
    less = f"{1 - newest.ratio:.0%}" if newest.ratio is not None else "a step"
    return Observation(
        kind=AlertKind.FIGURE_IMPROVED,
        key=f"{newest.probe_id}/{series.figure.value}",  # a notice: said once of each step
        state=ObservationState.BAD,  # something to say
        severity=Severity.INFO,
        title=f"{_arm(series)}: {_NAMES[series.figure]} fell by {less}",
        summary=f"{_amount(series, newest.value)} where {_amount(series, newest.baseline)} were usual: "
        f"{newest.reason}. From here on it is held against the new level.",
        next_step=_trend(series),
        facts=_facts(series, newest, newest.baseline),
        evidence=(f"probe:{newest.probe_id}",),
    )


def _key(series: FigureSeries) -> str:
    """Without the fingerprint: a new environment begins a new series, and ends what was said of the old one."""
    parts = (series.target, series.variant, series.candidate, series.regime, series.device, series.figure.value)
    return "/".join(parts)


def _arm(series: FigureSeries) -> str:
    where = "" if series.candidate == "production" else f" with {series.candidate}"
    return f"{series.target} {series.variant}{where} on {series.device.upper()}"


def _trend(series: FigureSeries) -> str:
    params = {"target": series.target, "variant": series.variant, "figure": series.figure.value}
    asked = " ".join(f"--param {shlex.quote(f'{name}={value}')}" for name, value in params.items())
    return f"kronos-health query figure_trend {asked}"


def _amount(series: FigureSeries, value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f} {series.figure.unit}"


def _facts(series: FigureSeries, newest: FigureVerdict, before: float | None) -> tuple[Fact, ...]:
    bounds = f"{_amount(series, newest.lower)} to {_amount(series, newest.upper)}"
    return (
        Fact("Now", _amount(series, newest.value)),
        Fact("Before", _amount(series, before) if before is not None else _amount(series, newest.baseline)),
        Fact("Bounds now", f"{bounds}, from {newest.sample} probes"),
        Fact("Window", series.regime),
        Fact("Environment", series.fingerprint[:12]),
    )
