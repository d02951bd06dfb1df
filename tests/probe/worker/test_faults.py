"""Planted faults: each is told apart, and what was received before it stays."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from kronos_health.probe.worker.protocol import PARENT_GONE
from tests.probe.worker.runs import Run, run_all, spec, start, toy, variant


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    faults = ("segfault", "memory", "torch memory", "nan", "exit", "two values")
    orders = {fault: spec(target=toy(fault=fault)) for fault in faults}
    orders["nan while warming up"] = spec(target=toy(fault="nan"), warmups=2)
    orders |= {"cold": spec(target=toy()), "warm": spec(target=toy(), warmups=2)}
    compiled = {"kind": "rehearsed", "predictions": 5, "variant": variant("compiled")}
    orders["broken compiler"] = spec(target=toy(), variant=variant("toys:broken_recipe"))
    orders["keeps an output"] = spec(**compiled, target=toy(fault="keeps an output"))
    orders["gives its output away"] = spec(**compiled, target=toy(fault="gives its output away"))
    orders["gives a clone away"] = spec(
        **{**compiled, "variant": variant("compiled", clone=True)}, target=toy(fault="gives its output away")
    )
    return run_all(orders, tmp_path_factory.mktemp("faults"))


def it_dies_by_the_signal_and_leaves_its_frames_on_stderr(runs: dict[str, Run]) -> None:
    told = runs["segfault"]
    assert told.status == -signal.SIGSEGV
    assert not told.finished
    assert told.events[-1]["phase"] == "predict"
    assert "Fatal Python error: Segmentation fault" in told.stderr
    assert "toys.py" in told.stderr


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("memory", "out_of_memory", "planted"),
        ("torch memory", "out_of_memory", "can't allocate memory"),
        ("nan", "accuracy", "the forecast is not finite: nan"),
        ("exit", "worker_error", "planted"),
        ("two values", "bad_input", "predict() returned 2 numbers, 1 were asked for"),
    ],
)
def it_tells_a_failed_prediction_and_why(fault: str, kind: str, message: str, runs: dict[str, Run]) -> None:
    told = runs[fault]
    assert told.finished
    assert told.failure is not None
    assert told.failure["kind"] == kind
    assert message in told.failure["message"]
    (prediction,) = told.all("prediction")
    assert (prediction["index"], prediction["value"]) == (0, None)
    assert message in prediction["error"]
    assert told.one("memory")["rss_peak_mb"] > 0


def it_drops_no_failure_of_a_warm_up_call(runs: dict[str, Run]) -> None:
    told = runs["nan while warming up"]
    assert told.finished
    assert told.failure is not None
    assert told.failure["kind"] == "accuracy"
    assert told.all("prediction") == []
    (call,) = told.all("warm_up")
    assert (call["index"], call["error"]) == (0, "the forecast is not finite: nan")


def it_forecasts_the_same_after_warm_up_calls(runs: dict[str, Run]) -> None:
    cold, warm = runs["cold"], runs["warm"]
    assert warm.values == cold.values
    assert [one["phase"] for one in warm.all("phase")] == ["import", "load", "warm_up", "predict"]
    assert [one["phase"] for one in cold.all("phase")] == ["import", "load", "predict"]
    calls = warm.all("warm_up")
    assert [(one["index"], one["error"]) for one in calls] == [(0, None), (1, None)]
    assert all(one["latency_ms"] > 0 for one in calls)


def it_names_the_line_that_failed(runs: dict[str, Run]) -> None:
    failure = runs["torch memory"].failure
    assert failure is not None
    assert failure["frame"]["code"] == "torch.empty(1 << 50)"


def it_says_where_it_hangs_and_ends_at_sigterm(tmp_path: Path) -> None:
    process, reading = start(spec(target=toy(fault="hang")), tmp_path)
    try:
        with os.fdopen(reading, encoding="utf-8") as pipe:
            for line in pipe:
                if json.loads(line).get("phase") == "predict":
                    break
            time.sleep(0.5)
            assert process.poll() is None
            process.terminate()
            assert process.wait(10) == -signal.SIGTERM
            assert pipe.read() == ""
    finally:
        process.kill()
        process.wait()


def it_ends_quietly_when_nobody_listens_any_more(tmp_path: Path) -> None:
    process, reading = start(spec(target=toy()), tmp_path)
    os.close(reading)
    try:
        assert process.wait(60) == PARENT_GONE
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "stderr").read_text() == ""


def it_names_a_compiler_that_fails(runs: dict[str, Run]) -> None:
    failure = runs["broken compiler"].failure
    assert failure is not None
    assert (failure["kind"], failure["type"]) == ("compile_error", "ValueError")
    assert failure["frame"]["code"] == 'raise ValueError("planted in the compiler")'


def it_finds_an_output_that_is_silently_written_over(runs: dict[str, Run]) -> None:
    told = runs["keeps an output"]
    assert told.finished, told.stderr
    assert len(told.values) == 5
    assert told.failure is not None
    assert told.failure["kind"] == "silent_overwrite"
    assert told.one("check")["ok"] is False
    assert "output 0 of Layers.scale changed while being kept" in told.one("check")["detail"]


def it_finds_a_forecast_that_its_user_would_lose(runs: dict[str, Run]) -> None:
    failure = runs["gives its output away"].failure
    assert failure is not None
    assert failure["kind"] == "graph_reuse"
    assert failure["frame"]["code"] == "return (history * self.weight).sum(-1)"


def it_has_nothing_against_a_forecast_that_is_cloned(runs: dict[str, Run]) -> None:
    told = runs["gives a clone away"]
    assert told.failure is None, told.failure
    assert told.one("check")["ok"] is True
    assert told.one("counters")["cudagraph_replays"] > 0
