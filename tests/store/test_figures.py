"""Series hold only what may be compared, and what was said of a point stays as it was said."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select

from kronos_health.domain.figures import Figure, FigureLabel, FigurePoint, FigureVerdict
from kronos_health.domain.probes import CacheState, Environment, Iteration, Outcome, ProbeKind, ProbeResult, Regime
from kronos_health.probe import figures as probe_figures
from kronos_health.store import figures, probes
from kronos_health.store.database import reading, writing
from kronos_health.store.tables.figures import figure_watch
from tests.store.test_probes import CPU, a_result, an_iteration


def iterations(now: datetime, *calls: tuple[CacheState, float]) -> tuple[Iteration, ...]:
    return tuple(
        replace(an_iteration(now, index), cache_state=cache, first_call_ms=call)
        for index, (cache, call) in enumerate(calls)
    )


def passing(
    now: datetime,
    *calls: tuple[CacheState, float],
    variant: str = "compiled",
    environment: Environment = CPU,
    **changes: Any,
) -> ProbeResult:
    done = iterations(now, *(calls or ((CacheState.COLD, 900.0), (CacheState.WARM, 90.0))))
    result = a_result(now, done, Outcome.PASSED, variant)
    return replace(
        result, **{"environment": environment, "figures": probe_figures.of_probe(done), "noise": (), **changes}
    )


def it_makes_a_series_of_each_figure_of_what_passed(engine: Engine, now: datetime) -> None:
    earlier = now - timedelta(days=1)
    with writing(engine) as connection:
        before = probes.start_campaign(connection, "test", earlier)
        first = probes.add_probe(connection, before, passing(earlier))
        campaign = probes.start_campaign(connection, "test", now)
        calls = (
            (CacheState.COLD, 1000.0),
            (CacheState.WARM, 80.0),
            (CacheState.WARM, 100.0),
            (CacheState.MIXED, 500.0),
        )
        second = probes.add_probe(connection, campaign, passing(now, *calls, noise=("a neighbour", "heat")))
    with reading(engine) as connection:
        found = figures.series_of_campaign(connection, campaign)
    assert {series.figure for series in found} == set(Figure)
    assert {(series.target, series.variant, series.device, series.fingerprint) for series in found} == {
        ("kronos", "compiled", "cpu", CPU.fingerprint)
    }
    by_figure = {series.figure: points for series, points in found.items()}
    noisy = ("a neighbour", "heat")
    assert by_figure[Figure.COLD_COMPILE] == (
        FigurePoint(first, earlier, 900.0),
        FigurePoint(second, now, 1000.0, noisy),
    )
    assert [point.value for point in by_figure[Figure.WARM_COMPILE]] == [90.0, 90.0], "the median; mixed is neither"
    assert [point.value for point in by_figure[Figure.STEADY_LATENCY]] == [10.0, 10.0]
    assert [point.value for point in by_figure[Figure.PEAK_MEMORY]] == [400.0, 400.0]


def it_leaves_out_what_may_not_be_compared(engine: Engine, now: datetime) -> None:
    spec = passing(now).spec
    others = [
        passing(now, environment=replace(CPU, fingerprint="b" * 64)),
        passing(now, variant="eager"),
        passing(now, spec=replace(spec, candidate="torch=2.15.0")),
        passing(now, spec=replace(spec, regime=Regime.GROWING)),
        passing(now, spec=replace(spec, kind=ProbeKind.REHEARSED)),
        passing(now, imported=True),
        replace(passing(now), outcome=Outcome.GRAPH_REUSE),
        replace(passing(now), environment=None),
    ]
    with writing(engine) as connection:
        elsewhere = probes.start_campaign(connection, "test", now)
        for other in others:
            probes.add_probe(connection, elsewhere, other)
        campaign = probes.start_campaign(connection, "test", now)
        mine = probes.add_probe(connection, campaign, passing(now))
    with reading(engine) as connection:
        found = figures.series_of_campaign(connection, campaign)
        assert {point.probe_id for points in found.values() for point in points} == {mine}
        everything = figures.series_of_campaign(connection, elsewhere)
    arms = {(one.variant, one.candidate, one.regime, one.fingerprint[0]) for one in everything}
    assert arms == {
        ("compiled", "production", "saturated", "b"),
        ("eager", "production", "saturated", "a"),
        ("compiled", "torch=2.15.0", "saturated", "a"),
        ("compiled", "production", "growing", "a"),
    }


def it_keeps_the_first_word_on_each_point(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        campaign = probes.start_campaign(connection, "test", now)
        probe_id = probes.add_probe(connection, campaign, passing(now))
        (series,) = [
            one for one in figures.series_of_campaign(connection, campaign) if one.figure is Figure.PEAK_MEMORY
        ]
        first = FigureVerdict(probe_id, now, 400.0, FigureLabel.REGRESSION, "told", 6, 300.0, 280.0, 320.0, 300.0)
        assert figures.record_verdicts(connection, {series: [first]}, now) == 1
        again = replace(first, label=FigureLabel.STEADY)
        assert figures.record_verdicts(connection, {series: [again]}, now + timedelta(days=1)) == 0
        (row,) = connection.execute(select(figure_watch)).mappings().all()
    kept = {name: row[name] for name in ("probe_id", "figure", "value", "label", "sample", "baseline", "reference")}
    assert kept == {
        "probe_id": probe_id, "figure": "peak_memory", "value": 400.0, "label": "regression", "sample": 6,
        "baseline": 300.0, "reference": 300.0,
    }  # fmt: skip
    assert (row["lower"], row["upper"], row["judged_at"]) == (280.0, 320.0, now)
