"""What a terminal is told while a probe runs."""

from __future__ import annotations

from kronos_health.domain.probes import Outcome, Prediction, ProbeKind, ProbeSpec
from kronos_health.probe.events import PhaseChange
from kronos_health.probe.progress import Phase, Progress, ProgressReport

SPEC = ProbeSpec("kronos", "compiled", kind=ProbeKind.REHEARSED, iterations=5, predictions=4)


def it_follows_a_child_from_start_to_end() -> None:
    told: list[Progress] = []
    report = ProgressReport(SPEC, 2, told.append)
    for event in (
        PhaseChange("import", ""),
        PhaseChange("load", ""),
        PhaseChange("predict", ""),
        PhaseChange("compile", "begin"),
        PhaseChange("compile", "begin"),
        PhaseChange("compile", "end"),
        Prediction(0, 1, 1.0, 1.0, 1.0, 1.0),
        PhaseChange("check", ""),
        PhaseChange("dance", ""),
        None,
    ):
        report.take(event)
    report.end(Outcome.GRAPH_REUSE)
    phases = [Phase.STARTING, Phase.IMPORTING, Phase.LOADING, Phase.PREDICTING, Phase.COMPILING, Phase.PREDICTING]
    assert [step.phase for step in told] == [*phases, Phase.PREDICTING, Phase.CHECKING, Phase.ENDED]
    assert {(step.iteration, step.iterations, step.predictions) for step in told} == {(3, 5, 4)}
    assert [step.prediction for step in told][-3:] == [1, 1, 1]
    assert [step.outcome for step in told][-2:] == [None, Outcome.GRAPH_REUSE]


def it_needs_no_listener() -> None:
    report = ProgressReport(SPEC, 0, None)
    report.take(PhaseChange("load", ""))
    report.tick()
    report.end(Outcome.PASSED)


def it_draws_one_line() -> None:
    step = Progress(
        "kronos", "compiled", ProbeKind.MEASURED, SPEC.regime, 3, 5, Phase.COMPILING, 12.4, prediction=0, predictions=4
    )
    assert step.line == "kronos compiled: iteration 3/5, compiling since 12 s, prediction 1/4"
    ended = Progress("toto", "eager", ProbeKind.REHEARSED, SPEC.regime, 1, 1, Phase.ENDED, 0.0, 4, 4, Outcome.PASSED)
    assert ended.line == "toto eager (rehearsal): iteration 1/1, passed"
