"""How an iteration ended, decided from what the child said and how it went: a pure function, first match wins.

An iteration passes only when nothing speaks against it: every prediction made and finite, outputs kept, the child done
and gone with status 0, and for a compiled variant, that it ran compiled to the end. Silence is never a pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from kronos_health.domain.probes import Counters, Failure, Frame, Iteration, Outcome, ProbeKind
from kronos_health.probe.child import ChildEnd, StopReason
from kronos_health.probe.leak import leaked_mb
from kronos_health.probe.transcript import Transcript

OUTPUTS_KEPT = "outputs_kept"
# torch <= 2.13 and 2.14+ share this sentence; 2.13+ says "gradient tensor output" for backward passes.
_OVERWRITTEN = re.compile(r"accessing (gradient )?tensor output of CUDAGraphs that has been overwritten")
_OUT_OF_MEMORY = re.compile(
    r"^(MemoryError|torch\.(cuda\.)?OutOfMemoryError|torch\.AcceleratorError: .*out of memory)", re.M
)
_STACK_LINE = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>\S+)', re.M)  # faulthandler's
_ORDER_KEY = re.compile(r"(?<![\w./-])(target|evaluation)\.(?=[a-z])")  # keys as the worker's order has them
_REASON_CHARS = 300
_NOT_THE_VARIANT = "its own work was over, so raise the limit or set probe.accuracy_windows = 0"
_REPORTED = {
    "graph_reuse": Outcome.GRAPH_REUSE,
    "silent_overwrite": Outcome.SILENT_OVERWRITE,
    "compile_error": Outcome.COMPILE_ERROR,
    "out_of_memory": Outcome.OUT_OF_MEMORY,
    "accuracy": Outcome.ACCURACY,
    "bad_input": Outcome.WORKER_ERROR,  # about the settings, not about the model
    "unsupported": Outcome.SKIPPED,  # this torch lacks what the variant needs
}
# Which failure of several names the probe: what says most about the variant first.
_GRAVITY = (
    Outcome.GRAPH_REUSE,
    Outcome.SILENT_OVERWRITE,
    Outcome.CRASHED,
    Outcome.ACCURACY,
    Outcome.DEGRADED_TO_EAGER,
    Outcome.MEMORY_LEAK,
    Outcome.COMPILE_ERROR,
    Outcome.OUT_OF_MEMORY,
    Outcome.TIMEOUT,
    Outcome.WORKER_ERROR,
    Outcome.SKIPPED,
    Outcome.LOST,
)

Judgement = tuple[Outcome, Failure | None]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the iteration had to do to pass."""

    predictions: int
    compiled: bool
    claims_graphs: bool
    kind: ProbeKind
    deadline_seconds: float
    memory_limit_mb: float | None = None
    warmups: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One finished iteration as the judge sees it."""

    said: Transcript
    end: ChildEnd
    expected: Expectation


def classify(case: Case) -> Judgement:
    """The outcome of an iteration, and why it did not pass. What the child said first explains what came after."""
    for rule in _RULES:
        judgement = rule(case)
        if judgement is not None:
            return judgement
    return Outcome.PASSED, None


def probe_outcome(iterations: Iterable[Iteration], requested: int) -> Judgement:
    """The outcome of a probe: passed only when all requested iterations did, else its gravest failure's, with cause."""
    done = list(iterations)
    failed = [iteration for iteration in done if iteration.outcome is not Outcome.PASSED]
    if failed:
        worst = min(failed, key=lambda iteration: _GRAVITY.index(iteration.outcome))
        return worst.outcome, worst.failure
    if len(done) < requested:
        return Outcome.SKIPPED, None
    return Outcome.PASSED, None


def _reported_error(case: Case) -> Judgement | None:
    if not case.said.errors:
        return None
    error = case.said.errors[0]
    if _OVERWRITTEN.search(error.failure.message):  # whatever the worker took it for
        return Outcome.GRAPH_REUSE, error.failure
    return _REPORTED.get(error.kind, Outcome.WORKER_ERROR), error.failure


def _not_started(case: Case) -> Judgement | None:
    if case.end.start_error is None:
        return None
    return _failure(Outcome.WORKER_ERROR, "NotStarted", f"the child could not be started: {case.end.start_error}")


def _ended_for_memory(case: Case) -> Judgement | None:
    if case.end.stopped is not StopReason.MEMORY:
        return None
    limit = case.expected.memory_limit_mb or 0.0
    text = f"ended at {case.end.memory_mb:,.0f} MiB, above its limit of {limit:,.0f} MiB (probe.memory_limit_mb)"
    if case.said.phase == "accuracy":
        return _failure(Outcome.WORKER_ERROR, "MemoryLimit", f"{text}, while {_doing(case)}: {_NOT_THE_VARIANT}")
    return _failure(Outcome.OUT_OF_MEMORY, "MemoryLimit", f"{text}, while {_doing(case)}")


def _ended_at_deadline(case: Case) -> Judgement | None:
    if case.end.stopped is not StopReason.DEADLINE:
        return None
    if case.said.done:
        return _failure(Outcome.TIMEOUT, "Deadline", "the child had finished but did not exit")
    seconds = f"{case.expected.deadline_seconds:g} s (probe.iteration_deadline_seconds)"
    text = f"not finished after {seconds}, while {_doing(case)}"
    if case.said.phase == "accuracy":
        return _failure(Outcome.WORKER_ERROR, "Deadline", f"{text}: {_NOT_THE_VARIANT}")
    return _failure(Outcome.TIMEOUT, "Deadline", text)


def _ended_by_signal(case: Case) -> Judgement | None:
    if case.end.signal is None:
        return None
    if case.end.signal == "SIGKILL" and case.end.kernel_oom:
        text = f"ended by the kernel's out-of-memory killer while {_doing(case)}"
        return _failure(Outcome.OUT_OF_MEMORY, "SIGKILL", f"{text}; its peak was {case.end.memory_mb:,.0f} MiB")
    stack = _faulthandler_stack(case.end.stderr_tail)
    text = f"ended by {case.end.signal} while {_doing(case)}"
    return Outcome.CRASHED, Failure(case.end.signal, text, _first_own_frame(stack), stack)


def _guard_was_killed(case: Case) -> Judgement | None:
    """How the child ended nobody saw: its guard was taken away, and the child with it."""
    if case.end.guard_signal is None:
        return None
    perhaps = ", perhaps by the kernel's out-of-memory killer" if case.end.kernel_oom else " from outside"
    text = (
        f"the guard process was ended by {case.end.guard_signal}{perhaps}, and the child with it, while {_doing(case)}"
    )
    return _failure(Outcome.WORKER_ERROR, "GuardKilled", text)


def _unfinished(case: Case) -> Judgement | None:
    if case.said.done and case.end.exit_status == 0:
        return None
    tail = case.end.stderr_tail.strip()
    if _OVERWRITTEN.search(tail):
        return _failure(Outcome.GRAPH_REUSE, "RuntimeError", _last_line(tail), tail)
    if _OUT_OF_MEMORY.search(tail):
        return _failure(Outcome.OUT_OF_MEMORY, "MemoryError", f"{_last_line(tail)} (while {_doing(case)})", tail)
    what = "reported done, but" if case.said.done else "ended without finishing,"
    text = f"the child {what} exit status {case.end.exit_status}, while {_doing(case)}"
    hint = f": {_last_line(tail)}" if tail else ""
    cut = "; its event stream was too long and was cut" if case.end.truncated else ""
    return _failure(Outcome.WORKER_ERROR, "ExitStatus", f"{text}{hint}{cut}", tail or None)


def _failed_warm_up(case: Case) -> Judgement | None:
    for call in case.said.warm_ups:
        if call.error is not None:
            outcome = Outcome.GRAPH_REUSE if _OVERWRITTEN.search(call.error) else Outcome.ACCURACY
            return _failure(outcome, "WarmUp", f"warm-up call {call.index + 1}: {call.error}")
    made = len(case.said.warm_ups)
    if made < case.expected.warmups:
        text = f"the child finished after {made} of {case.expected.warmups} warm-up calls"
        return _failure(Outcome.WORKER_ERROR, "MissingWarmUps", text)
    return None


def _failed_prediction(case: Case) -> Judgement | None:
    for prediction in sorted(case.said.predictions.values(), key=lambda prediction: prediction.index):
        if prediction.error is not None or prediction.value is None:
            reason = prediction.error or "no finite value"
            outcome = Outcome.GRAPH_REUSE if _OVERWRITTEN.search(reason) else Outcome.ACCURACY
            return _failure(outcome, "Prediction", f"prediction {prediction.index + 1}: {reason}")
    made = len(case.said.predictions)
    if made < case.expected.predictions:
        text = f"the child finished after {made} of {case.expected.predictions} predictions"
        return _failure(Outcome.WORKER_ERROR, "MissingPredictions", text)
    return None


def _wrong_logits(case: Case) -> Judgement | None:
    wrong = [head.name for head in case.said.logits.heads if not head.finite] if case.said.logits else []
    if not wrong:
        return None
    text = f"the logits of {' and '.join(wrong)} are not finite on frozen windows, whatever the forecasts say"
    return _failure(Outcome.ACCURACY, "Logits", text)


def _overwritten_output(case: Case) -> Judgement | None:
    kept = case.said.checks.get(OUTPUTS_KEPT)
    if kept is not None and kept.ok is False:
        text = kept.detail or "an output kept from one prediction changed during the next"
        return _failure(Outcome.SILENT_OVERWRITE, "OutputsKept", text)
    if case.expected.compiled and (kept is None or kept.ok is None):
        detail = f": {kept.detail}" if kept is not None and kept.detail else ""
        text = f"whether outputs were kept was not checked{detail}; without that a compiled run is no success"
        return _failure(Outcome.WORKER_ERROR, "OutputsKept", text)
    return None


def _ran_eager(case: Case) -> Judgement | None:
    if not case.expected.compiled:
        return None
    counters = case.said.counters
    if counters is None:
        return _failure(Outcome.WORKER_ERROR, "Counters", "the child did not say what was compiled")
    reason = _degraded(counters) or (_without_graphs(counters) if _graphs_are_due(case) else None)
    if reason is None:
        return None
    why = f" ({counters.reasons[0][:_REASON_CHARS]})" if counters.reasons else ""  # the worker tells the gravest first
    return _failure(Outcome.DEGRADED_TO_EAGER, "DegradedToEager", f"{reason}{why}")


def _degraded(counters: Counters) -> str | None:
    if counters.recompile_limit_hits > 0:
        return f"the recompile limit was hit after {counters.recompiles} recompiles: the rest ran eager"
    if counters.graphs == 0:
        return "nothing was compiled: every prediction ran eager"
    if counters.frames_total > counters.frames_ok:
        missing = counters.frames_total - counters.frames_ok
        return f"{missing} of {counters.frames_total} frames could not be compiled and ran eager"
    return None


def _leaked(case: Case) -> Judgement | None:
    grown = leaked_mb(case.said.predictions.values(), case.said.compiled_in)
    if grown is None:
        return None
    made = len(case.said.predictions)
    text = f"memory grew by at least {grown:,.0f} MiB with every one of {made} predictions, and garbage was collected"
    return _failure(Outcome.MEMORY_LEAK, "MemoryLeak", f"{text}: a process that keeps predicting would run out of it")


def _graphs_are_due(case: Case) -> bool:
    on_cuda = case.said.surroundings is not None and case.said.surroundings.device == "cuda"
    return on_cuda and case.expected.claims_graphs and case.expected.kind is ProbeKind.MEASURED


def _without_graphs(counters: Counters) -> str | None:
    if counters.cudagraph_skips > 0:
        return f"CUDA graphs were skipped {counters.cudagraph_skips} times"
    if counters.cudagraph_replays == 0:
        return "no CUDA graph was replayed"
    if counters.cudagraph_replays is None and counters.cudagraph_recordings == 0:
        return "no CUDA graph was recorded, and this torch cannot tell whether one was replayed"
    return None


_RULES: tuple[Callable[[Case], Judgement | None], ...] = (
    _reported_error,
    _not_started,
    _ended_for_memory,
    _ended_at_deadline,
    _ended_by_signal,
    _guard_was_killed,
    _unfinished,
    _failed_warm_up,
    _failed_prediction,
    _wrong_logits,
    _overwritten_output,
    _ran_eager,
    _leaked,
)


def in_settings_words(failure: Failure, target: str) -> Failure:
    """The same failure with the keys of the worker's order named as the settings file names them."""
    names = {"target": f"targets.{target}", "evaluation": "probe.evaluation"}
    message = _ORDER_KEY.sub(lambda found: f"{names[found[1]]}.", failure.message)
    return replace(failure, message=message)


def _failure(outcome: Outcome, error_class: str, message: str, stack: str | None = None) -> Judgement:
    return outcome, Failure(error_class, message, None, stack)


def _doing(case: Case) -> str:
    words = {
        "import": "importing",
        "load": "loading",
        "compile": "compiling",
        "check": "checking its outputs",
        "accuracy": "measuring its accuracy against a float64 copy",
    }
    said = case.said
    doing = words.get(said.phase, said.phase or "starting")
    if not said.warm:
        at_it = "compiling" if said.phase == "compile" else "warming up"
        doing = f"{at_it} ({len(said.warm_ups)} of {case.expected.warmups} warm-up calls done)"
    elif said.phase == "predict":
        doing = f"predicting ({len(said.predictions)} of {case.expected.predictions} done)"
    if case.end.stopped is StopReason.DEADLINE and said.phase_at is not None:
        doing += f", since {max(case.end.duration_ms / 1000 - said.phase_at, 0):.0f} s"
    return doing


def _last_line(text: str) -> str:
    return text.rpartition("\n")[2].strip()[:500]


def _faulthandler_stack(tail: str) -> str | None:
    start = tail.rfind("Fatal Python error:")
    return tail[start:].strip() if start >= 0 else None


def _first_own_frame(stack: str | None) -> Frame | None:
    for match in _STACK_LINE.finditer(stack or ""):
        if "/torch/" not in match["file"] and not match["file"].startswith("<"):
            return Frame(match["file"], int(match["line"]), match["function"], "")
    return None
