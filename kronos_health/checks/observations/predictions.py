"""Observations of production's predictions: numbers out of bounds, and silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from kronos_health.alerts.text import duration
from kronos_health.checks.observations.commands import command
from kronos_health.checks.observations.logs import UNREAD, unreadable
from kronos_health.checks.observations.rhythm import Rhythm
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.logs import Severity
from kronos_health.history.words import figure

# A median is judged over the newest values of a day, and only where there are enough: one slow prediction pages nobody.
WINDOW = timedelta(days=1)
NEWEST = 20
ENOUGH = 5
_TOTO = "toto"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number to judge: its name, what people call it, its unit, and the bounds it is expected in."""

    name: str
    title: str
    unit: str
    low: float
    high: float
    subject: str | None = None  # the symbol it is about; None: whatever its lines name

    @property
    def key(self) -> str:
        """What tells it from others in one log."""
        return self.name if self.subject is None else f"{self.name}/{self.subject}"


@dataclass(frozen=True, slots=True)
class RecentSamples:
    """The newest values of one metric (and symbol), at most ``NEWEST`` of the last ``WINDOW``.

    Evidence is the newest one's row.
    """

    count: int
    median: float
    minimum: float
    maximum: float
    sample_id: str


def of_bounds(
    source: str, metrics: tuple[Metric, ...], recent: Mapping[str, RecentSamples], *, readable: bool, scan_id: str
) -> Iterator[Observation]:
    """Whether the median of each metric lies within its bounds.

    ``recent`` holds, by their keys, the metrics that this scan brought new values of. Unknown without any, or with too
    few to judge.
    """
    for metric in metrics:
        samples = recent.get(metric.key) if readable else None
        enough = samples is not None and samples.count >= ENOUGH
        state = ObservationState.UNKNOWN
        if samples is not None and enough:
            within = metric.low <= samples.median <= metric.high
            state = ObservationState.GOOD if within else ObservationState.BAD
        row = (f"log_sample:{samples.sample_id}",) if samples else ()
        yield Observation(
            kind=AlertKind.PREDICTIONS_OUT_OF_BOUNDS,
            key=f"{source}/{metric.key}",
            state=state,
            severity=Severity.WARNING,
            title=f"{_titled(metric)} is out of bounds in {source}",
            summary=_judged(metric, samples, readable=readable),
            next_step=command(
                "query", "prediction_latency_percentiles", "--param", f"metric={metric.name}", "--param",
                f"source={source}",
            ),
            facts=_figures(metric, samples) if samples else (),
            evidence=(*row, f"log_scan:{scan_id}"),
            inhibitors=(unreadable(source), f"{AlertKind.NO_PREDICTIONS.value}:{source}"),
        )  # fmt: skip


def _titled(metric: Metric) -> str:
    return metric.title if metric.subject is None else f"{metric.title} on {metric.subject}"


def _judged(metric: Metric, samples: RecentSamples | None, *, readable: bool) -> str:
    if not readable:
        return UNREAD
    if samples is None:
        return "No line has carried this number since."
    if samples.count < ENOUGH:
        return f"Too few lines of the last day carried this number to judge it: {samples.count} of at least {ENOUGH}."
    expected = f"{figure(metric.low)} to {figure(metric.high, metric.unit)}"
    return (
        f"The median of the last {samples.count} predictions that logged it is {figure(samples.median, metric.unit)}; "
        f"expected {expected}."
    )


def _figures(metric: Metric, samples: RecentSamples) -> tuple[Fact, ...]:
    return (
        Fact("Smallest", figure(samples.minimum, metric.unit)),
        Fact("Largest", figure(samples.maximum, metric.unit)),
    )


@dataclass(frozen=True, slots=True)
class Silence:
    """What is known of the last completed predictions. ``last`` maps model (``""``: not named) to the time of the last.

    ``watched_since`` is when the source was first scanned.
    """

    last: Mapping[str, datetime]
    watched_since: datetime | None
    cadence_seconds: float | None
    silent_hours: float
    rhythm: Rhythm | None = None  # learnt, where no cadence is set and there is enough history

    @property
    def kronos(self) -> datetime | None:
        """The last one that was, or may have been, Kronos's."""
        return max((at for model, at in self.last.items() if model.lower() != _TOTO), default=None)

    @property
    def toto(self) -> datetime | None:
        """The last one that was Toto's."""
        return max((at for model, at in self.last.items() if model.lower() == _TOTO), default=None)

    @property
    def reference(self) -> datetime | None:
        """When the silence that counts began; ``None`` where nothing can be said."""
        if self.cadence_seconds is not None:
            return self.kronos or self.watched_since
        if not self.last or self.watched_since is None:
            return None  # this log may carry no predictions at all, or in another wording
        return max(self.watched_since, *self.last.values())

    def state(self, now: datetime) -> ObservationState:
        """Kronos runs only when forced or when Toto is unavailable, so by itself its silence says nothing.

        With a cadence, Kronos is expected to complete a prediction that often, whatever Toto does. Without one, its
        silence counts where Toto is silent too: for more hours than usual of those in which predictions are expected;
        while these are not learnt, for ``silent_hours`` of the watch: an old log is no silence of today.
        """
        began, seconds = self.reference, self.cadence_seconds
        if began is None:
            return ObservationState.UNKNOWN
        if seconds is None and self.rhythm is not None:
            late = self.rhythm.missed(began, now) > self.rhythm.allowed
            return ObservationState.BAD if late else ObservationState.GOOD
        limit = timedelta(hours=self.silent_hours) if seconds is None else timedelta(seconds=seconds)
        return ObservationState.BAD if now - began > limit else ObservationState.GOOD


def of_silence(source: str, silence: Silence, now: datetime, *, readable: bool, scan_id: str) -> Observation:
    """Whether predictions still complete; see :meth:`Silence.state`."""
    state = silence.state(now) if readable else ObservationState.UNKNOWN
    return Observation(
        kind=AlertKind.NO_PREDICTIONS,
        key=source,
        state=state,
        severity=Severity.CRITICAL,
        title=f"No predictions complete in {source} "
        f"({'Kronos is silent' if silence.cadence_seconds else 'Kronos and Toto are silent'})",
        summary=_silent(silence, state, now, readable=readable),
        next_step=command(
            "verify", note="if they do complete, set logs.patterns.prediction_completed to their wording"
        ),
        since=silence.reference if state is ObservationState.BAD else None,
        facts=(Fact("Last of Kronos", _at(silence.kronos)), Fact("Last of Toto", _at(silence.toto)), *_learnt(silence)),
        evidence=(f"log_scan:{scan_id}",),
        inhibitors=(unreadable(source),),
    )


def _learnt(silence: Silence) -> tuple[Fact, ...]:
    rhythm = silence.rhythm
    if rhythm is None or silence.cadence_seconds is not None:
        return ()
    return (Fact("Expected", rhythm.words), Fact("Learnt from", f"the last {rhythm.weeks} weeks with predictions"))


def _silent(silence: Silence, state: ObservationState, now: datetime, *, readable: bool) -> str:
    if not readable:
        return UNREAD
    if state is ObservationState.GOOD:
        return "Predictions complete again."
    if silence.cadence_seconds is not None:
        return f"Kronos is expected to complete one at least every {duration(silence.cadence_seconds)}."
    began, rhythm = silence.reference, silence.rhythm
    if rhythm is not None and began is not None:
        return (
            f"{rhythm.missed(began, now)} hours in which predictions usually complete have passed without any; up to "
            f"{rhythm.allowed} in a row are normal."
        )
    return f"None has completed for more than {duration(silence.silent_hours * 3600)}."


def _at(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "never seen"
