"""Results files of the original system are read with all their figures, or refused with file and key."""

from __future__ import annotations

import json
import statistics
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kronos_health.domain.probes import Outcome
from kronos_health.domain.revisit import Confidence, Mode
from kronos_health.probe.baseline import BaselineError, read_results, shipped

EAGER = {
    "mae_mean": 2.0,
    "mae_std": 1.0,
    "mae_list": [1.0, 3.0],
    "time_mean": 150.0,
    "time_std": 50.0,
    "time_list": [200.0, 100.0],
    "memory_mean": 300.0,
    "memory_peak": 310.0,
    "iterations": 2,
}


def written(folder: Path, content: object) -> Path:
    path = folder / "kronos_benchmark_results.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def it_ships_every_figure_of_the_day() -> None:
    baseline = shipped()
    eager, compiled, toto, toto_compiled = baseline.probes
    assert baseline.recorded_at == datetime(2025, 10, 30, tzinfo=UTC)
    assert [item.mae for item in eager.iterations] == [34254.85, 34141.65, 39055.57, 37419.44, 35927.19]
    assert [item.first_call_ms for item in eager.iterations] == [6410.9, 2442.2, 2265.3, 2294.6, 1992.4]
    figures = eager.figures
    assert (eager.outcome, eager.passed, eager.spec.iterations) == (Outcome.PASSED, 5, 5)
    assert (round(figures.mae_mean or 0), round(figures.mae_std or 0)) == (36160, 1883)
    assert (round(figures.latency_mean_ms or 0), round(figures.latency_std_ms or 0)) == (3081, 1671)
    assert round(figures.memory_mb or 0) == 336
    assert (compiled.outcome, compiled.passed, compiled.spec.iterations) == (Outcome.GRAPH_REUSE, 0, 5)
    assert all(item.outcome is Outcome.GRAPH_REUSE for item in compiled.iterations)
    assert (toto.figures.latency_mean_ms, toto.figures.memory_mb) == (500.0, 650.0)
    assert (toto_compiled.figures.memory_mb, toto_compiled.outcome) == (900.0, Outcome.DEGRADED_TO_EAGER)
    assert toto_compiled.failure is not None
    assert toto_compiled.failure.message == "8+ recompilations, CUDA graphs skipped"
    assert [(taken.target, taken.mode) for taken in baseline.decisions] == [
        ("kronos", Mode.EAGER),
        ("toto", Mode.EAGER),
    ]
    assert baseline.expected == {
        "combined.time_ms": 3500.0,
        "combined.memory_below_mb": 1024.0,
        "returns_percent.ETHUSD MaxDiff": 10.43,
    }
    assert baseline.settings["model"] == "NeoQuasar/Kronos-base"
    assert baseline.gates == {"mae_difference_below": 0.05, "speed_up_above": 1.1, "memory_growth_below": 0.5}


def it_ships_means_that_agree_with_the_single_values() -> None:
    eager = shipped().probes[0]
    maes = [item.mae or 0.0 for item in eager.iterations]
    times = [item.first_call_ms or 0.0 for item in eager.iterations]
    assert eager.figures.mae_mean == pytest.approx(statistics.fmean(maes), abs=0.01)
    assert eager.figures.mae_std == pytest.approx(statistics.pstdev(maes), abs=0.01)
    assert eager.figures.latency_mean_ms == pytest.approx(statistics.fmean(times), abs=0.1)
    assert eager.figures.latency_std_ms == pytest.approx(statistics.pstdev(times), abs=0.1)


def it_reads_the_teams_own_format(tmp_path: Path) -> None:
    content = {"results": {"eager": EAGER, "compiled": None}, "decision": "INCONCLUSIVE"}
    at = datetime(2025, 11, 2, tzinfo=UTC)
    baseline = read_results(written(tmp_path, content), recorded_at=at)
    eager, compiled = baseline.probes
    assert all(probe.imported for probe in baseline.probes)
    assert (eager.passed, eager.spec.iterations, eager.started_at) == (2, 2, at)
    assert eager.figures.memory_mb == 310.0
    assert (compiled.passed, compiled.spec.iterations, compiled.outcome) == (0, 2, Outcome.WORKER_ERROR)
    assert compiled.failure is not None
    assert compiled.failure.message == "no successful iteration; the file does not say why"
    assert baseline.decisions == ()


def it_takes_a_stated_decision_and_computes_what_is_not_stated(tmp_path: Path) -> None:
    lists = {"mae_list": [1.0, 3.0], "time_list": [200.0, 100.0]}
    path = written(tmp_path, {"results": {"eager": lists, "compiled": lists}, "decision": "COMPILED"})
    baseline = read_results(path, target="toto")
    assert (baseline.probes[1].figures.mae_mean, baseline.probes[1].figures.latency_std_ms) == (2.0, 50.0)
    (decision,) = baseline.decisions
    assert (decision.target, decision.mode, decision.variant) == ("toto", Mode.COMPILED, "compiled")
    assert decision.confidence is Confidence.LOW
    assert decision.evidence_at is None, "nobody looked at the criteria"
    assert decision.sentence == f"toto runs COMPILED, recorded by the team on {baseline.recorded_at:%Y-%m-%d}."
    assert baseline.recorded_at == datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(microsecond=0)


def it_reads_a_file_with_nothing_measured(tmp_path: Path) -> None:
    content = {"results": {"eager": {"mae": None}, "compiled": {}}, "decision": None}
    eager, compiled = read_results(written(tmp_path, content)).probes
    assert (eager.passed, eager.outcome) == (0, Outcome.WORKER_ERROR)
    assert compiled.figures.mae_mean is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not JSON", "is not JSON"),
        ("[1]", "the file must be a table, not a list"),
        ({}, "results is missing"),
        ({"results": None}, 'results must hold "eager" and "compiled"'),
        ({"results": {"other": {}}}, 'results must hold "eager" and "compiled"'),
        ({"results": {"eager": [1]}}, "results.eager must be a table, not a list"),
        ({"results": {"eager": {"mae_list": 3}}}, "results.eager.mae_list must be a list of numbers"),
        ({"results": {"eager": {"mae_list": [1, "2"]}}}, "results.eager.mae_list[1] must be a number"),
        ('{"results": {"eager": {"mae_mean": NaN}}}', "results.eager.mae_mean is nan, which is no figure"),
        ({"results": {"eager": {"iterations": 2.5}}}, "results.eager.iterations must be a whole number"),
        (
            {"results": {"eager": {"mae_list": [1], "time_list": [1, 2]}}},
            "results.eager.time_list has 2 values and mae_list 1",
        ),
        ({"results": {"eager": None}, "decision": "MAYBE"}, "decision is 'MAYBE'"),
        ({"results": {"eager": None}, "recorded_at": "yesterday"}, "recorded_at is 'yesterday'"),
    ],
)
def it_names_file_and_key_of_what_it_cannot_read(tmp_path: Path, content: object, words: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(BaselineError) as error:
        read_results(path)
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def it_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"nowhere\.json cannot be read: No such file"):
        read_results(tmp_path / "nowhere.json")
