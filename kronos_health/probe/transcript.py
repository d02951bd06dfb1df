"""Everything one child said, in the order it matters for judging it."""

from __future__ import annotations

from dataclasses import dataclass, field

from kronos_health.domain.accuracy import LogitAccuracy
from kronos_health.domain.probes import Counters, Leak, Memory, Prediction
from kronos_health.probe import events


@dataclass(slots=True)
class Transcript:
    """Filled line by line while the child runs; what was received before a crash stays."""

    hello: events.Hello | None = None
    surroundings: events.Surroundings | None = None
    loaded: events.Loaded | None = None
    counters: Counters | None = None
    memory: Memory | None = None
    logits: LogitAccuracy | None = None
    done: bool = False
    phase: str = ""
    phase_at: float | None = None  # when it began, in seconds since the child started
    before_compile: str = ""
    garbage: int = 0
    warm: bool = True  # false while it makes its warm-up calls
    warm_ups: list[events.WarmUp] = field(default_factory=list)
    predictions: dict[int, Prediction] = field(default_factory=dict)
    compiled_in: set[int] = field(default_factory=set)  # indexes of the predictions during which torch compiled
    checks: dict[str, events.Check] = field(default_factory=dict)
    errors: list[events.Error] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)

    def take(self, line: bytes) -> events.Event | None:
        """Add one line; returns the event, or ``None`` for garbage (counted) and for events of a newer worker."""
        event = events.parse(line)
        if event is None:
            self.garbage += 0 if events.is_unknown_event(line) else 1
        else:
            self._add(event)
        return event

    def _add(self, event: events.Event) -> None:
        match event:
            case Prediction():
                self._add_prediction(event)
            case events.WarmUp():
                self.warm_ups.append(event)
            case events.PhaseChange():
                self._enter(event)
            case events.Error():
                self.errors.append(event)
            case Leak() if len(self.leaks) < events.MAX_LEAKS:
                self.leaks.append(event)
            case events.Check():
                self.checks[event.name] = event
            case events.Done():
                self.done = True
            case _:
                self._add_figures(event)

    def _enter(self, change: events.PhaseChange) -> None:
        if change.phase in ("warm_up", "predict"):
            self.warm = change.phase == "predict"
        if change.phase != "compile":
            self.phase = change.phase
        elif change.detail == "end":
            self.phase = self.before_compile or self.phase
        else:
            if self.phase != "compile":
                self.before_compile = self.phase
            self.phase = "compile"
            if self.warm:
                self.compiled_in.add(len(self.predictions))
        self.phase_at = change.at

    def _add_figures(self, event: events.Event) -> None:
        match event:
            case events.Hello():
                self.hello = event
            case events.Surroundings():
                self.surroundings = event
            case events.Loaded():
                self.loaded = event
            case Counters():
                self.counters = event
            case Memory():
                self.memory = event
            case LogitAccuracy():
                self.logits = event

    def _add_prediction(self, prediction: Prediction) -> None:
        if prediction.index in self.predictions:  # the first answer counts: nothing is retried inside a process
            self.garbage += 1
            return
        self.predictions[prediction.index] = prediction
