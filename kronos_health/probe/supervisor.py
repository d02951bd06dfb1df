"""One probe from beginning to end: a fresh child per iteration, watched, judged and handed on once it has ended."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import kronos_health.probe
from kronos_health.domain.campaigns import NOTHING_MEASURED, Measured
from kronos_health.domain.probes import (
    Counters,
    Environment,
    Failure,
    Iteration,
    Memory,
    Outcome,
    ProbeResult,
    ProbeSpec,
    is_unsupported,
)
from kronos_health.probe import figures
from kronos_health.probe.child import EVENTS_FD, ChildEnd, Command, Conversation, Limits, StopReason, run_child
from kronos_health.probe.claim import Postponed, Skipped, choose_device, claimed_gpu, require_open, require_room
from kronos_health.probe.environment import child_environment
from kronos_health.probe.gpu import FindGpu, Gpu, GpuWatch, NvmlGpu
from kronos_health.probe.guard import descendants
from kronos_health.probe.interpreter import TargetProblem, inspect, nowhere_to_work
from kronos_health.probe.limits import default_limit_mb
from kronos_health.probe.locks import HeldLock
from kronos_health.probe.noise import CpuSnapshot, cpu_noise
from kronos_health.probe.order import worker_order
from kronos_health.probe.outcomes import Case, Expectation, classify, in_settings_words, probe_outcome
from kronos_health.probe.progress import ProgressListener, ProgressReport
from kronos_health.probe.transcript import Transcript
from kronos_health.probe.variants import Variant
from kronos_health.probe.workplace import workplace
from kronos_health.settings.models import Probe, Target

WORKER = Path(kronos_health.probe.__file__).parent / "worker"

IterationListener = Callable[[Iteration, Environment | None, tuple[str, ...]], None]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What to probe and how: the spec with the settings it rests on, and who wants to hear of it."""

    spec: ProbeSpec
    variant: Variant
    target: Target
    probe: Probe
    state_dir: Path
    clock: Callable[[], datetime]
    on_progress: ProgressListener | None
    on_iteration: IterationListener | None
    should_stop: Callable[[], bool]
    worker: Path
    find_gpu: FindGpu
    holding: tuple[HeldLock, ...]
    earlier: Measured


def run_probe(
    spec: ProbeSpec,
    variant: Variant,
    target: Target,
    probe: Probe,
    state_dir: Path,
    clock: Callable[[], datetime],
    *,
    on_progress: ProgressListener | None = None,
    on_iteration: IterationListener | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    worker: Path = WORKER,
    find_gpu: FindGpu = NvmlGpu.open,
    holding: tuple[HeldLock, ...] = (),
    earlier: Measured = NOTHING_MEASURED,
) -> ProbeResult:
    """Run a probe; whatever goes wrong with child, target or GPU is an outcome and not an exception.

    What was measured ``earlier`` is part of the result and not run again. ``on_iteration`` is called as each iteration
    ends, with environment and noise so far, before the next one starts, so that a kill loses at most the one that
    runs. ``should_stop`` is asked about ten times a second, and so is the clock whether a window of ``probe.blackout``
    has begun; then the running iteration is dropped and the probe is ``skipped``. An iteration that fails for want of
    a working worker (not about the model) ends the probe: the next would fail the same way. ``holding`` are locks of
    what the child uses, e.g. a candidate's environment: they stay held until everything below this process has ended,
    even when it is killed. Exceptions of the caller's own listeners and KeyboardInterrupt end the child and go on up.
    """
    state_dir = state_dir.absolute()
    listeners = (on_progress, on_iteration, should_stop)
    run = _ProbeRun(
        Assignment(
            spec,
            variant,
            target,
            probe,
            state_dir,
            clock,
            *listeners,
            worker,
            find_gpu,
            holding=holding,
            earlier=earlier,
        )
    )
    with contextlib.ExitStack() as stack:
        try:
            if earlier.missing(spec.iterations):
                run.prepare(stack)
                run.run_iterations()
        except TargetProblem as problem:
            return run.result(Outcome.WORKER_ERROR, Failure(type(problem).__name__, str(problem)))
        except Skipped as skipped:
            run.postponed_until = skipped.until if isinstance(skipped, Postponed) else None
            return run.result(Outcome.SKIPPED, reason=str(skipped))
    outcome, failure = probe_outcome(run.iterations, spec.iterations)
    return run.result(outcome, failure)


class _ProbeRun:
    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.started_at = assignment.clock()
        self.iterations: list[Iteration] = list(assignment.earlier.iterations)
        self.environment: Environment | None = None  # of what ran here; whether it is the earlier one, the caller asks
        self.noise: dict[str, None] = dict.fromkeys(assignment.earlier.noise)
        self.gpu: Gpu | None = None
        self.locks: list[HeldLock] = list(assignment.holding)
        self.stuck = False  # a process could not be ended: nothing more is started beside it
        self.postponed_until: datetime | None = None

    def prepare(self, stack: contextlib.ExitStack) -> None:
        """Find interpreter, device and folders, and claim the GPU. Raises ``TargetProblem`` or ``Skipped``."""
        spec, probe, state_dir = self.assignment.spec, self.assignment.probe, self.assignment.state_dir
        require_open(probe, spec.kind, self.started_at)
        try:
            self.folders, owner = stack.enter_context(workplace(state_dir))
            self.interpreter = inspect(spec.target, self.assignment.target, state_dir)
            self.device = choose_device(spec.kind, probe.device, self.interpreter)
            self.locks.append(owner)
            if self.device == "cuda":
                who = f"process {os.getpid()}: {spec.target} {spec.variant} since {self.started_at:%Y-%m-%d %H:%M} UTC"
                self.gpu, lock = stack.enter_context(claimed_gpu(probe, state_dir, who, self.assignment.find_gpu))
                self.locks.append(lock)
        except OSError as error:
            raise TargetProblem(nowhere_to_work(state_dir, error)) from error

    def run_iterations(self) -> None:
        """Run all of them, or until there is a reason not to. Raises ``Skipped``."""
        spec = self.assignment.spec
        for index in self.assignment.earlier.missing(spec.iterations):
            if self._should_stop():
                raise self._stopped()
            if self.gpu is not None:
                require_room(self.gpu, self.assignment.probe.min_free_gpu_mb)
            iteration = self._run_iteration(index)
            self.iterations.append(iteration)
            if self.assignment.on_iteration is not None:
                self.assignment.on_iteration(iteration, self.environment, tuple(self.noise))
            if self.stuck or not iteration.outcome.about_the_model:
                return

    def _blackout(self) -> Postponed | None:
        try:
            require_open(self.assignment.probe, self.assignment.spec.kind, self.assignment.clock())
        except Postponed as postponed:
            return postponed
        return None

    def _should_stop(self) -> bool:
        """On request, or because production's time begins: then also the iteration that runs is given up."""
        return self.assignment.should_stop() or self._blackout() is not None

    def _stopped(self) -> Skipped:
        after = f"after {len(self.iterations)} of {self.assignment.spec.iterations} iterations"
        blackout = self._blackout()
        if blackout is None:
            return Skipped(f"stopped on request {after}")
        return Postponed(f"stopped {after}: {blackout}", blackout.until)

    def _run_iteration(self, index: int) -> Iteration:
        spec, probe = self.assignment.spec, self.assignment.probe
        started_at, cpu_before = self.assignment.clock(), CpuSnapshot.take()
        memory_mb = probe.memory_limit_mb or default_limit_mb()
        child = _Child(
            Transcript(),
            ProgressReport(spec, index, self.assignment.on_progress),
            self._should_stop,
            GpuWatch(self.gpu) if self.gpu is not None else None,
        )
        if child.gpu is not None:
            child.gpu.look_before()
        limits = Limits(probe.iteration_deadline_seconds, memory_mb)
        end = run_child(self._command(index), limits, child, tuple(lock.descriptor for lock in self.locks))
        if end.stopped is StopReason.ASKED:
            raise self._stopped()
        self._note_environment(child.said)
        self._note_noise(child, end, cpu_noise(cpu_before, CpuSnapshot.take(), index + 1))
        expected = Expectation(
            predictions=spec.predictions,
            compiled=self.assignment.variant.compiled,
            claims_graphs=self.assignment.variant.claims_graphs,
            kind=spec.kind,
            deadline_seconds=probe.iteration_deadline_seconds,
            memory_limit_mb=memory_mb,
            warmups=spec.warmups_of(index),
        )
        iteration = _iteration(Case(child.said, end, expected), spec, index, started_at)
        child.report.end(iteration.outcome)
        return iteration

    def _command(self, index: int) -> Command:
        assignment = self.assignment
        order = worker_order(
            assignment.spec, assignment.variant, assignment.target, self.device, index, assignment.probe.threads
        )
        path = self.folders.work / f"iteration-{index}.json"
        try:
            path.write_text(json.dumps(order), encoding="utf-8")
        except OSError as error:
            raise TargetProblem(f"{path}: the order cannot be written ({error.strerror}). Is the disk full?") from error
        return Command(
            argv=(self.interpreter.path, str(assignment.worker), "--spec", str(path), "--events-fd", EVENTS_FD),
            env=child_environment(os.environ, self.folders),
            cwd=self.folders.scratch,
            nice=assignment.probe.nice,
        )

    def _note_environment(self, said: Transcript) -> None:
        if said.surroundings is None:
            return
        spec = self.assignment.spec
        seen = figures.environment_of(said.surroundings, spec.target, spec.evaluation, self.assignment.probe.threads)
        if self.environment is not None and seen.fingerprint != self.environment.fingerprint:
            self.noise["the environment changed while the probe ran: its iterations cannot be compared"] = None
        self.environment = self.environment or seen

    def _note_noise(self, child: _Child, end: ChildEnd, cpu: tuple[str, ...]) -> None:
        reasons = list(child.gpu.noise) if child.gpu else list(cpu)
        if child.said.garbage or end.dropped_lines or end.truncated:
            reasons.append(f"the child wrote {child.said.garbage + end.dropped_lines} lines that are no events")
        if end.survivors:
            reasons.append(f"processes {', '.join(map(str, end.survivors))} could not be ended and may hold the device")
            self.stuck = True
            for lock in self.locks:
                lock.leave_to_inheritors()
        self.noise.update(dict.fromkeys(reasons))

    def result(self, outcome: Outcome, failure: Failure | None = None, reason: str | None = None) -> ProbeResult:
        """The probe as it stands. A failure before the stop says more than the stop."""
        if outcome is Outcome.SKIPPED and any(item.outcome is not Outcome.PASSED for item in self.iterations):
            outcome, failure = probe_outcome(self.iterations, self.assignment.spec.iterations)
        if is_unsupported(outcome, failure) and failure is not None:
            reason = failure.message
        return ProbeResult(
            spec=self.assignment.spec,
            outcome=outcome,
            started_at=self.started_at,
            finished_at=self.assignment.clock(),
            environment=self.environment or self.assignment.earlier.environment,
            iterations=tuple(sorted(self.iterations, key=lambda iteration: iteration.index)),
            failure=failure,
            noise=tuple(self.noise),
            skipped_reason=reason,
            figures=figures.of_probe(self.iterations),
            postponed_until=self.postponed_until,
        )


@dataclass(slots=True)
class _Child(Conversation):
    """Listens to one child."""

    said: Transcript
    report: ProgressReport
    should_stop: Callable[[], bool]
    gpu: GpuWatch | None

    def line(self, line: bytes) -> bool:
        self.report.take(self.said.take(line))
        return self.said.done

    def tick(self, pid: int) -> bool:
        self.report.tick()
        if self.gpu is not None:
            self.gpu.look(lambda: [pid, *descendants(pid)])
        return self.should_stop()


def _iteration(case: Case, spec: ProbeSpec, index: int, started_at: datetime) -> Iteration:
    said, end = case.said, case.end
    outcome, failure = classify(case)
    if failure is not None and outcome is Outcome.WORKER_ERROR:
        failure = in_settings_words(failure, spec.target)
    predictions = tuple(said.predictions[key] for key in sorted(said.predictions))
    first_warm_up_ms = said.warm_ups[0].latency_ms if said.warm_ups else None
    measured = figures.of_iteration(predictions, said.compiled_in, first_warm_up_ms)
    memory = said.memory or Memory()
    if memory.rss_peak_mb is None and end.memory_mb > 0:  # the child did not live to say it
        memory = replace(memory, rss_peak_mb=end.memory_mb)
    return Iteration(
        index=index,
        outcome=outcome,
        started_at=started_at,
        duration_ms=end.duration_ms,
        regime=spec.regime,
        cache_state=figures.cache_state(said.counters),
        exit_status=end.exit_status,
        signal=end.signal,
        import_ms=said.loaded.import_ms if said.loaded else None,
        load_ms=said.loaded.load_ms if said.loaded else None,
        first_call_ms=measured.first_call_ms,
        steady_median_ms=measured.steady_median_ms,
        steady_iqr_ms=measured.steady_iqr_ms,
        steady_p95_ms=measured.steady_p95_ms,
        mae=measured.mae,
        memory=memory,
        counters=said.counters or Counters(),
        predictions=predictions,
        failure=failure,
        stderr_tail=end.stderr_tail,
        logits=said.logits,
        leaks=tuple(said.leaks) if outcome is not Outcome.PASSED else (),
        warmups=spec.warmups_of(index),
    )
