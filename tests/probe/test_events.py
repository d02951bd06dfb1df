"""Whatever a child writes is either an event of the protocol, an event of a later one, or garbage."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.domain.accuracy import HeadAccuracy, LogitAccuracy
from kronos_health.domain.probes import Counters, Failure, Frame, Keeper, Leak, Memory, Prediction
from kronos_health.probe import events
from kronos_health.probe.transcript import Transcript


def line(event: str, **fields: object) -> bytes:
    return json.dumps({"event": event, "t": 1.0, **fields}).encode()


COUNTERS = {
    **dict.fromkeys(("frames_total", "frames_ok", "graphs", "recompiles", "recompile_limit_hits", "graph_breaks"), 2),
    **dict.fromkeys(("cudagraph_skips", "cudagraph_recordings", "cache_hits", "cache_misses", "cache_bypasses"), 0),
}


HEAD = {"name": "s1", "rmse": 1e-7, "total_variation": 1e-8, "finite": True}


@pytest.mark.parametrize(
    ("written", "event"),
    [
        (line("hello", protocol=1, pid=7, python="3.11.7"), events.Hello(1, 7, "3.11.7")),
        (line("phase", phase="compile", detail="begin"), events.PhaseChange("compile", "begin", 1.0)),
        (line("loaded", import_ms=1.5, load_ms=None), events.Loaded(1.5, None)),
        (
            line("prediction", index=0, seed=5, latency_ms=9.0, value=1.0, absolute_error=2.0, naive_error=3.0),
            Prediction(0, 5, 9.0, 1.0, 2.0, 3.0),
        ),
        (
            line("counters", **COUNTERS, cudagraph_replays=None, reasons=["a\nb"], from_a_newer_worker=1),
            Counters(2, 2, 2, 2, 2, 2, reasons=("a b",)),
        ),
        (line("warm_up", index=1, latency_ms=9.0, error="x"), events.WarmUp(1, 9.0, "x")),
        (line("memory", rss_peak_mb=9.5), Memory(9.5)),
        (
            line("prediction", index=1, seed=5, latency_ms=9.0, value=1.0, rss_mb=300.5, device_mb=None),
            Prediction(1, 5, 9.0, 1.0, None, None, rss_mb=300.5),
        ),
        (
            line("accuracy", windows=16, digest="d", note=None, heads=[HEAD, {**HEAD, "name": "s2", "rmse": None}]),
            LogitAccuracy(
                16, "d", (HeadAccuracy("s1", 1e-7, 1e-8, True), HeadAccuracy("s2", None, 1e-8, finite=False))
            ),
        ),
        (line("accuracy", windows=0, note="no logits"), LogitAccuracy(0, None, (), "no logits")),
        (line("check", name="outputs_kept", ok=False, detail="x"), events.Check("outputs_kept", False, "x")),
        (
            line("error", kind="graph_reuse", type="RuntimeError", message="m", frame=None, stack="s"),
            events.Error("graph_reuse", Failure("RuntimeError", "m", None, "s")),
        ),
        (line("done"), events.Done()),
    ],
)
def it_reads_every_event(written: bytes, event: events.Event) -> None:
    assert events.parse(written) == event


def it_reads_the_failing_frame() -> None:
    frame = {"file": "model/module.py", "line": 265, "function": "forward", "code": "return output * self.weight"}
    error = events.parse(line("error", kind="graph_reuse", type="RuntimeError", message="m", frame=frame, stack=None))
    assert isinstance(error, events.Error)
    assert error.failure.frame == Frame("model/module.py", 265, "forward", "return output * self.weight")


LEAK = {"read": True, "producer": "Kronos.decode_s1", "output": 1, "shape": "float32[8]", "kept_by": "context"}


def it_reads_what_outlived_its_graph() -> None:
    frame = {"file": "model/module.py", "line": 265, "function": "forward", "code": "return output * self.weight"}
    told = line("leak", **LEAK, keeper="handoff", frame=frame, reader="Kronos.decode_s2", read_at=None)
    assert events.parse(told) == Leak(
        read=True,
        producer="Kronos.decode_s1",
        output=1,
        shape="float32[8]",
        frame=Frame("model/module.py", 265, "forward", "return output * self.weight"),
        keeper=Keeper.HANDOFF,
        kept_by="context",
        reader="Kronos.decode_s2",
    )


def it_takes_a_keeper_of_a_newer_worker_for_unknown_and_bounds_their_number() -> None:
    said = Transcript()
    for _ in range(2 * events.MAX_LEAKS):
        said.take(line("leak", **LEAK, keeper="the moon"))
    assert {leak.keeper for leak in said.leaks} == {Keeper.UNKNOWN}
    assert len(said.leaks) == events.MAX_LEAKS
    assert said.garbage == 0
    assert events.parse(line("leak", producer=None, output=1)) is None


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"hello",
        b"[1]",
        b"{}",
        b'{"event": 1}',
        b'{"event": "done"',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        line("prediction", index=-1, seed=0, latency_ms=1.0, value=1.0),
        line("prediction", index=2**40, seed=0, latency_ms=1.0, value=1.0),
        line("counters", graphs="many"),
        line("check", name="outputs_kept", ok="yes"),
        line("accuracy", windows=16, heads="s1"),
        line("accuracy", windows=16, heads=[{"name": "s1"}]),
        line("accuracy", windows=16, heads=["s1"]),
        line("environment", device=None, python="3", torch="2"),
        line("error", type="RuntimeError"),
    ],
)
def it_takes_nothing_else_for_an_event(written: bytes) -> None:
    assert events.parse(written) is None
    assert not events.is_unknown_event(written)


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"text"', "true", "null"])
def it_takes_no_forecast_that_is_no_number_for_one(value: str) -> None:
    written = f'{{"event": "prediction", "index": 0, "seed": 1, "latency_ms": 1.0, "value": {value}}}'
    prediction = events.parse(written.encode())
    assert isinstance(prediction, Prediction)
    assert prediction.value is None
    assert prediction.error is not None
    assert prediction.error.startswith("the forecast is not a finite number")


def it_keeps_an_error_whose_frame_cannot_be_read() -> None:
    error = events.parse(line("error", kind="graph_reuse", frame={"file": "a", "line": "b"}))
    assert isinstance(error, events.Error)
    assert (error.kind, error.failure.frame) == ("graph_reuse", None)


def it_cuts_and_cleans_texts() -> None:
    error = events.parse(line("error", kind="x", type="T", message="a\x00b\ud800" + "y" * 10_000, stack=None))
    assert isinstance(error, events.Error)
    assert error.failure.message.startswith("ab?y")
    assert len(error.failure.message) <= events.MAX_TEXT
    assert len(error.failure.message.encode()) <= events.MAX_TEXT


@given(st.binary(max_size=300) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(str).map(str.encode))
def it_never_fails_on_bytes(written: bytes) -> None:
    assert events.parse(written) is None or isinstance(events.parse(written), events.Event)


@given(
    st.sampled_from(sorted(events._READERS)),
    st.dictionaries(
        st.sampled_from(
            ["index", "seed", "value", "phase", "kind", "frame", "reasons", "ok", "name", "protocol", "pid"]
        ),
        st.none() | st.integers() | st.floats() | st.text() | st.lists(st.integers()) | st.booleans(),
    ),
)
def it_never_fails_on_an_event_with_wrong_fields(event: str, fields: dict[str, object]) -> None:
    parsed = events.parse(line(event, **fields))
    assert parsed is None or isinstance(parsed, events.Event)


def it_ignores_events_of_a_newer_worker_and_counts_garbage() -> None:
    said = Transcript()
    for written in (line("weather", wind=3), b"loading...", line("done")):
        said.take(written)
    assert (said.garbage, said.done) == (1, True)


def it_notes_during_which_prediction_torch_compiled() -> None:
    said = Transcript()
    for index, compiles in enumerate([True, False, True]):
        if compiles:
            said.take(line("phase", phase="compile", detail="begin"))
            said.take(line("phase", phase="compile", detail="end"))
        said.take(line("prediction", index=index, seed=1, latency_ms=1.0, value=1.0))
    assert said.compiled_in == {0, 2}


def it_does_not_blame_a_prediction_for_what_was_compiled_while_warming_up() -> None:
    said = Transcript()
    for written in (
        line("phase", phase="warm_up"),
        line("phase", phase="compile", detail="begin"),
        line("warm_up", index=0, latency_ms=900.5, error=None),
        line("phase", phase="predict"),
        line("prediction", index=0, seed=1, latency_ms=1.0, value=1.0),
        line("phase", phase="compile", detail="begin"),
    ):
        said.take(written)
    assert said.warm_ups == [events.WarmUp(0, 900.5, None)]
    assert said.compiled_in == {1}


def it_keeps_the_first_answer_of_a_prediction() -> None:
    said = Transcript()
    for value in (1.0, 2.0):
        said.take(line("prediction", index=0, seed=1, latency_ms=1.0, value=value))
    assert said.predictions[0].value == 1.0
    assert said.garbage == 1


def it_goes_back_to_what_it_did_before_compiling() -> None:
    transcript = Transcript()
    for phase, detail in (("predict", None), ("compile", "begin"), ("compile", "end")):
        transcript.take(line("phase", phase=phase, detail=detail))
    assert (transcript.phase, transcript.compiled_in) == ("predict", {0})
    transcript.take(line("phase", phase="compile", detail="begin"))
    assert (transcript.phase, transcript.phase_at) == ("compile", 1.0)
