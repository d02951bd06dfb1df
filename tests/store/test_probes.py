"""Probes are stored as they run, read back as they were, and nothing a child writes can break the store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, func, select

from kronos_health.domain.accuracy import HeadAccuracy, LogitAccuracy
from kronos_health.domain.campaigns import Measured
from kronos_health.domain.probes import (
    AccuracyState,
    CacheState,
    Comparison,
    Counters,
    Environment,
    Failure,
    Frame,
    Iteration,
    Keeper,
    Leak,
    Memory,
    Outcome,
    Prediction,
    ProbeFigures,
    ProbeKind,
    ProbeResult,
    ProbeSpec,
    Regime,
)
from kronos_health.store import probe_history, probes
from kronos_health.store.database import reading, writing
from kronos_health.store.measured import measured_by
from kronos_health.store.tables import probes as tables

CPU = Environment(
    fingerprint="a" * 64,
    device="cpu",
    python="3.11.7",
    torch="2.13.0",
    cuda=None,
    triton=None,
    driver=None,
    gpu=None,
    host="here",
    target_revision="sktime 1.2.0",
    weights_revision=None,
    dtype="float32",
    model_shape="mini",
    timing_method="perf_counter",
    protocol_version=1,
)
REUSED = Failure(
    "RuntimeError",
    "accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run",
    Frame("model/module.py", 265, "forward", "return output * self.weight"),
    "the whole stack",
)


def an_iteration(now: datetime, index: int = 0, outcome: Outcome = Outcome.PASSED, value: float = 100.0) -> Iteration:
    return Iteration(
        index=index,
        outcome=outcome,
        started_at=now,
        duration_ms=2000.0,
        regime=Regime.SATURATED,
        cache_state=CacheState.COLD,
        exit_status=0,
        signal=None,
        import_ms=900.0,
        load_ms=100.0,
        first_call_ms=50.0,
        steady_median_ms=10.0,
        steady_iqr_ms=1.0,
        steady_p95_ms=12.0,
        mae=5.0,
        memory=Memory(rss_peak_mb=400.0),
        counters=Counters(frames_total=4, frames_ok=4, graphs=4, reasons=("why", "why else")),
        predictions=tuple(
            Prediction(place, 1000 + 1000 * index + place, 10.0 + place, value, 5.0, 6.0) for place in range(2)
        ),
        failure=None if outcome is Outcome.PASSED else REUSED,
        stderr_tail="a warning",
    )


def a_result(now: datetime, iterations: tuple[Iteration, ...], outcome: Outcome, variant: str = "eager") -> ProbeResult:
    return ProbeResult(
        spec=ProbeSpec("kronos", variant, iterations=2, predictions=2),
        outcome=outcome,
        started_at=now,
        finished_at=now + timedelta(minutes=1),
        environment=CPU,
        iterations=iterations,
        failure=None if outcome is Outcome.PASSED else REUSED,
        noise=("somebody else", "was busy"),
        figures=ProbeFigures(mae_mean=5.0, mae_std=0.0, latency_mean_ms=10.5, steady_median_ms=10.0, memory_mb=400.0),
    )


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with writing(engine) as connection:
        yield connection


@pytest.fixture
def campaign(connection: Connection, now: datetime) -> str:
    return probes.start_campaign(connection, "command line", now)


def stored(connection: Connection, campaign: str, result: ProbeResult) -> str:
    """What a check does: open, record each iteration as it ends, close."""
    probe_id = probes.open_probe(connection, campaign, result.spec, result.started_at)
    for iteration in result.iterations:
        probes.record_iteration(connection, probe_id, iteration, result.environment)
    probes.close_probe(connection, probe_id, result)
    return probe_id


def count(connection: Connection, table: object) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


def it_returns_a_probe_as_it_was_stored(connection: Connection, campaign: str, now: datetime) -> None:
    iterations = (an_iteration(now), an_iteration(now, 1, Outcome.GRAPH_REUSE))
    result = a_result(now, iterations, Outcome.GRAPH_REUSE, "compiled")
    probe_id = stored(connection, campaign, result)

    record = probe_history.probe_record(connection, probe_id)

    assert record is not None
    assert (record.target, record.variant, record.kind) == ("kronos", "compiled", ProbeKind.MEASURED)
    assert (record.started_at, record.finished_at) == (result.started_at, result.finished_at)
    assert (record.outcome, record.requested, record.passed) == (Outcome.GRAPH_REUSE, 2, 1)
    assert record.environment == CPU
    assert record.figures == result.figures
    assert record.failure == replace(REUSED, stack=None)
    assert record.noise == result.noise
    assert [(item.index, item.outcome, item.cache_state) for item in record.iterations] == [
        (0, Outcome.PASSED, CacheState.COLD),
        (1, Outcome.GRAPH_REUSE, CacheState.COLD),
    ]
    row = connection.execute(select(tables.iteration).where(tables.iteration.c.index == 1)).mappings().one()
    assert (row["stack"], row["stderr_tail"], row["graphs"]) == ("the whole stack", "a warning", 4)
    assert row["reasons"] == "why\nwhy else"
    assert (row["rss_peak_mb"], row["device_allocated_mb"], row["cudagraph_replays"]) == (400.0, None, None)


def it_keeps_how_a_variant_depends_on_being_warm(connection: Connection, campaign: str, now: datetime) -> None:
    outcomes = (Outcome.GRAPH_REUSE, Outcome.GRAPH_REUSE, Outcome.PASSED, Outcome.PASSED)
    iterations = tuple(
        replace(an_iteration(now, index, outcome), warmups=warmups)
        for index, (warmups, outcome) in enumerate(zip((1, 2, 3, 5), outcomes, strict=True))
    )
    probe_id = stored(connection, campaign, a_result(now, iterations, Outcome.GRAPH_REUSE, "compiled"))
    record = probe_history.probe_record(connection, probe_id)
    assert record is not None
    assert [item.warmups for item in record.iterations] == [1, 2, 3, 5]
    row = connection.execute(select(tables.probe)).mappings().one()
    assert (row["passes_with_warmups"], row["fails_with_warmups"]) == (3, 2)


def it_keeps_what_a_killed_checker_had_recorded(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        campaign = probes.start_campaign(connection, "airflow", now, "kronos_compile_probe", "manual__1")
        probe_id = probes.open_probe(connection, campaign, ProbeSpec("kronos", "eager"), now)
    with writing(engine) as connection:
        probes.record_iteration(connection, probe_id, an_iteration(now), CPU)
    # here the checker is killed; later somebody looks
    with reading(engine) as connection:
        assert probe_history.open_probes(connection, started_before=now) == ()
        (lost,) = probe_history.open_probes(connection, started_before=now + timedelta(hours=6))
    assert (lost.probe_id, lost.outcome, lost.passed, len(lost.iterations)) == (probe_id, None, 1, 1)
    assert lost.environment == CPU
    with writing(engine) as connection:
        assert probes.mark_lost(connection, [probe_id], now + timedelta(hours=6)) == 1
        assert probes.mark_lost(connection, [probe_id], now + timedelta(hours=7)) == 0
        record = probe_history.probe_record(connection, probe_id)
    assert record is not None
    assert (record.outcome, record.finished_at) == (Outcome.LOST, now + timedelta(hours=6))


def it_gives_a_slow_probe_its_real_outcome_although_it_was_given_up(
    connection: Connection, campaign: str, now: datetime
) -> None:
    result = a_result(now, (an_iteration(now),), Outcome.PASSED)
    probe_id = probes.open_probe(connection, campaign, result.spec, now)
    probes.mark_lost(connection, [probe_id], now)
    probes.close_probe(connection, probe_id, result)
    record = probe_history.probe_record(connection, probe_id)
    assert record is not None
    assert (record.outcome, record.failure) == (Outcome.PASSED, None)


def it_stores_no_part_of_an_iteration_twice(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        campaign = probes.start_campaign(connection, "command line", now)
        probe_id = probes.open_probe(connection, campaign, ProbeSpec("kronos", "eager"), now)
        probes.record_iteration(connection, probe_id, an_iteration(now))
    with pytest.raises(Exception, match=r"(?i)unique"), writing(engine) as connection:
        probes.record_iteration(connection, probe_id, an_iteration(now))
    with reading(engine) as connection:
        assert (count(connection, tables.iteration), count(connection, tables.prediction)) == (1, 2)


def it_keeps_one_environment_per_fingerprint(engine: Engine) -> None:
    ids: list[str] = []

    def ensure() -> None:
        with writing(engine) as connection:
            ids.append(probes.ensure_environment(connection, CPU))

    threads = [threading.Thread(target=ensure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with writing(engine) as connection:
        other = probes.ensure_environment(connection, replace(CPU, fingerprint="b" * 64, torch="2.14.0"))
        assert count(connection, tables.environment) == 2
    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert other not in ids


def it_takes_whatever_a_child_wrote(connection: Connection, campaign: str, now: datetime) -> None:
    nasty = "\x00'; DROP TABLE probe; --\ud800" + "x" * 5000
    failure = Failure(nasty, nasty, Frame(nasty, 1, nasty, nasty), nasty)
    iteration = replace(an_iteration(now, outcome=Outcome.CRASHED), failure=failure, stderr_tail=nasty, signal=nasty)
    result = replace(a_result(now, (iteration,), Outcome.CRASHED), failure=failure, environment=replace(CPU, gpu=nasty))
    record = probe_history.probe_record(connection, stored(connection, campaign, result))
    assert record is not None
    assert record.failure is not None
    assert record.failure.message.startswith("'; DROP TABLE probe; --?x")
    assert len(record.failure.error_class) == 128
    assert record.environment is not None
    assert len(record.environment.gpu or "") == 128


def it_lists_a_targets_probes_newest_first(connection: Connection, campaign: str, now: datetime) -> None:
    for day in range(3):
        at = now + timedelta(days=day)
        for variant in ("eager", "compiled"):
            stored(connection, campaign, a_result(at, (an_iteration(at),), Outcome.PASSED, variant))
    toto = ProbeSpec("toto", "eager", kind=ProbeKind.REHEARSED)
    probes.open_probe(connection, campaign, toto, now)

    eager = probe_history.recent_probes(connection, "kronos", variant="eager", since=now + timedelta(days=1))
    assert [record.started_at for record in eager] == [now + timedelta(days=2), now + timedelta(days=1)]
    assert len(probe_history.recent_probes(connection, "kronos", limit=4)) == 4
    assert len(probe_history.recent_probes(connection, "kronos", kind=ProbeKind.REHEARSED)) == 0
    assert len(probe_history.recent_probes(connection, "toto", kind=ProbeKind.REHEARSED, candidate="production")) == 1
    assert len(probe_history.probes_of_campaign(connection, campaign)) == 7
    assert probe_history.probe_record(connection, "nothing") is None


def it_knows_whether_a_variant_ever_passed(connection: Connection, campaign: str, now: datetime) -> None:
    stored(connection, campaign, a_result(now, (an_iteration(now),), Outcome.PASSED, "compiled"))
    later = now + timedelta(days=1)
    assert probe_history.passed_before(connection, "kronos", "compiled", before=later)
    assert probe_history.passed_before(connection, "kronos", "compiled", before=later, device="cpu")
    assert not probe_history.passed_before(connection, "kronos", "compiled", before=later, device="cuda")
    assert not probe_history.passed_before(connection, "kronos", "compiled", before=now)
    assert not probe_history.passed_before(connection, "kronos", "eager", before=later)


def it_pairs_forecasts_made_under_the_same_seed(connection: Connection, campaign: str, now: datetime) -> None:
    eager = a_result(now, (an_iteration(now), an_iteration(now, 1)), Outcome.PASSED)
    other_seed = replace(an_iteration(now, 1), predictions=(Prediction(0, 7, 1.0, 1.0, 1.0, 1.0),))
    compiled = a_result(now, (an_iteration(now, value=101.0), other_seed), Outcome.PASSED, "compiled")
    pairs = probe_history.prediction_pairs(
        connection, stored(connection, campaign, eager), stored(connection, campaign, compiled)
    )
    assert [(pair.iteration, pair.index, pair.seed) for pair in pairs] == [(0, 0, 1000), (0, 1, 1001)]
    assert (pairs[0].baseline_value, pairs[0].candidate_value, pairs[0].naive_error) == (100.0, 101.0, 6.0)
    assert (pairs[0].baseline_error, pairs[0].candidate_error) == (5.0, 5.0)


def it_tells_pairs_of_different_windows_apart(connection: Connection, campaign: str, now: datetime) -> None:
    eager = a_result(now, (an_iteration(now),), Outcome.PASSED)
    first, second = an_iteration(now).predictions
    moved = replace(an_iteration(now), predictions=(replace(first, naive_error=None), replace(second, naive_error=7.0)))
    compiled = a_result(now, (moved,), Outcome.PASSED, "compiled")
    same = stored(connection, campaign, eager)
    again, other = stored(connection, campaign, eager), stored(connection, campaign, compiled)
    assert [pair.same_window for pair in probe_history.prediction_pairs(connection, same, again)] == [True, True]
    assert [pair.same_window for pair in probe_history.prediction_pairs(connection, same, other)] == [False, False]


def it_keeps_the_logits_of_the_iteration_that_was_asked(connection: Connection, campaign: str, now: datetime) -> None:
    heads = (HeadAccuracy("s1", 3e-7, 1e-7, True), HeadAccuracy("s2", None, None, finite=False))
    told = LogitAccuracy(16, "d1", heads)
    asked = replace(an_iteration(now, 1), logits=told)
    probe_id = stored(connection, campaign, a_result(now, (an_iteration(now), asked), Outcome.PASSED))
    assert probe_history.logit_accuracy(connection, probe_id) == told

    none = LogitAccuracy(0, None, (), "Toy has no logits(windows)")
    noted = replace(an_iteration(now), logits=none)
    probe_id = stored(connection, campaign, a_result(now, (noted,), Outcome.PASSED))
    assert probe_history.logit_accuracy(connection, probe_id) == none
    probe_id = stored(connection, campaign, a_result(now, (an_iteration(now),), Outcome.PASSED))
    assert probe_history.logit_accuracy(connection, probe_id) is None


def it_keeps_the_last_comparison_of_two_probes(connection: Connection, campaign: str, now: datetime) -> None:
    eager = stored(connection, campaign, a_result(now, (), Outcome.PASSED))
    compiled = stored(connection, campaign, a_result(now, (), Outcome.PASSED, "compiled"))
    first = Comparison(eager, compiled, 8, AccuracyState.INCONCLUSIVE, "8 pairs", 0.01, 0.08, 0.05, 1.0, 1.2, None)
    kept = probes.record_comparison(connection, campaign, first, now)
    second = replace(
        first,
        pairs=20,
        accuracy=AccuracyState.PASS,
        accuracy_reason="20 pairs",
        logits=AccuracyState.PASS,
        forecasts=AccuracyState.PASS,
        rmse_ratio=1.01,
        total_variation=1e-7,
    )
    assert probes.record_comparison(connection, campaign, second, now) == kept
    assert probe_history.comparisons(connection, [eager, compiled]) == {compiled: second}


def it_notes_when_a_campaign_ended(connection: Connection, now: datetime) -> None:
    campaign = probes.start_campaign(connection, "airflow", now, "a_dag", "a_run")
    probes.finish_campaign(connection, campaign, now + timedelta(hours=1))
    row = connection.execute(select(tables.campaign)).mappings().one()
    assert (row["airflow_dag_id"], row["airflow_run_id"]) == ("a_dag", "a_run")
    assert row["finished_at"].replace(tzinfo=UTC) == now + timedelta(hours=1)


def it_reads_whole_iterations_back_as_they_were(connection: Connection, campaign: str, now: datetime) -> None:
    """Whatever an iteration learns to say must survive a kill, or a probe that goes on forgets it."""
    heads = (HeadAccuracy("s1", 1e-7, 2e-8, True), HeadAccuracy("s2", None, None, False))
    told = replace(an_iteration(now), logits=LogitAccuracy(16, "d" * 64, heads))
    asked = replace(an_iteration(now, 2), logits=LogitAccuracy(0, None, (), "this target shows no logits"))
    iterations = (told, an_iteration(now, 1, Outcome.GRAPH_REUSE), asked)
    result = a_result(now, iterations, Outcome.GRAPH_REUSE)
    probe_id = stored(connection, campaign, result)
    assert measured_by(connection, probe_id) == Measured(iterations, CPU, result.noise)
    assert measured_by(connection, probe_id).missing(5) == (3, 4)
    assert measured_by(connection, "nowhere") == Measured()


def it_keeps_what_a_rehearsal_found_to_outlive_its_graph(engine: Engine, now: datetime) -> None:
    at = Frame("model/module.py", 265, "forward", "return output * self.weight")
    read = Leak(True, "Kronos.decode_s1", 1, "float32[8]", at, Keeper.HANDOFF, "context", "Kronos.decode_s2", at)
    held = Leak(False, "Kronos.decode_s1", 3, "float32[8]", None, Keeper.PARKED, "model.cos\x00_cached" + "x" * 300)
    failed = replace(an_iteration(now, outcome=Outcome.GRAPH_REUSE), leaks=(read, held))
    with writing(engine) as connection:
        campaign = probes.start_campaign(connection, "test", now)
        probe_id = probes.open_probe(
            connection, campaign, ProbeSpec("kronos", "compiled", kind=ProbeKind.REHEARSED), now
        )
        probes.record_iteration(connection, probe_id, failed)
    with reading(engine) as connection:
        rows = connection.execute(select(tables.leak).order_by(tables.leak.c.index)).mappings().all()
    assert [(row["read"], row["keeper"], row["reader"]) for row in rows] == [
        (True, "handoff", "Kronos.decode_s2"),
        (False, "parked", None),
    ]
    assert (rows[0]["frame_code"], rows[0]["read_line"], rows[1]["frame_file"]) == (at.code, 265, None)
    assert rows[1]["kept_by"] == "model.cos_cached" + "x" * 300
    with reading(engine) as connection:
        (again,) = measured_by(connection, probe_id).iterations
    assert again.leaks == (read, replace(held, kept_by="model.cos_cached" + "x" * 300)), "a kill forgets none of it"
