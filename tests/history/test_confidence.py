"""What SQL counts per fingerprint is what the decision counts, and what began a count anew is told in words."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from kronos_health.domain.probes import (
    CacheState,
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
from kronos_health.domain.revisit import VariantStanding
from kronos_health.revisit.arms import Arm, arms_of, standing, variants_tried
from kronos_health.revisit.decision import decide
from kronos_health.settings.models import Revisit
from kronos_health.store import probes
from kronos_health.store.database import reading, writing
from kronos_health.store.history import run_query
from kronos_health.store.revisit import load_history, record_decision

BEGIN = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
PRODUCTION = Environment(
    fingerprint="first", device="cuda", python="3.11.7", torch="2.13.0", cuda="13.0", triton="3.5.0", driver="580",
    gpu="H200", host="gpu-1", target_revision="67b630e", weights_revision=None, dtype="float32", model_shape="base",
    timing_method="cuda_event", protocol_version=1, window_shape="256+1 ×8 / 256", threads=None,
)  # fmt: skip
UPGRADED = replace(PRODUCTION, fingerprint="second", torch="2.14.1", driver="590")
CPU = replace(PRODUCTION, fingerprint="cpu", device="cpu", gpu=None, cuda=None, driver=None)
OTHER_CPU = replace(CPU, fingerprint="other cpu", dtype="bfloat16")


def an_iteration(index: int, outcome: Outcome, at: datetime, regime: Regime, cache: CacheState) -> Iteration:
    return Iteration(
        index=index, outcome=outcome, started_at=at, duration_ms=1.0, regime=regime, cache_state=cache,
        exit_status=0, signal=None, import_ms=None, load_ms=None, first_call_ms=None, steady_median_ms=None,
        steady_iqr_ms=None, steady_p95_ms=None, mae=None, memory=Memory(), counters=Counters(),
    )  # fmt: skip


def a_probe(
    at: datetime, environment: Environment | None, outcomes: list[Outcome], variant: str = "compiled", **changes: Any
) -> ProbeResult:
    regime, caches = changes.pop("regime", Regime.SATURATED), changes.pop("caches", [CacheState.COLD] * len(outcomes))
    spec = ProbeSpec(
        "kronos", variant, changes.pop("candidate", "production"), changes.pop("kind", ProbeKind.MEASURED), regime,
        iterations=changes.pop("requested", len(outcomes)),
    )  # fmt: skip
    iterations = tuple(
        an_iteration(index, outcome, at, regime, cache)
        for index, (outcome, cache) in enumerate(zip(outcomes, caches, strict=True))
    )
    worst = next((outcome for outcome in outcomes if outcome is not Outcome.PASSED), Outcome.PASSED)
    return replace(ProbeResult(spec, worst, at, at, environment, iterations), **changes)


def store(engine: Engine, results: list[ProbeResult]) -> None:
    with writing(engine) as connection:
        campaign = probes.start_campaign(connection, "test", BEGIN)
        for result in results:
            probes.add_probe(connection, campaign, result)


def at_random(chance: random.Random) -> ProbeResult:
    """Any probe there may be: of every outcome, on every kind of place, imported, lost, or still without an answer."""
    at = BEGIN + timedelta(hours=chance.randint(0, 24 * 20))
    outcomes = [chance.choice([Outcome.PASSED] * 12 + list(Outcome)) for _ in range(chance.randint(1, 5))]
    where: dict[str, Any] = {
        "variant": chance.choice(["eager", "compiled", "mended"]),
        "candidate": chance.choice(["production", "production", "torch=2.15.0"]),
        "kind": chance.choice([ProbeKind.MEASURED] * 5 + [ProbeKind.REHEARSED]),
        "regime": chance.choice(list(Regime)),
    }
    if chance.random() < 0.1:
        outcome = chance.choice([Outcome.PASSED, Outcome.GRAPH_REUSE, Outcome.SKIPPED, Outcome.CRASHED])
        environment = chance.choice([None, PRODUCTION])
        return a_probe(at, environment, [], requested=5, outcome=outcome, imported=chance.random() < 0.8, **where)
    environment = chance.choice([PRODUCTION, PRODUCTION, UPGRADED, CPU, OTHER_CPU, None])
    caches = [chance.choice(list(CacheState)) for _ in outcomes]
    result = a_probe(at, environment, outcomes, caches=caches, **where)
    return replace(result, outcome=Outcome.LOST) if chance.random() < 0.1 else result


def counted_in_sql(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["fingerprint"], row["counted_as"], row["passed"], row["failed"], row["graph_failures"], row["days"],
        row["days_passed"], row["saturated"], row["growing"], row["cold"], row["warm"], row["probes"],
    )  # fmt: skip


def counted_in_python(arm: Arm, figures: VariantStanding) -> tuple[Any, ...]:
    passed = [probe for probe in arm.probes if probe.passed]
    caches = {state for probe in arm.probes for state in probe.cache_states}
    return (
        figures.fingerprint, arm.counted_as, figures.passed, figures.failed,
        sum(probe.graph_failures for probe in arm.probes), figures.days, len({p.started_at.date() for p in passed}),
        *(int(any(probe.regime is regime for probe in passed)) for regime in (Regime.SATURATED, Regime.GROWING)),
        *(int(state in caches) for state in (CacheState.COLD, CacheState.WARM)), len(arm.probes),
    )  # fmt: skip


def it_counts_what_the_decision_counts(engine: Engine) -> None:
    seen: set[str] = set()
    for seed in range(12):
        chance = random.Random(seed)
        with writing(engine) as connection:
            connection.execute(text("DELETE FROM campaign"))
        store(engine, [at_random(chance) for _ in range(chance.randint(1, 70))])
        with reading(engine) as connection:
            history = load_history(connection, "kronos")
            stands = connection.execute(text("SELECT * FROM v_confidence WHERE stands = 1")).mappings().all()
            told = run_query(connection, "confidence_by_fingerprint").dicts()
        arms = [arm for arm in arms_of(history) if arm.probes]
        in_python = {
            (arm.variant, arm.candidate): counted_in_python(arm, standing(arm, variants_tried(arms, arm.candidate)))
            for arm in arms
        }
        in_sql = {(row["variant"], row["candidate"]): counted_in_sql(dict(row)) for row in stands}
        assert in_sql == in_python
        resets = {(row["variant"], row["candidate"], row["counted_as"]): row for row in told if row["current_stretch"]}
        for arm in arms:
            row = resets[arm.variant, arm.candidate, arm.counted_as]
            assert (row["first_at"], row["last_at"]) == (arm.probes[0].started_at, arm.probes[-1].started_at)
            assert row["reset"] == arm.reset
        seen |= {arm.counted_as for arm in arms}
    assert seen == {"admissible", "measured", "rehearsed"}


def ask(engine: Engine, query: str) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        return run_query(connection, query, now=BEGIN + timedelta(days=30)).dicts()


FIVE = [Outcome.PASSED] * 5


def it_begins_anew_when_the_fingerprint_changes_and_when_it_changes_back(engine: Engine) -> None:
    days = [PRODUCTION, PRODUCTION, UPGRADED, PRODUCTION]
    store(engine, [a_probe(BEGIN + timedelta(days=day), where, FIVE) for day, where in enumerate(days)])
    rows = ask(engine, "confidence_by_fingerprint")
    assert [(row["torch"], row["passed"], row["days"], row["current_stretch"]) for row in rows] == [
        ("2.13.0", 5, 1, True), ("2.14.1", 5, 1, False), ("2.13.0", 10, 2, False),
    ]  # fmt: skip
    back, forth = ask(engine, "fingerprint_resets")
    assert (forth["changed"], back["changed"]) == (
        "torch 2.13.0 → 2.14.1, driver 580 → 590",
        "torch 2.14.1 → 2.13.0, driver 590 → 580",
    )
    assert (forth["lost_passed"], forth["lost_failed"], forth["reset_at"]) == (10, 0, BEGIN + timedelta(days=2))


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"torch": "2.14.1"}, "torch 2.13.0 → 2.14.1"),
    ({"cuda": "13.1"}, "CUDA 13.0 → 13.1"),
    ({"driver": None}, "driver 580 → none"),
    ({"gpu": "H100"}, "GPU H200 → H100"),
    ({"triton": "3.6.0"}, "triton 3.5.0 → 3.6.0"),
    ({"python": "3.12.1"}, "Python 3.11.7 → 3.12.1"),
    ({"target_revision": "0123456"}, "target revision 67b630e → 0123456"),
    ({"weights_revision": "abc"}, "weights none → abc"),
    ({"dtype": "bfloat16"}, "dtype float32 → bfloat16"),
    ({"model_shape": "mini"}, "shape base → mini"),
    ({"timing_method": "perf_counter"}, "timing cuda_event → perf_counter"),
    ({"protocol_version": 2}, "protocol 1 → 2"),
    ({"window_shape": "512+1 ×8 / 512"}, "window 256+1 ×8 / 256 → 512+1 ×8 / 512"),
    ({"threads": 4}, "threads not fixed → 4"),
    ({"window_shape": None}, "a setting of the probe that older rows do not keep"),
    ({"torch": "2.14.1", "dtype": "bfloat16"}, "torch 2.13.0 → 2.14.1, dtype float32 → bfloat16"),
]


def it_says_in_words_which_field_changed(engine: Engine) -> None:
    results = []
    for place, (change, _words) in enumerate(CHANGES):
        variant, after = f"variant {place:02}", replace(PRODUCTION, fingerprint=f"after {place}", **change)
        results += [a_probe(BEGIN, PRODUCTION, FIVE, variant)]
        results += [a_probe(BEGIN + timedelta(days=1), after, FIVE, variant)]
    store(engine, results)
    told = {row["variant"]: row["changed"] for row in ask(engine, "fingerprint_resets")}
    assert told == {f"variant {place:02}": words for place, (_change, words) in enumerate(CHANGES)}


def it_names_every_field_of_an_environment_that_can_change() -> None:
    """Whatever an environment learns to say, a reset must be able to name."""
    named = {name for change, _words in CHANGES for name in change}
    unnamed = set(Environment.__dataclass_fields__) - named
    assert unnamed == {"fingerprint", "host", "device"}, "device is a kind of evidence, host no part of the fingerprint"


def it_takes_the_imported_baseline_for_no_reset(engine: Engine) -> None:
    imported = a_probe(BEGIN, None, [], requested=5, outcome=Outcome.GRAPH_REUSE, imported=True)
    store(engine, [imported, a_probe(BEGIN + timedelta(days=1), PRODUCTION, FIVE)])
    assert ask(engine, "fingerprint_resets") == []
    counted = ask(engine, "confidence_by_fingerprint")
    assert [(row["passed"], row["failed"], row["reset"]) for row in counted] == [(5, 0, None), (0, 5, None)]


def it_says_so_when_a_probe_did_not_name_its_environment(engine: Engine) -> None:
    nameless = a_probe(BEGIN, None, [], requested=5, outcome=Outcome.GRAPH_REUSE)
    on_cpu = replace(PRODUCTION, device="cpu")  # what names no device is no evidence about CUDA either
    store(engine, [nameless, a_probe(BEGIN + timedelta(days=1), on_cpu, FIVE)])
    (reset,) = ask(engine, "fingerprint_resets")
    assert reset["changed"] == "what was counted before did not say what it ran on"
    assert (reset["lost_passed"], reset["lost_failed"]) == (0, 5)


def it_names_the_last_reset_in_decision_and_standing(engine: Engine) -> None:
    days = [PRODUCTION, PRODUCTION, UPGRADED]
    made = [
        a_probe(BEGIN + timedelta(days=day), where, FIVE, variant)
        for day, where in enumerate(days)
        for variant in ("eager", "compiled")
    ]
    store(engine, made)
    with writing(engine) as connection:
        history = load_history(connection, "kronos")
        decision = decide(history, None, Revisit(), BEGIN + timedelta(days=3))
        record_decision(connection, decision)
    words = "counting since 2026-11-03: torch 2.13.0 → 2.14.1, driver 580 → 590"
    assert words in decision.reason
    assert {figures.reset for figures in decision.standings} == {"torch 2.13.0 → 2.14.1, driver 580 → 590"}
    told = {row["variant"]: row for row in ask(engine, "confidence_by_fingerprint") if row["current_stretch"]}
    assert (told["compiled"]["confidence"], told["compiled"]["passed"]) == ("LOW", 5)


def it_counts_nothing_of_an_iteration_that_says_nothing(engine: Engine) -> None:
    nothing = [Outcome.PASSED, Outcome.WORKER_ERROR, Outcome.PASSED]
    store(engine, [a_probe(BEGIN, PRODUCTION, nothing, outcome=Outcome.PASSED)])
    (row,) = ask(engine, "confidence_by_fingerprint")
    assert (row["passed"], row["failed"]) == (2, 0)
