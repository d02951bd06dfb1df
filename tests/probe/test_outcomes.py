"""The one table that says how an iteration ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kronos_health.domain.accuracy import HeadAccuracy, LogitAccuracy
from kronos_health.domain.probes import (
    CacheState,
    Counters,
    Failure,
    Frame,
    Iteration,
    Memory,
    Outcome,
    Prediction,
    ProbeKind,
    Regime,
)
from kronos_health.probe.child import ChildEnd, StopReason
from kronos_health.probe.events import Check, Error, Surroundings, WarmUp
from kronos_health.probe.outcomes import Case, Expectation, classify, in_settings_words, probe_outcome
from kronos_health.probe.transcript import Transcript

OVERWRITTEN = (
    "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run. Stack trace: …"
)
COMPILED = Counters(frames_total=2, frames_ok=2, graphs=2)
GOOD_END = ChildEnd(5000.0, 0, None, None, 100.0, False, "", "", 0, False)
SEGFAULT = """INFO loading
Fatal Python error: Segmentation fault

Current thread 0x00007f (most recent call first):
  File "/x/site-packages/torch/cuda/graphs.py", line 12 in replay
  File "/production/model/module.py", line 265 in forward
"""


def said(device: str = "cpu", counters: Counters | None = COMPILED, predictions: int = 4) -> Transcript:
    """A child that did everything right."""
    seen = Surroundings(device, "3.11", "2.13", None, None, None, None, "here", None, None, "float32", "mini", "clock")
    return Transcript(
        surroundings=seen,
        counters=counters,
        done=True,
        phase="predict",
        predictions={index: Prediction(index, index, 1.0, 100.0, 1.0, 1.0) for index in range(predictions)},
        checks={"outputs_kept": Check("outputs_kept", True, "")},
    )


def case(
    transcript: Transcript | None = None,
    end: ChildEnd = GOOD_END,
    compiled: bool = True,
    kind: ProbeKind = ProbeKind.MEASURED,
    claims_graphs: bool = True,
    warmups: int = 0,
) -> Case:
    return Case(transcript or said(), end, Expectation(4, compiled, claims_graphs, kind, 900.0, 2000.0, warmups))


def changed(change: Callable[[Transcript], None], transcript: Transcript | None = None) -> Transcript:
    transcript = transcript or said()
    change(transcript)
    return transcript


def reporting(kind: str, message: str = "what happened") -> Transcript:
    error = Error(kind, Failure("SomeError", message, Frame("model.py", 3, "forward", "return x"), "stack"))
    return changed(lambda transcript: transcript.errors.append(error))


def without_checks(transcript: Transcript) -> None:
    transcript.checks.clear()


def unfinished(**fields: object) -> Transcript:
    return changed(lambda transcript: [setattr(transcript, name, value) for name, value in fields.items()] and None)


def growing(mb: float) -> Transcript:
    """Resident memory grows by so much with every prediction."""
    told = said()
    told.predictions = {k: replace(one, rss_mb=300.0 + mb * k) for k, one in told.predictions.items()}
    return told


CUDA_GRAPHS = Counters(2, 2, 2, cudagraph_recordings=2, cudagraph_replays=6)

CASES: list[tuple[str, Case, Outcome, str]] = [
    (
        "a guard that somebody killed",
        case(unfinished(phase="compile"), replace(GOOD_END, exit_status=None, guard_signal="SIGKILL")),
        Outcome.WORKER_ERROR,
        "the guard process was ended by SIGKILL from outside, and the child with it, while compiling",
    ),
    ("a compiled child that did it all", case(), Outcome.PASSED, ""),
    ("an eager child, of which no counters are asked", case(said(counters=None), compiled=False), Outcome.PASSED, ""),
    (
        "an eager child, whose outputs need no check",
        case(changed(without_checks, said(counters=None)), compiled=False),
        Outcome.PASSED,
        "",
    ),
    ("CUDA graphs replayed", case(said("cuda", CUDA_GRAPHS)), Outcome.PASSED, ""),
    (
        "no graphs on CUDA, where the variant claims none",
        case(said("cuda"), claims_graphs=False),
        Outcome.PASSED,
        "",
    ),
    ("a rehearsal has no real graphs", case(said("cpu"), kind=ProbeKind.REHEARSED), Outcome.PASSED, ""),
    ("a reported graph reuse", case(reporting("graph_reuse")), Outcome.GRAPH_REUSE, "what happened"),
    ("graph reuse by its text", case(reporting("worker_error", OVERWRITTEN)), Outcome.GRAPH_REUSE, "CUDAGraphs"),
    ("a reported silent overwrite", case(reporting("silent_overwrite")), Outcome.SILENT_OVERWRITE, ""),
    ("a reported compile error", case(reporting("compile_error")), Outcome.COMPILE_ERROR, ""),
    ("a reported out of memory", case(reporting("out_of_memory")), Outcome.OUT_OF_MEMORY, ""),
    ("a reported accuracy failure", case(reporting("accuracy")), Outcome.ACCURACY, ""),
    ("bad input is no fault of the model", case(reporting("bad_input")), Outcome.WORKER_ERROR, ""),
    (
        "a torch that lacks what the variant needs",
        case(reporting("unsupported", "needs torch 2.14")),
        Outcome.SKIPPED,
        "2.14",
    ),
    (
        "every warm-up call made",
        case(changed(lambda transcript: transcript.warm_ups.extend([WarmUp(0, 9.0, None)] * 2)), warmups=2),
        Outcome.PASSED,
        "",
    ),
    (
        "a warm-up call that failed without an error of its own",
        case(changed(lambda transcript: transcript.warm_ups.append(WarmUp(0, 9.0, OVERWRITTEN))), warmups=2),
        Outcome.GRAPH_REUSE,
        "warm-up call 1: Error: accessing",
    ),
    ("fewer warm-up calls than asked for", case(warmups=3), Outcome.WORKER_ERROR, "after 0 of 3 warm-up calls"),
    (
        "a crash while warming up",
        case(unfinished(done=False, warm=False), replace(GOOD_END, exit_status=None, signal="SIGSEGV"), warmups=3),
        Outcome.CRASHED,
        "while warming up (0 of 3 warm-up calls done)",
    ),
    ("an unheard-of kind", case(reporting("meteor")), Outcome.WORKER_ERROR, ""),
    (
        "what was reported explains the hang after it",
        case(reporting("graph_reuse"), replace(GOOD_END, stopped=StopReason.DEADLINE, signal="SIGKILL")),
        Outcome.GRAPH_REUSE,
        "",
    ),
    (
        "not started",
        case(Transcript(), replace(GOOD_END, exit_status=None, start_error="python: Permission denied")),
        Outcome.WORKER_ERROR,
        "Permission denied",
    ),
    (
        "ended for its memory",
        case(unfinished(done=False), replace(GOOD_END, stopped=StopReason.MEMORY, signal="SIGKILL", memory_mb=2500.0)),
        Outcome.OUT_OF_MEMORY,
        "2,500 MiB, above its limit of 2,000 MiB",
    ),
    (
        "ended at the deadline while compiling",
        case(unfinished(done=False, phase="compile"), replace(GOOD_END, stopped=StopReason.DEADLINE, signal="SIGKILL")),
        Outcome.TIMEOUT,
        "900 s (probe.iteration_deadline_seconds), while compiling",
    ),
    (
        "ended at the deadline, with the time it had been compiling",
        case(
            unfinished(done=False, phase="compile", phase_at=12.0),
            replace(GOOD_END, duration_ms=900_000.0, stopped=StopReason.DEADLINE, signal="SIGKILL"),
        ),
        Outcome.TIMEOUT,
        "while compiling, since 888 s",
    ),
    (
        "ended for its memory while our own float64 copy was there",
        case(
            unfinished(done=False, phase="accuracy"),
            replace(GOOD_END, stopped=StopReason.MEMORY, signal="SIGKILL", memory_mb=2500.0),
        ),
        Outcome.WORKER_ERROR,
        "its own work was over, so raise the limit or set probe.accuracy_windows = 0",
    ),
    (
        "ended at the deadline while measuring against it",
        case(unfinished(done=False, phase="accuracy"), replace(GOOD_END, stopped=StopReason.DEADLINE)),
        Outcome.WORKER_ERROR,
        "set probe.accuracy_windows = 0",
    ),
    (
        "logits that are not finite, with good forecasts",
        case(unfinished(logits=LogitAccuracy(16, "d", (HeadAccuracy("s2", None, None, finite=False),)))),
        Outcome.ACCURACY,
        "the logits of s2 are not finite",
    ),
    (
        "logits that could not be had are no fault",
        case(unfinished(logits=LogitAccuracy(0, None, (), "no logits"))),
        Outcome.PASSED,
        "",
    ),
    ("memory that grows with every prediction", case(growing(50.0)), Outcome.MEMORY_LEAK, "at least 50 MiB with every"),
    ("memory that grows a little", case(growing(5.0)), Outcome.PASSED, ""),
    (
        "finished, and hung at exit",
        case(said(), replace(GOOD_END, stopped=StopReason.DEADLINE, signal="SIGKILL")),
        Outcome.TIMEOUT,
        "had finished but did not exit",
    ),
    (
        "a segmentation fault",
        case(unfinished(done=False), replace(GOOD_END, signal="SIGSEGV", stderr_tail=SEGFAULT)),
        Outcome.CRASHED,
        "SIGSEGV while predicting (4 of 4 done)",
    ),
    (
        "a crash after the last word still is one",
        case(said(), replace(GOOD_END, exit_status=None, signal="SIGSEGV")),
        Outcome.CRASHED,
        "SIGSEGV",
    ),
    (
        "the kernel took it",
        case(unfinished(done=False), replace(GOOD_END, signal="SIGKILL", kernel_oom=True)),
        Outcome.OUT_OF_MEMORY,
        "kernel's out-of-memory killer",
    ),
    (
        "somebody killed it",
        case(unfinished(done=False), replace(GOOD_END, signal="SIGKILL")),
        Outcome.CRASHED,
        "SIGKILL",
    ),
    (
        "a MemoryError nobody caught",
        case(unfinished(done=False), replace(GOOD_END, exit_status=1, stderr_tail="Traceback…\nMemoryError: no")),
        Outcome.OUT_OF_MEMORY,
        "MemoryError",
    ),
    (
        "CUDA out of memory that nobody caught",
        case(
            unfinished(done=False),
            replace(GOOD_END, exit_status=1, stderr_tail="Traceback…\ntorch.OutOfMemoryError: CUDA out of memory."),
        ),
        Outcome.OUT_OF_MEMORY,
        "CUDA out of memory",
    ),
    (
        "the error that nobody caught",
        case(unfinished(done=False), replace(GOOD_END, exit_status=1, stderr_tail=f"RuntimeError: {OVERWRITTEN}")),
        Outcome.GRAPH_REUSE,
        "overwritten",
    ),
    (
        "an exit without a word",
        case(Transcript(), replace(GOOD_END, exit_status=3, stderr_tail="ImportError: no")),
        Outcome.WORKER_ERROR,
        "exit status 3, while starting: ImportError: no",
    ),
    ("status 0 without done", case(unfinished(done=False)), Outcome.WORKER_ERROR, "ended without finishing"),
    (
        "done with a bad status",
        case(said(), replace(GOOD_END, exit_status=1)),
        Outcome.WORKER_ERROR,
        "reported done, but",
    ),
    (
        "a forecast that is not finite",
        case(changed(lambda t: t.predictions.update({1: Prediction(1, 1, 1.0, None, None, None, "not finite")}))),
        Outcome.ACCURACY,
        "prediction 2: not finite",
    ),
    (
        "a forecast that failed by reuse",
        case(changed(lambda t: t.predictions.update({2: Prediction(2, 2, 1.0, None, None, None, OVERWRITTEN)}))),
        Outcome.GRAPH_REUSE,
        "prediction 3",
    ),
    ("too few forecasts", case(said(predictions=3)), Outcome.WORKER_ERROR, "3 of 4 predictions"),
    (
        "an output changed behind our back",
        case(changed(lambda t: t.checks.update(outputs_kept=Check("outputs_kept", False, "row 3 changed")))),
        Outcome.SILENT_OVERWRITE,
        "row 3 changed",
    ),
    ("outputs not checked", case(changed(without_checks)), Outcome.WORKER_ERROR, "was not checked"),
    (
        "outputs that could not be checked",
        case(changed(lambda t: t.checks.update(outputs_kept=Check("outputs_kept", None, "no tensor")))),
        Outcome.WORKER_ERROR,
        "no tensor",
    ),
    ("nothing said about compiling", case(said(counters=None)), Outcome.WORKER_ERROR, "what was compiled"),
    ("nothing compiled", case(said(counters=Counters())), Outcome.DEGRADED_TO_EAGER, "nothing was compiled"),
    (
        "the recompile limit",
        case(said(counters=Counters(11, 10, 10, 9, 1, reasons=("rotary.seq_len_cached == 32",)))),
        Outcome.DEGRADED_TO_EAGER,
        "recompile limit was hit after 9 recompiles: the rest ran eager (rotary.seq_len_cached == 32)",
    ),
    ("a frame that fell back", case(said(counters=Counters(11, 10, 10))), Outcome.DEGRADED_TO_EAGER, "1 of 11 frames"),
    (
        "CUDA graphs skipped",
        case(said("cuda", replace(CUDA_GRAPHS, cudagraph_skips=2))),
        Outcome.DEGRADED_TO_EAGER,
        "skipped 2 times",
    ),
    (
        "no CUDA graph replayed",
        case(said("cuda", replace(CUDA_GRAPHS, cudagraph_replays=0))),
        Outcome.DEGRADED_TO_EAGER,
        "no CUDA graph was replayed",
    ),
    (
        "replays that this torch cannot count, but recordings",
        case(said("cuda", replace(CUDA_GRAPHS, cudagraph_replays=None))),
        Outcome.PASSED,
        "",
    ),
    ("neither recordings nor replays", case(said("cuda", Counters(2, 2, 2))), Outcome.DEGRADED_TO_EAGER, "recorded"),
]


@pytest.mark.parametrize(("given", "outcome", "words"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def it_decides(given: Case, outcome: Outcome, words: str) -> None:
    decided, failure = classify(given)
    assert decided is outcome
    assert (failure is None) == (outcome is Outcome.PASSED)
    if failure is not None:
        assert words in failure.message


def it_finds_the_failing_frame_of_a_segmentation_fault() -> None:
    end = replace(GOOD_END, exit_status=None, signal="SIGSEGV", stderr_tail=SEGFAULT)
    _, failure = classify(case(unfinished(done=False), end))
    assert failure is not None
    assert failure.frame == Frame("/production/model/module.py", 265, "forward", "")
    assert failure.stack is not None
    assert failure.stack.startswith("Fatal Python error")


def iteration(outcome: Outcome) -> Iteration:
    failure = None if outcome is Outcome.PASSED else Failure("E", outcome.value)
    nothing: tuple[None, ...] = (None,) * 9
    now = datetime(2026, 1, 1, tzinfo=UTC)
    head = (0, outcome, now, 1.0, Regime.SATURATED, CacheState.NONE)
    return Iteration(*head, *nothing, Memory(), Counters(), (), failure)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([Outcome.PASSED] * 3, Outcome.PASSED),
        ([Outcome.PASSED] * 2, Outcome.SKIPPED),  # three were asked for
        ([Outcome.PASSED, Outcome.TIMEOUT, Outcome.PASSED], Outcome.TIMEOUT),
        ([Outcome.TIMEOUT, Outcome.GRAPH_REUSE, Outcome.CRASHED], Outcome.GRAPH_REUSE),
        ([Outcome.WORKER_ERROR], Outcome.WORKER_ERROR),
        ([Outcome.OUT_OF_MEMORY, Outcome.WORKER_ERROR], Outcome.OUT_OF_MEMORY),
    ],
)
def it_names_a_probe_by_its_gravest_failure(outcomes: list[Outcome], expected: Outcome) -> None:
    decided, failure = probe_outcome([iteration(outcome) for outcome in outcomes], requested=3)
    assert decided is expected
    assert (failure.message if failure else None) == (
        None if expected in {Outcome.PASSED, Outcome.SKIPPED} else expected.value
    )


def it_names_the_keys_that_people_wrote() -> None:
    told = Failure(
        "BadInput", "target.weights: no folder /srv/target.weights; lower evaluation.lookback of my.target.x"
    )
    assert in_settings_words(told, "mine").message == (
        "targets.mine.weights: no folder /srv/target.weights; lower probe.evaluation.lookback of my.target.x"
    )
