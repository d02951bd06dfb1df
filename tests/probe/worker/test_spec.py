"""The order is checked key by key before anything heavy is imported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kronos_health.probe.worker.errors import BadInput
from kronos_health.probe.worker.spec import parse_spec
from tests.probe.worker.runs import run, spec


def it_reads_an_order_and_ignores_what_it_does_not_know() -> None:
    read = parse_spec({**spec(iteration=2, device="cuda:0"), "from the future": True})
    assert (read.iteration, read.device, read.target.size, read.variant.recipe) == (2, "cuda:0", "tiny", "eager")
    assert read.evaluation.lookback == 16


def it_seeds_a_prediction_the_same_for_every_variant() -> None:
    eager = parse_spec(spec(iteration=3))
    compiled = parse_spec(spec(iteration=3, variant={"recipe": "compiled"}))
    assert [eager.seed_of(k) for k in range(3)] == [compiled.seed_of(k) for k in range(3)] == [4000, 4001, 4002]


def it_rehearses_on_the_cpu_whatever_the_device() -> None:
    assert parse_spec(spec(kind="rehearsed", device="cuda:0")).run_device == "cpu"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": 2}, "the spec speaks protocol 2, this worker 1"),
        ({"kind": "dreamt"}, "kind is 'dreamt' in the spec; use one of measured, rehearsed"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"regime": "shrinking"}, "regime is 'shrinking'"),
        ({"predictions": 0}, "predictions must be a whole number of at least 1 in the spec, not 0"),
        ({"warmups": -1}, "warmups must be a whole number of at least 0 in the spec, not -1"),
        ({"predictions": True}, "predictions must be a whole number of at least 1 in the spec, not True"),
        ({"target": {"size": "huge"}}, "target.size is 'huge'"),
        ({"target": {"checkout": 3}}, "target.checkout must be text"),
        ({"evaluation": {"lookback": "long"}}, "evaluation.lookback must be a whole number"),
    ],
)
def it_names_the_key_that_is_wrong(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as raised:
        parse_spec(spec(**change))
    assert message in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"target": []}), "\x00"])
def it_reports_an_unreadable_order_as_an_event(text: str, tmp_path: Path) -> None:
    told = run(text, tmp_path)
    assert told.finished
    assert [one["event"] for one in told.events] == ["hello", "error", "done"]
    assert told.failure is not None
    assert told.failure["kind"] == "bad_input"
    assert told.stderr == ""
