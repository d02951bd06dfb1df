"""Whole probes with real children that misbehave in every way we know."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest

from kronos_health.domain.probes import CacheState, Environment, Iteration, Outcome, ProbeKind, ProbeResult, ProbeSpec
from kronos_health.domain.warm_up import WarmUpDependence, warm_up_dependence
from kronos_health.probe.gpu import called
from kronos_health.probe.locks import LockBusy, acquire
from kronos_health.probe.progress import Phase, Progress
from kronos_health.probe.supervisor import run_probe
from kronos_health.probe.variants import find_variant
from kronos_health.settings.models import Blackout, Probe, Target
from tests.probe.children import program, wait_for_pids
from tests.probe.gpu_on_paper import GpuOnPaper, finding
from tests.support.processes import gone

SPEC = ProbeSpec("kronos", "eager", iterations=2, predictions=3, seed=1000)
QUICK = Probe(device="cpu", iteration_deadline_seconds=20.0)


class Probing:
    """A probe with a worker of one's own; remembers what was reported on the way."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.folder, self.now = folder, now
        self.recorded: list[tuple[Iteration, Environment | None]] = []
        self.progress: list[Progress] = []

    def run(self, body: str, spec: ProbeSpec = SPEC, probe: Probe = QUICK, **more: Any) -> ProbeResult:
        return run_probe(
            spec,
            find_variant(spec.variant),
            more.pop("target", Target()),
            probe,
            self.folder / "state",
            lambda: self.now,
            on_progress=self.progress.append,
            on_iteration=lambda iteration, environment, _noise: self.recorded.append((iteration, environment)),
            worker=program(self.folder, body),
            **more,
        )


@pytest.fixture
def probing(tmp_path: Path, now: datetime) -> Probing:
    return Probing(tmp_path, now)


def it_passes_when_every_iteration_does(probing: Probing, now: datetime) -> None:
    result = probing.run("healthy()")
    assert (result.outcome, result.passed, result.failure, result.skipped_reason) == (Outcome.PASSED, 2, None, None)
    assert (result.started_at, result.finished_at) == (now, now)
    first, second = result.iterations
    assert (first.index, second.index) == (0, 1)
    assert (first.first_call_ms, first.steady_median_ms, first.mae) == (30.0, 11.5, 2.0)
    assert (first.import_ms, first.load_ms, first.memory.rss_peak_mb) == (10.0, 5.0, 123.0)
    assert [one.seed for one in first.predictions] == [1000, 1001, 1002]
    assert [one.seed for one in second.predictions] == [2000, 2001, 2002]
    assert result.environment is not None
    assert (result.environment.device, len(result.environment.fingerprint)) == ("cpu", 64)
    assert (result.figures.mae_mean, result.figures.first_call_median_ms) == (2.0, 30.0)
    assert [iteration for iteration, _ in probing.recorded] == list(result.iterations)
    assert {environment for _, environment in probing.recorded} == {result.environment}
    assert list((probing.folder / "state" / "probes").iterdir()) == []


def it_tells_a_terminal_what_goes_on(probing: Probing) -> None:
    probing.run("healthy()")
    assert [step.phase for step in probing.progress if step.iteration == 1] == [
        *(Phase.STARTING, Phase.LOADING),
        *(Phase.PREDICTING,) * 4,
        Phase.ENDED,
    ]
    assert probing.progress[-1].line == "kronos eager: iteration 2/2, passed"


SHORT = {"iteration_deadline_seconds": 4.0}
HANG = "begin(); predict(0); signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
GROW = """
    begin()
    held = []
    while True:
        held.append(bytearray(os.urandom(8 * 1024 * 1024)))
        time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("body", "probe", "outcome", "words"),
    [
        (HANG, {"iteration_deadline_seconds": 0.8}, Outcome.TIMEOUT, "while predicting (1 of 3 done)"),
        ("begin(); predict(0); os.kill(os.getpid(), signal.SIGSEGV)", {}, Outcome.CRASHED, "ended by SIGSEGV"),
        (GROW, {"memory_limit_mb": 150.0}, Outcome.OUT_OF_MEMORY, "above its limit of 150 MiB"),
        ("begin(); raise MemoryError('no room')", {}, Outcome.OUT_OF_MEMORY, "MemoryError: no room"),
        ("begin(); os.close(EVENTS); time.sleep(0.2)", {}, Outcome.WORKER_ERROR, "ended without finishing"),
        ("sys.exit('no module named model')", {}, Outcome.WORKER_ERROR, "no module named model"),
        (
            "begin(); say('error', kind='bad_input', type='BadInput', message='x.csv line 3: no number'); say('done')",
            {},
            Outcome.WORKER_ERROR,
            "x.csv line 3: no number",
        ),
        ("begin(); predict(0, value=None); predict(1); predict(2); finish()", {}, Outcome.ACCURACY, "prediction 1"),
        ("begin(); predict(0); finish()", {}, Outcome.WORKER_ERROR, "1 of 3 predictions"),
    ],
    ids=["hang", "SIGSEGV", "growth", "MemoryError", "silence", "exit", "bad input", "not finite", "too few"],
)
def it_tells_failures_apart(probing: Probing, body: str, probe: dict[str, float], outcome: Outcome, words: str) -> None:
    result = probing.run(body, replace(SPEC, iterations=1), QUICK.model_copy(update=probe))
    assert result.outcome is outcome
    assert result.failure is not None
    assert words in result.failure.message
    assert "\n" not in result.failure.message
    assert result.iterations[0].failure == result.failure


def it_says_how_long_a_hanging_compiler_was_at_it(probing: Probing) -> None:
    body = "begin(); predict(0); say('phase', phase='compile', detail='begin'); time.sleep(60)"
    result = probing.run(body, replace(SPEC, variant="compiled", iterations=1), QUICK.model_copy(update=SHORT))
    assert result.outcome is Outcome.TIMEOUT
    assert result.failure is not None
    assert re.search(r"not finished after 4 s .*, while compiling, since \d+ s$", result.failure.message)


def it_keeps_what_was_received_before_a_crash(probing: Probing) -> None:
    body = """
        if ORDER["iteration"] == 0:
            healthy()
        else:
            begin(); predict(0); predict(1)
            sys.stderr.write("x" * 100_000_000 + "\\nthe last words\\n")
            sys.stderr.flush()
            os.abort()
    """
    result = probing.run(body, replace(SPEC, iterations=3))
    assert [item.outcome for item in result.iterations] == [Outcome.PASSED, Outcome.CRASHED, Outcome.CRASHED]
    crashed = result.iterations[1]
    assert (crashed.signal, crashed.exit_status) == ("SIGABRT", None)
    assert [one.index for one in crashed.predictions] == [0, 1]
    assert "the last words" in crashed.stderr_tail
    assert len(crashed.stderr_tail) <= 16 * 1024
    assert (result.outcome, result.passed, result.figures.mae_mean) == (Outcome.CRASHED, 1, 2.0)


def it_is_not_misled_by_garbage(probing: Probing) -> None:
    body = """
        os.write(EVENTS, b"\\x00\\xff garbage\\n{}\\n" + b"y" * 400_000 + b"\\n")
        print("noise on stdout")
        say("from_the_future", answer=42)
        healthy()
    """
    result = probing.run(body, replace(SPEC, iterations=1))
    assert result.outcome is Outcome.PASSED
    assert "the child wrote 3 lines that are no events" in result.noise


def it_judges_a_compiled_variant_by_its_counters(probing: Probing) -> None:
    body = """
        begin()
        for index in range(3): predict(index)
        limit = ORDER["iteration"]
        finish(recompile_limit_hits=limit, recompiles=9 * limit, cache_hits=2 * limit, cache_misses=2 - 2 * limit)
    """
    result = probing.run(body, replace(SPEC, variant="compiled"))
    assert [item.outcome for item in result.iterations] == [Outcome.PASSED, Outcome.DEGRADED_TO_EAGER]
    assert [item.cache_state for item in result.iterations] == [CacheState.COLD, CacheState.WARM]
    assert result.outcome is Outcome.DEGRADED_TO_EAGER


def it_sweeps_warm_up_calls_and_tells_what_depends_on_them(probing: Probing) -> None:
    body = """
        begin()
        if ORDER["warmups"] < 3:
            say("error", kind="graph_reuse", type="RuntimeError", message="not warm", frame=None, stack=None)
        else:
            for index in range(3): predict(index)
        finish()
    """
    result = probing.run(body, replace(SPEC, variant="compiled", iterations=4, warmups=(1, 2, 3, 5)))
    assert [(item.warmups, item.outcome is Outcome.PASSED) for item in result.iterations] == [
        (1, False),
        (2, False),
        (3, True),
        (5, True),
    ]
    assert (result.outcome, result.passed) == (Outcome.GRAPH_REUSE, 2)
    assert warm_up_dependence(result.iterations) == WarmUpDependence(passes_with=3, fails_with=2)
    assert {item.first_call_ms for item in result.iterations} == {50.0}
    assert any(step.phase is Phase.WARMING_UP for step in probing.progress)


def it_skips_a_variant_that_this_torch_cannot_run_and_says_why(probing: Probing) -> None:
    body = """
        begin()
        say("error", kind="unsupported", type="Unsupported", message="needs torch 2.14", frame=None, stack=None)
        finish()
    """
    result = probing.run(body, replace(SPEC, variant="compiled_generation_cloning", iterations=5))
    assert (result.outcome, result.skipped_reason, result.unsupported) == (Outcome.SKIPPED, "needs torch 2.14", True)
    assert len(result.iterations) == 1
    assert result.environment is not None


def it_stops_when_the_worker_itself_does_not_work(probing: Probing) -> None:
    result = probing.run("sys.exit(1)", replace(SPEC, iterations=5))
    assert (result.outcome, len(result.iterations)) == (Outcome.WORKER_ERROR, 1)


def it_stops_when_asked_and_keeps_what_it_has(probing: Probing) -> None:
    result = probing.run(
        "healthy() if ORDER['iteration'] == 0 else time.sleep(60)",
        replace(SPEC, iterations=3),
        should_stop=lambda: len(probing.recorded) == 1,
    )
    assert (result.outcome, result.passed, len(result.iterations)) == (Outcome.SKIPPED, 1, 1)
    assert result.skipped_reason == "stopped on request after 1 of 3 iterations"


def it_says_why_it_was_skipped(probing: Probing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    result = probing.run("healthy()", probe=QUICK.model_copy(update={"device": "cuda"}))
    assert (result.outcome, result.iterations, probing.recorded) == (Outcome.SKIPPED, (), [])
    assert result.skipped_reason is not None
    assert 'probe.device = "cuda"' in result.skipped_reason


class DescribeAProbeOnCuda:
    """What the parent does about a GPU, on machines that have none: torch and GPU are on paper, the child is real."""

    BODY = """
        begin("cuda")
        for index in range(3): predict(index)
        finish(cudagraph_recordings=2, cudagraph_replays=4 * (ORDER["device"] == "cuda:0"))
    """

    @pytest.fixture
    def target(self, tmp_path: Path) -> Target:
        path = tmp_path / "python"
        answer = '{"python": [3, 11, 7], "torch": true, "version": "2.13.0", "cuda": true}'
        asked = f"if [ $1 = -c ]; then echo '{answer}' > /proc/self/fd/$3; else exec {sys.executable} \"$@\"; fi"
        path.write_text(f"#!/bin/sh\n{asked}\n")
        path.chmod(0o755)
        return Target(interpreter=path)

    def it_runs_there_with_the_gpu_locked(self, probing: Probing, target: Target) -> None:
        gpu = GpuOnPaper(processes=frozenset({os.getpid()}))
        locked: list[bool] = []

        def look() -> bool:
            with pytest.raises(LockBusy, match="kronos compiled since 2026-11-23"):
                acquire(probing.folder / "state" / "locks" / "gpu-GPU-1234.lock", "me")
            locked.append(True)
            return False

        result = probing.run(
            self.BODY,
            replace(SPEC, variant="compiled"),
            QUICK.model_copy(update={"device": "auto"}),
            target=target,
            find_gpu=finding(gpu),
            should_stop=look,
        )
        assert (result.outcome, result.passed) == (Outcome.PASSED, 2)
        assert result.environment is not None
        assert result.environment.device == "cuda"
        assert locked
        assert result.noise == (f"foreign process {called(os.getpid())} on the GPU",)
        acquire(probing.folder / "state" / "locks" / "gpu-GPU-1234.lock", "me").release()

    def it_finds_and_names_a_foreign_process_on_the_gpu(self, probing: Probing, target: Target) -> None:
        """Planted: one that is there before the probe, and one that comes while it runs and goes again."""
        with subprocess.Popen(["sleep", "60"]) as before, subprocess.Popen(["cat"], stdin=subprocess.PIPE) as comes:
            gpu = GpuOnPaper(processes=frozenset({before.pid}))

            def arrive() -> bool:
                gpu.running = frozenset({before.pid, comes.pid}) if not probing.recorded else frozenset({before.pid})
                return False

            body = self.BODY.replace("finish(", "time.sleep(0.3); finish(")
            probe = QUICK.model_copy(update={"device": "cuda"})
            result = probing.run(body, probe=probe, target=target, find_gpu=finding(gpu), should_stop=arrive)
            before.kill()
            comes.kill()
        assert result.outcome is Outcome.PASSED, "production may be there: the figures are flagged, not thrown away"
        assert result.noise == (
            f"foreign process {before.pid} (sleep) on the GPU",
            f"foreign process {comes.pid} (cat) on the GPU",
        )

    def it_makes_room_for_production_between_iterations(self, probing: Probing, target: Target) -> None:
        gpu = GpuOnPaper()

        def take_room() -> bool:
            gpu.free = 100.0 if probing.recorded else 10_000.0
            return False

        result = probing.run(
            self.BODY,
            probe=QUICK.model_copy(update={"device": "cuda"}),
            target=target,
            find_gpu=finding(gpu),
            should_stop=take_room,
        )
        assert (result.outcome, result.passed, len(result.iterations)) == (Outcome.SKIPPED, 1, 1)
        assert result.skipped_reason is not None
        assert "the GPU has 100 MiB free" in result.skipped_reason


class DescribeABlackout:
    """2026-11-23 is a Monday; ``now`` is 12:00 UTC, 7:00 in New York."""

    LUNCH = Blackout(days=("mon",), start=time(11), end=time(13, 30), timezone="UTC")
    LATER = Blackout(days=("mon",), start=time(12, 1), end=time(13, 30), timezone="UTC")

    def it_starts_nothing_in_one_and_says_until_when(self, probing: Probing) -> None:
        result = probing.run("healthy()", probe=QUICK.model_copy(update={"blackout": (self.LUNCH,)}))
        assert (result.outcome, result.iterations, probing.recorded) == (Outcome.SKIPPED, (), [])
        assert result.postponed_until == datetime(2026, 11, 23, 13, 30, tzinfo=UTC)
        assert result.skipped_reason is not None
        assert "until Mon 2026-11-23 13:30 UTC (2026-11-23 13:30 UTC)" in result.skipped_reason
        assert "probe --ignore-blackout" in result.skipped_reason

    def it_lets_rehearsals_run_unless_told_otherwise(self, probing: Probing) -> None:
        rehearsal = replace(SPEC, kind=ProbeKind.REHEARSED)
        blackout = QUICK.model_copy(update={"blackout": (self.LUNCH,)})
        assert probing.run("healthy()", rehearsal, blackout).outcome is Outcome.PASSED
        strict = self.LUNCH.model_copy(update={"rehearsals": True})
        blackout = QUICK.model_copy(update={"blackout": (strict,)})
        assert probing.run("healthy()", rehearsal, blackout).outcome is Outcome.SKIPPED

    @pytest.mark.parametrize("moment", ["between iterations", "during one"])
    def it_stops_when_one_begins_and_keeps_what_it_has(self, probing: Probing, moment: str) -> None:
        def pass_time() -> bool:
            if len(probing.recorded) == 1 and (moment == "between iterations" or probing.progress[-1].iteration == 2):
                probing.now = datetime(2026, 11, 23, 12, 1, tzinfo=UTC)
            return False

        result = probing.run(
            "healthy() if ORDER['iteration'] == 0 else time.sleep(60)",
            replace(SPEC, iterations=3),
            QUICK.model_copy(update={"blackout": (self.LATER,)}),
            should_stop=pass_time,
        )
        assert (result.outcome, result.passed, len(result.iterations)) == (Outcome.SKIPPED, 1, 1)
        assert len(probing.recorded) == 1
        assert result.skipped_reason is not None
        assert result.skipped_reason.startswith(
            "stopped after 1 of 3 iterations: [[probe.blackout]] leaves the machine"
        )
        assert result.postponed_until == datetime(2026, 11, 23, 13, 30, tzinfo=UTC)


def it_says_what_is_wrong_with_a_target(probing: Probing) -> None:
    result = probing.run("healthy()", target=Target(interpreter=Path("/nowhere/python")))
    assert (result.outcome, result.iterations) == (Outcome.WORKER_ERROR, ())
    assert result.failure is not None
    assert result.failure.message.startswith("targets.kronos.interpreter = /nowhere/python: there is no such file.")


def it_says_when_it_has_nowhere_to_work(probing: Probing, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    result = probing.run("healthy()")
    assert result.outcome is Outcome.WORKER_ERROR
    assert result.failure is not None
    assert result.failure.message.startswith(f"state_dir = {tmp_path / 'state'}: a probe cannot work there")


def it_hands_the_child_the_order_and_folders_of_its_own(probing: Probing) -> None:
    body = """
        say("error", kind="bad_input", type="Told", message=json.dumps({
            "order": ORDER, "cwd": os.getcwd(), "home": os.environ["HOME"], "nice": os.nice(0)}))
        say("done")
    """
    target = Target(loader="my.module:factory", python_path=(Path("models"),), options={"depth": "3"})
    result = probing.run(body, target=target, probe=QUICK.model_copy(update={"threads": 2}))
    assert result.failure is not None
    told = json.loads(result.failure.message)
    order = told["order"]
    assert (order["protocol"], order["kind"], order["device"], order["threads"]) == (1, "measured", "cpu", 2)
    assert (order["iteration"], order["predictions"], order["seed"]) == (0, 3, 1000)
    assert order["target"]["python_path"] == [str(Path("models").absolute())]
    assert order["target"]["options"] == {"depth": "3"}
    assert order["variant"] == {"name": "eager", "recipe": "eager", "options": {}}
    assert Path(told["cwd"]).is_relative_to(probing.folder / "state")
    assert Path(told["home"]).is_relative_to(probing.folder / "state")
    assert told["nice"] == min(os.nice(0) + 10, 19)


def it_lets_the_callers_own_errors_through_and_leaves_nothing_running(probing: Probing, tmp_path: Path) -> None:
    def fail(_iteration: Iteration, _environment: Environment | None, _noise: tuple[str, ...]) -> None:
        raise ConnectionError("the database is gone")

    with pytest.raises(ConnectionError, match="the database is gone"):
        run_probe(
            SPEC,
            find_variant("eager"),
            Target(),
            QUICK,
            tmp_path / "state",
            lambda: probing.now,
            on_iteration=fail,
            worker=program(tmp_path, "healthy()"),
        )
    assert list((tmp_path / "state" / "probes").iterdir()) == []


def it_leaves_no_process_when_the_whole_probe_is_killed(tmp_path: Path) -> None:
    worker = program(
        tmp_path,
        f"""
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open({str(tmp_path / "pids")!r}, "a").write(f"{{os.getpid()}}\\n")
        begin(); time.sleep(60)
        """,
    )
    task = textwrap.dedent(
        f"""
        from datetime import UTC, datetime
        from pathlib import Path
        from kronos_health.domain.probes import ProbeSpec
        from kronos_health.probe.supervisor import run_probe
        from kronos_health.probe.variants import find_variant
        from kronos_health.settings.models import Blackout, Probe, Target
        run_probe(ProbeSpec("kronos", "eager"), find_variant("eager"), Target(), Probe(device="cpu"),
                  Path({str(tmp_path / "state")!r}), lambda: datetime.now(UTC), worker=Path({str(worker)!r}))
        """
    )
    process = subprocess.Popen([sys.executable, "-c", task])
    pids = wait_for_pids(tmp_path / "pids", 2, seconds=60.0)
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    assert gone(pids)


class DescribeTheRealWorker:
    """The travelling worker itself, on the smallest model: torch is imported, so these take seconds."""

    @pytest.fixture
    def tiny(self, probing: Probing, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setenv("TORCHINDUCTOR_VEC_ISA_OK", "1")

        def run(variant: str, **spec: Any) -> ProbeResult:
            return run_probe(
                replace(ProbeSpec("kronos", variant, iterations=1, predictions=2), **spec),
                find_variant(variant),
                Target(size="tiny"),
                Probe(device="cpu"),
                probing.folder / "state",
                lambda: probing.now,
                on_progress=probing.progress.append,
            )

        return run

    def it_passes_eager(self, tiny: Any) -> None:
        result = tiny("eager")
        assert (result.outcome, result.passed) == (Outcome.PASSED, 1)
        assert result.environment.torch[0].isdigit()
        assert result.iterations[0].predictions[0].value > 0
        assert result.noise == tuple(reason for reason in result.noise if "processors" in reason)

    def it_reports_graph_reuse_in_a_rehearsal_with_the_original_frame(self, tiny: Any, probing: Probing) -> None:
        result = tiny("compiled", kind=ProbeKind.REHEARSED)
        assert (result.outcome, result.passed) == (Outcome.GRAPH_REUSE, 0)
        assert result.failure.frame.code == "return output * self.weight"
        assert result.environment.device == "cpu"
        assert any(step.phase is Phase.COMPILING for step in probing.progress)
