"""What a running probe does now, in a form that a terminal, a log or a task can draw."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from kronos_health.domain.candidates import PRODUCTION
from kronos_health.domain.probes import Outcome, Prediction, ProbeKind, ProbeSpec, Regime
from kronos_health.probe.events import Event, PhaseChange


class Phase(StrEnum):
    """What the child of the present iteration does; the words are meant to be shown."""

    PREPARING = "preparing its environment"
    STARTING = "starting"
    IMPORTING = "importing"
    LOADING = "loading"
    COMPILING = "compiling"
    WARMING_UP = "warming up"
    PREDICTING = "predicting"
    CHECKING = "checking outputs"
    COMPARING = "comparing logits"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Progress:
    """A snapshot: iteration ``iteration`` (from 1) of ``iterations``, in ``phase`` since ``phase_seconds``.

    ``outcome`` is set once, with phase ``ENDED``, when the iteration is over.
    """

    target: str
    variant: str
    kind: ProbeKind
    regime: Regime
    iteration: int
    iterations: int
    phase: Phase
    phase_seconds: float
    prediction: int  # how many are made
    predictions: int
    outcome: Outcome | None = None
    candidate: str = PRODUCTION
    detail: str = ""  # what is being prepared

    @classmethod
    def of_preparation(cls, spec: ProbeSpec, detail: str) -> Progress:
        """What is told while a candidate's environment is made, before the first iteration."""
        return cls(
            target=spec.target,
            variant=spec.variant,
            kind=spec.kind,
            regime=spec.regime,
            iteration=1,
            iterations=spec.iterations,
            phase=Phase.PREPARING,
            phase_seconds=0.0,
            prediction=0,
            predictions=spec.predictions,
            candidate=spec.candidate,
            detail=detail,
        )

    @property
    def arm(self) -> str:
        """Target and variant, with the candidate where it is not production's environment."""
        where = "" if self.candidate == PRODUCTION else f" with {self.candidate}"
        rehearsed = " (rehearsal)" if self.kind is ProbeKind.REHEARSED else ""
        return f"{self.target} {self.variant}{where}{rehearsed}"

    @property
    def line(self) -> str:
        """One line for people, e.g. ``kronos compiled: iteration 3/5, compiling since 12 s, prediction 1/4``."""
        if self.phase is Phase.PREPARING:
            return f"{self.arm}: {self.phase.value}, {self.detail}"
        head = f"{self.arm}: iteration {self.iteration}/{self.iterations}"
        if self.outcome is not None:
            return f"{head}, {self.outcome.value}"
        since = f" since {self.phase_seconds:.0f} s" if self.phase_seconds >= 1 else ""
        next_one = min(self.prediction + 1, self.predictions)
        asked = self.phase in {Phase.COMPILING, Phase.PREDICTING}
        return f"{head}, {self.phase.value}{since}" + (f", prediction {next_one}/{self.predictions}" if asked else "")


ProgressListener = Callable[[Progress], None]

_PHASES = {
    "import": Phase.IMPORTING,
    "load": Phase.LOADING,
    "compile": Phase.COMPILING,
    "warm_up": Phase.WARMING_UP,
    "predict": Phase.PREDICTING,
    "check": Phase.CHECKING,
    "accuracy": Phase.COMPARING,
}


class ProgressReport:
    """Turns the events of one iteration into snapshots and hands them on, and repeats the last once a second."""

    def __init__(self, spec: ProbeSpec, index: int, listener: ProgressListener | None) -> None:
        self._spec, self._index, self._listener = spec, index, listener
        self._phase, self._before_compile = Phase.STARTING, Phase.PREDICTING
        self._since = self._told = time.monotonic()
        self._made = 0
        self._tell()

    def take(self, event: Event | None) -> None:
        """Follow one event."""
        match event:
            case PhaseChange(phase="compile", detail="end"):
                self._enter(self._before_compile)
            case PhaseChange(phase=name) if name in _PHASES:
                if name == "compile" and self._phase is not Phase.COMPILING:
                    self._before_compile = self._phase
                self._enter(_PHASES[name])
            case Prediction():
                self._made += 1
                self._tell()

    def tick(self) -> None:
        """Repeat where things stand, at most once a second, so that a clock can run."""
        if time.monotonic() - self._told >= 1.0:
            self._tell()

    def end(self, outcome: Outcome) -> None:
        """The iteration is over."""
        self._phase = Phase.ENDED
        self._tell(outcome)

    def _enter(self, phase: Phase) -> None:
        if phase is not self._phase:
            self._phase, self._since = phase, time.monotonic()
            self._tell()

    def _tell(self, outcome: Outcome | None = None) -> None:
        self._told = time.monotonic()
        if self._listener is None:
            return
        spec = self._spec
        self._listener(
            Progress(
                target=spec.target,
                variant=spec.variant,
                kind=spec.kind,
                regime=spec.regime,
                iteration=self._index + 1,
                iterations=spec.iterations,
                phase=self._phase,
                phase_seconds=self._told - self._since,
                prediction=self._made,
                predictions=spec.predictions,
                outcome=outcome,
                candidate=spec.candidate,
            )
        )
