"""The stored history tells what the decision needs, and decisions come back as they were taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from kronos_health.domain.probes import (
    AccuracyState,
    CacheState,
    Comparison,
    Counters,
    Environment,
    Iteration,
    Memory,
    Outcome,
    ProbeKind,
    ProbeResult,
    ProbeSpec,
    Regime,
)
from kronos_health.domain.revisit import Confidence, History, Mode
from kronos_health.domain.upstream import Release, Revision, Unknown
from kronos_health.revisit.decision import decide
from kronos_health.settings.models import Revisit
from kronos_health.store import probes, upstream
from kronos_health.store.database import reading, writing
from kronos_health.store.revisit import decisions, latest_decision, load_history, record_decision

RULES = Revisit()
DAY = timedelta(days=1)


def _environment(**changes: Any) -> Environment:
    environment = Environment(
        fingerprint="f" * 64, device="cuda", python="3.11.7", torch="2.13.0+cu130", cuda="13.0", triton="3.5.0",
        driver="580", gpu="H200", host="gpu-1", target_revision=f"{'a' * 12}+x", weights_revision="model random",
        dtype="float32", model_shape="base", timing_method="cuda_event", protocol_version=1,
    )  # fmt: skip
    return replace(environment, **changes)


def _iteration(index: int, outcome: Outcome, at: datetime, cache: CacheState) -> Iteration:
    return Iteration(
        index=index, outcome=outcome, started_at=at, duration_ms=1.0, regime=Regime.SATURATED, cache_state=cache,
        exit_status=0, signal=None, import_ms=None, load_ms=None, first_call_ms=None, steady_median_ms=None,
        steady_iqr_ms=None, steady_p95_ms=None, mae=None, memory=Memory(), counters=Counters(),
    )  # fmt: skip


def _result(
    variant: str, at: datetime, outcomes: Sequence[Outcome], caches: Sequence[CacheState] = (), **changes: Any
) -> ProbeResult:
    caches = caches or [CacheState.COLD] * len(outcomes)
    iterations = tuple(
        _iteration(index, outcome, at, cache)
        for index, (outcome, cache) in enumerate(zip(outcomes, caches, strict=True))
    )
    worst = next((outcome for outcome in outcomes if outcome is not Outcome.PASSED), Outcome.PASSED)
    spec = ProbeSpec("kronos", variant, iterations=len(outcomes), kind=changes.pop("kind", ProbeKind.MEASURED),
                     candidate=changes.pop("candidate", "production"))  # fmt: skip
    result = ProbeResult(spec, worst, at, at, _environment(), iterations)
    return replace(result, **changes)


def _store(engine: Engine, *results: ProbeResult, compare: AccuracyState | None = None) -> list[str]:
    with writing(engine) as connection:
        campaign = probes.start_campaign(connection, "test", results[0].started_at)
        ids = [probes.add_probe(connection, campaign, result) for result in results]
        if compare:
            comparison = Comparison(ids[0], ids[1], 20, compare, "as told", 0.0, 0.01, 0.05, 1.0, 1.6, 1.1)
            probes.record_comparison(connection, campaign, comparison, results[0].started_at)
    return ids


def _history(engine: Engine, **arguments: Any) -> History:
    with reading(engine) as connection:
        return load_history(connection, "kronos", **arguments)


class DescribeTheHistory:
    def it_counts_iterations_by_what_they_say_of_the_model(self, engine: Engine, now: datetime) -> None:
        outcomes = [Outcome.PASSED, Outcome.GRAPH_REUSE, Outcome.WORKER_ERROR, Outcome.TIMEOUT, Outcome.PASSED]
        caches = [CacheState.COLD, CacheState.WARM, CacheState.WARM, CacheState.WARM, CacheState.MIXED]
        (probe_id,) = _store(engine, _result("compiled", now, outcomes, caches))
        (facts,) = _history(engine).probes
        assert (facts.probe_id, facts.variant, facts.device, facts.torch) == (
            probe_id, "compiled", "cuda", "2.13.0+cu130",
        )  # fmt: skip
        assert (facts.requested, facts.passed, facts.failed, facts.graph_failures) == (5, 2, 2, 1)
        assert facts.cache_states == {CacheState.COLD}, "a cache that was found by a failure shows nothing"
        assert facts.started_at == now

    def it_takes_torchs_counts_from_the_worst_process_that_says_something(self, engine: Engine, now: datetime) -> None:
        result = _result("compiled", now, [Outcome.PASSED, Outcome.DEGRADED_TO_EAGER, Outcome.LOST])
        counts = (Counters(recompiles=3), Counters(recompiles=12, cudagraph_skips=2), Counters(recompiles=99))
        counted = tuple(replace(one, counters=had) for one, had in zip(result.iterations, counts, strict=True))
        _store(engine, replace(result, iterations=counted), _result("eager", now, []))
        worst, none = _history(engine).probes
        assert (worst.recompiles, worst.cudagraph_skips) == (12, 2)
        assert (none.recompiles, none.cudagraph_skips) == (None, None)

    def it_takes_an_imported_summary_at_its_word(self, engine: Engine, now: datetime) -> None:
        bare = _result("compiled", now, [], outcome=Outcome.GRAPH_REUSE, environment=None, imported=True)
        _store(engine, replace(bare, spec=replace(bare.spec, iterations=5)))
        (facts,) = _history(engine).probes
        assert (facts.requested, facts.passed, facts.failed, facts.graph_failures) == (5, 0, 5, 5)
        assert (facts.imported, facts.device, facts.fingerprint) == (True, None, None)

    def it_knows_a_probe_that_is_still_running(self, engine: Engine, now: datetime) -> None:
        with writing(engine) as connection:
            campaign = probes.start_campaign(connection, "test", now)
            probes.open_probe(connection, campaign, ProbeSpec("kronos", "compiled"), now)
        (facts,) = _history(engine).probes
        assert (facts.outcome, facts.failed, facts.passed) == (None, 0, 0)

    def it_holds_one_target_only_and_its_comparisons(self, engine: Engine, now: datetime) -> None:
        passing = [Outcome.PASSED] * 5
        ids = _store(
            engine, _result("eager", now, passing), _result("mended", now, passing), compare=AccuracyState.PASS
        )
        other = _result("eager", now, passing)
        _store(engine, replace(other, spec=replace(other.spec, target="toto")))
        history = _history(engine)
        assert [facts.probe_id for facts in history.probes] == ids
        (comparison,) = history.comparisons
        assert (comparison.baseline_probe, comparison.candidate_probe) == tuple(ids)
        assert (comparison.accuracy, comparison.speed_up, comparison.created_at) == (AccuracyState.PASS, 1.6, now)

    def it_takes_productions_torch_from_the_newest_measured_probe(self, engine: Engine, now: datetime) -> None:
        passing = [Outcome.PASSED]
        _store(engine, _result("eager", now - DAY, passing))
        upgraded = _environment(fingerprint="e" * 64, torch="2.14.0")
        tried = _environment(fingerprint="d" * 64, torch="2.15.0")
        _store(
            engine,
            _result("eager", now - DAY / 2, passing, environment=upgraded),
            _result("eager", now, passing, environment=tried, candidate="torch=2.15.0"),
            _result("compiled", now, passing, environment=tried, kind=ProbeKind.REHEARSED),
            _result("compiled", now, passing, environment=None),
        )
        assert _history(engine).production_torch == "2.14.0"

    def it_carries_what_is_upstream(self, engine: Engine, now: datetime) -> None:
        head = Revision("kronos", "a" * 40, now, "first", "HEAD", contained=True)
        remotes = [replace(head, commit=commit * 40, ref="origin/HEAD", contained=False) for commit in "bc"]
        with writing(engine) as connection:
            upstream.record_releases(connection, "torch", [Release("torch", "2.15.0")], None, now - DAY)
            upstream.record_releases(connection, "torch", [], Unknown("torch", "silent"), now)
            for days, remote in enumerate(remotes):
                upstream.record_revisions(connection, "kronos", "origin/HEAD", [head, remote], [], now + days * DAY)
        history = _history(engine, repository="kronos", ref="origin/HEAD")
        assert [release.version for release in history.releases] == ["2.15.0"]
        assert history.release_look is not None
        assert (history.release_look.last_ok_at, history.release_look.unknown_since) == (now - DAY, now)
        assert history.head is not None
        assert history.remote is not None
        assert (history.head.commit[0], history.remote.commit[0], history.remote.contained) == ("a", "c", False)
        assert history.known_commits == {"a" * 40, "b" * 40, "c" * 40}
        assert history.revision_look is not None

    def it_watches_no_checkout_for_a_target_without_one(self, engine: Engine, now: datetime) -> None:
        history = _history(engine)
        assert (history.head, history.remote, history.revision_look, history.release_look) == (None, None, None, None)
        assert history == History("kronos")


class DescribeDecisions:
    @pytest.fixture
    def campaign(self, engine: Engine, now: datetime) -> Engine:
        passing = [Outcome.PASSED] * 5
        _store(engine, _result("eager", now, passing), _result("mended", now, passing), compare=AccuracyState.PASS)
        _store(engine, _result("compiled", now, [Outcome.GRAPH_REUSE] * 5))
        return engine

    def it_comes_back_whole(self, campaign: Engine, now: datetime) -> None:
        taken = decide(_history(campaign), None, RULES, now)
        assert (taken.mode, taken.variant) == (Mode.COMPILED, "mended")
        with writing(campaign) as connection:
            decision_id = record_decision(connection, taken)
        with reading(campaign) as connection:
            stored = latest_decision(connection, "kronos")
        assert stored is not None
        assert (stored.decision_id, stored.imported) == (decision_id, False)
        assert stored.decision == taken

    def it_is_the_latest_by_its_time_and_the_checkers_own_where_asked(self, campaign: Engine, now: datetime) -> None:
        taken = decide(_history(campaign), None, RULES, now)
        people = replace(taken, mode=Mode.EAGER, variant=None, confidence=Confidence.HIGH, decided_at=now + DAY,
                         criteria=(), standings=())  # fmt: skip
        with writing(campaign) as connection:
            record_decision(connection, people, imported=True)
            record_decision(connection, taken)
            record_decision(connection, replace(taken, decided_at=now - DAY))
            record_decision(connection, replace(taken, target="toto"))
        with reading(campaign) as connection:
            latest, own = latest_decision(connection, "kronos"), latest_decision(connection, "kronos", imported=False)
            assert [item.decision.decided_at for item in decisions(connection, "kronos")] == [now + DAY, now, now - DAY]
            assert [item.decision.decided_at for item in decisions(connection, "kronos", since=now, limit=1)] == [
                now + DAY
            ]
            assert latest_decision(connection, "nobody") is None
        assert latest is not None
        assert latest.imported
        assert own is not None
        assert own.decision == taken

    def it_decides_from_two_months_of_daily_probes(self, sqlite_engine: Engine, now: datetime) -> None:
        bare = [Outcome.PASSED] * 3
        for day in range(60):
            _store(sqlite_engine, _result("eager", now - day * DAY, bare), _result("mended", now - day * DAY, bare),
                   compare=AccuracyState.PASS)  # fmt: skip
        decision = decide(_history(sqlite_engine), None, RULES, now)
        (standing,) = [item for item in decision.standings if item.variant == "mended"]
        assert (standing.passed, standing.days) == (180, 60)
        assert decision.confidence is Confidence.HIGH
