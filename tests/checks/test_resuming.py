"""A campaign that was interrupted goes on where it stopped, and measures nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from kronos_health.checks import campaigns, probing
from kronos_health.checks.campaigns import ProbeHeld
from kronos_health.checks.context import Context, Origin
from kronos_health.checks.errors import CheckError
from kronos_health.checks.housekeeping import housekeep
from kronos_health.checks.places import TakenOver
from kronos_health.checks.probing import ProbeRequest
from kronos_health.domain.campaigns import Holder
from kronos_health.domain.probes import EvaluationSpec, Outcome, ProbeKind, ProbeSpec, Regime
from kronos_health.probe.holder import LEASE, this_process
from kronos_health.probe.progress import Phase, Progress
from kronos_health.store import measured, plans
from kronos_health.store.database import reading, writing
from tests.checks.conftest import Clock, MakeContext, on_sqlite
from tests.checks.planted import Planted

Rows = Callable[[str], list[dict[str, Any]]]
TWO = ProbeRequest(variants=("eager",), iterations=3, regimes=("saturated", "growing"), rehearse=False)
DEAD = Holder(this_process().machine, 2**22 - 7, 0.0)
ELSEWHERE = Holder("another-host boot namespace", 77, 1.0)


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "planted")


@pytest.fixture
def context(make_context: MakeContext, planted: Planted) -> Context:
    return make_context(
        probe={"device": "cpu", "predictions": 2},
        targets={"kronos": {"interpreter": planted.path}},
    )


class Killed(BaseException):
    """Ends the measuring like a signal would, at a point of the test's choice."""


def at(iteration: int, regime: Regime = Regime.SATURATED, phase: Phase = Phase.PREDICTING) -> Any:
    """A progress listener that ends everything in the middle of ``iteration`` (from 0)."""

    def listen(progress: Progress) -> None:
        if (progress.iteration - 1, progress.regime, progress.phase) == (iteration, regime, phase):
            raise Killed

    return listen


def interrupted(context: Context, when: Any, request: ProbeRequest = TWO) -> None:
    with pytest.raises(Killed):
        probing.probe(context, request, when)


def resumed(context: Context) -> probing.CampaignSummary:
    return probing.resume(context, campaigns.to_resume(context))


def stored(rows: Rows) -> list[tuple[str, int, int]]:
    """Regime, index and first seed of every stored iteration."""
    found = rows(
        'SELECT i.regime, i."index", p.seed FROM iteration i JOIN prediction p ON p.iteration_id = i.id '
        'WHERE p."index" = 0 ORDER BY i.regime DESC, i."index"'
    )
    return [(row["regime"], row["index"], row["seed"]) for row in found]


WHOLE = [(regime, index, 1000 + 1000 * index) for regime in ("saturated", "growing") for index in range(3)]


def it_goes_on_at_the_first_missing_iteration(context: Context, planted: Planted, rows: Rows) -> None:
    interrupted(context, at(1))
    assert [name[-1] for name in planted.started] == ["0", "1"]
    assert rows("SELECT outcome, passed FROM probe") == [{"outcome": None, "passed": 1}]
    summary = resumed(context)
    assert [record.outcome for record in summary.probes] == [Outcome.PASSED, Outcome.PASSED]
    assert [record.passed for record in summary.probes] == [3, 3]
    assert stored(rows) == WHOLE
    again = {name: count for name, count in planted.started.items() if count > 1}
    assert again == {"kronos eager saturated 1": 2}, "only what was lost ran again"


def it_keeps_the_lost_iteration_visible_and_counts_it_nowhere(context: Context, rows: Rows) -> None:
    interrupted(context, at(1))
    (lost,) = rows('SELECT "index", reason FROM interruption')
    assert (lost["index"], lost["reason"]) == (1, "Killed: ")
    (summary, _other) = resumed(context).probes
    assert [iteration.outcome for iteration in summary.iterations] == [Outcome.PASSED] * 3
    assert len(rows("SELECT * FROM interruption")) == 1


def it_says_that_ctrl_c_was_pressed(context: Context, rows: Rows) -> None:
    def press(progress: Progress) -> None:
        if progress.iteration == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probing.probe(context, TWO, press)
    assert rows("SELECT reason FROM interruption") == [{"reason": "interrupted (Ctrl-C)"}]
    resumed(context)
    assert stored(rows) == WHOLE


@on_sqlite
def it_gives_the_figures_of_a_whole_probe(context: Context, rows: Rows) -> None:
    interrupted(context, at(2))
    resumed(context)
    probing.probe(context, TWO)
    figures = ", ".join(
        f"p.{name}" for name in ("mae_mean", "latency_mean_ms", "first_call_median_ms", "steady_iqr_ms")
    )
    one, other = (
        [tuple(row.values()) for row in rows(f"SELECT {figures} FROM probe p WHERE campaign_id = '{found['id']}'")]
        for found in rows("SELECT id FROM campaign ORDER BY id")
    )
    assert one == other
    assert None not in one[0]


@on_sqlite
def it_only_closes_what_was_measured_to_the_end(context: Context, planted: Planted, rows: Rows) -> None:
    """Killed between the last iteration and the probe's closing."""
    (spec, *_rest) = probing.plan_probes(context, TWO)
    campaign = campaigns.start(context, [spec])
    probing.run_probe(context, campaign, spec)
    with writing(context.engine) as connection:
        connection.execute(text("UPDATE probe SET outcome = NULL, finished_at = NULL"))
    before = planted.started
    (record,) = resumed(context).probes
    assert (record.outcome, record.passed, planted.started) == (Outcome.PASSED, 3, before)
    assert rows("SELECT count(*) AS n FROM campaign WHERE finished_at IS NOT NULL") == [{"n": 1}]


@on_sqlite
def it_begins_anew_when_it_would_go_on_in_another_environment(context: Context, planted: Planted, rows: Rows) -> None:
    interrupted(context, at(2))
    planted.torch("2.14.1")
    summary = resumed(context)
    assert [(record.outcome, record.passed) for record in summary.probes] == [(Outcome.PASSED, 3)] * 2
    assert {record.environment.torch for record in summary.probes if record.environment} == {"2.14.1"}
    (old,) = rows("SELECT passed, message FROM probe WHERE outcome = 'lost'")
    assert old["passed"] == 2
    assert "interrupted after 2 of 3 iterations" in old["message"]
    assert "torch 2.14.1, cpu" in old["message"]
    assert "instead of torch 2.13.0, cpu" in old["message"]
    (first, _second) = summary.probes
    assert [iteration.index for iteration in first.iterations] == [0, 1, 2]
    assert planted.started["kronos eager saturated 2"] == 2, "killed once, then kept by the new probe"


@on_sqlite
def it_goes_on_after_a_stop_on_request(context: Context, planted: Planted, rows: Rows) -> None:
    (spec, *_rest) = probing.plan_probes(context, TWO)
    campaign = campaigns.start(context, [spec])
    stop = threading.Event()

    def press(progress: Progress) -> None:
        if progress.iteration == 2 and progress.phase is Phase.PREDICTING:
            stop.set()

    planted.hold("kronos eager saturated 1")
    first = probing.run_probe(context, campaign, spec, press, stop.is_set)
    assert (first.outcome, first.message) == (Outcome.SKIPPED, "stopped on request after 1 of 3 iterations")
    assert rows('SELECT "index", reason FROM interruption') == [{"index": 1, "reason": first.message}]
    planted.let_go()
    second = probing.run_probe(context, campaign, spec)
    assert (second.probe_id, second.outcome, second.passed) == (first.probe_id, Outcome.PASSED, 3)
    assert rows("SELECT skipped_reason FROM probe") == [{"skipped_reason": None}]
    third = probing.run_probe(context, campaign, spec)
    assert third == replace(second, message=None)
    assert sum(planted.started.values()) == 4


@on_sqlite
def it_keeps_a_failure_and_goes_on_after_it(context: Context, rows: Rows) -> None:
    interrupted(context, at(2))
    with writing(context.engine) as connection:
        connection.execute(
            text("UPDATE iteration SET outcome = 'crashed', error_class = 'SIGSEGV' WHERE \"index\" = 1")
        )
    (record, _other) = resumed(context).probes
    assert (record.outcome, [i.outcome.value for i in record.iterations]) == (
        Outcome.CRASHED,
        ["passed", "crashed", "passed"],
    )


@on_sqlite
def it_keeps_what_disturbed_the_first_part(context: Context) -> None:
    interrupted(context, at(1))
    with writing(context.engine) as connection:
        connection.execute(text("UPDATE probe SET noise = 'foreign process 1234 on the GPU'"))
    (record, _other) = resumed(context).probes
    assert "foreign process 1234 on the GPU" in record.noise


class DescribeTwoAtOnce:
    def it_refuses_while_a_living_process_measures(self, context: Context, planted: Planted) -> None:
        standing: list[campaigns.Standing] = []

        def ask(progress: Progress) -> None:
            if progress.iteration == 2 and not standing:
                standing.append(campaigns.to_resume(context))
                with pytest.raises(ProbeHeld, match=r"is being measured by process \d+ on"):
                    probing.resume(context, standing[0])

        probing.probe(context, TWO, ask)
        assert standing[0].held_by is not None
        assert set(planted.started.values()) == {1}

    def it_measures_once_when_many_go_on_at_the_same_moment(
        self, context: Context, planted: Planted, rows: Rows
    ) -> None:
        interrupted(context, at(1))
        standing, barrier, ended = campaigns.to_resume(context), threading.Barrier(4), []

        def go_on() -> None:
            barrier.wait()
            try:
                ended.append(probing.resume(context, standing))
            except CheckError as refused:
                ended.append(refused)

        threads = [threading.Thread(target=go_on) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert any(isinstance(end, probing.CampaignSummary) for end in ended)
        assert stored(rows) == WHOLE
        assert {name: count for name, count in planted.started.items() if count > 1} == {"kronos eager saturated 1": 2}

    def it_takes_over_from_a_dead_process_at_once(self, context: Context, rows: Rows) -> None:
        _left_by(context, DEAD)
        resumed(context)
        assert stored(rows) == WHOLE
        (lost,) = rows("SELECT reason FROM interruption")
        assert lost["reason"].startswith(f"killed: process {DEAD.pid} on ")

    @on_sqlite
    def it_waits_for_the_lease_of_a_process_elsewhere(self, context: Context, clock: Clock, rows: Rows) -> None:
        _left_by(context, ELSEWHERE)
        clock.move(seconds=LEASE.total_seconds() - 1)
        with pytest.raises(ProbeHeld, match="process 77 on another-host, last seen 12:00:00 UTC"):
            resumed(context)
        clock.move(seconds=2)
        resumed(context)
        assert stored(rows) == WHOLE

    @on_sqlite
    def it_stores_nothing_of_a_process_that_was_taken_for_dead(self, context: Context, rows: Rows) -> None:
        def steal(progress: Progress) -> None:
            if progress.iteration == 2 and progress.phase is Phase.PREDICTING:
                with writing(context.engine) as connection:
                    connection.execute(text("UPDATE campaign_probe SET claim = 'of another'"))

        with pytest.raises(TakenOver, match="taken over by another process"):
            probing.probe(context, TWO, steal)
        assert rows('SELECT "index" FROM iteration') == [{"index": 0}]
        assert {row["claim"] for row in rows("SELECT claim FROM campaign_probe")} == {"of another"}


def _left_by(context: Context, holder: Holder) -> None:
    """A campaign as a killed process leaves it: in the middle of the second iteration, claim and all."""
    interrupted(context, at(1))
    with writing(context.engine) as connection:
        connection.execute(text("DELETE FROM interruption"))
        (campaign,) = connection.execute(text("SELECT id FROM campaign")).scalars()
        lines = plans.plan_of(connection, campaign)
        assert plans.claim(connection, lines, "a claim", holder, context.now())
        assert plans.note_running(connection, lines[0].planned_id, "a claim", 1, context.now())


class DescribeAsking:
    @on_sqlite
    def it_tells_of_an_unfinished_campaign_until_a_newer_one_ends(self, context: Context, clock: Clock) -> None:
        assert campaigns.unfinished(context) is None
        interrupted(context, at(0, Regime.GROWING))
        standing = campaigns.unfinished(context)
        assert standing is not None
        assert standing.line.endswith("(1 of 2 probes measured)")
        clock.move(minutes=1)
        probing.probe(context, replace(TWO, iterations=1))
        assert campaigns.unfinished(context) is None
        assert campaigns.to_resume(context).campaign == standing.campaign

    @on_sqlite
    def it_refuses_in_one_line(self, context: Context, make_context: MakeContext) -> None:
        with pytest.raises(CheckError, match="there is no unfinished campaign to go on with"):
            campaigns.to_resume(context)
        with pytest.raises(CheckError, match="there is no campaign 'nowhere'"):
            campaigns.to_resume(context, "nowhere")
        done = probing.probe(context, replace(TWO, iterations=1))
        with pytest.raises(CheckError, match=r"\(2 of 2 probes measured\) is finished"):
            campaigns.to_resume(context, done.campaign_id)
        with pytest.raises(CheckError, match="has no stored plan"):
            campaigns.to_resume(context, campaigns.start(context))
        interrupted(context, at(1))
        with pytest.raises(CheckError, match="no target named 'kronos'"):
            campaigns.to_resume(make_context(targets={"other": {}}, probe={"targets": ["other"]}))

    @on_sqlite
    def it_goes_on_by_the_stored_plan_whatever_the_settings_say_now(
        self, context: Context, make_context: MakeContext, planted: Planted, rows: Rows
    ) -> None:
        interrupted(context, at(1))
        changed = make_context(
            probe={"device": "cpu", "predictions": 3, "seed": 7, "iterations": 1},
            targets={"kronos": {"interpreter": planted.path}},
        )
        resumed(changed)
        assert stored(rows) == WHOLE


class DescribeTasksOfADagRun:
    @on_sqlite
    def it_goes_on_with_the_campaign_of_its_run_until_that_is_finished(self, context: Context) -> None:
        task = replace(context, origin=Origin("dag run", "kronos_compile_probe", "scheduled__1"))
        first = campaigns.start(task)
        assert campaigns.start(task) == first
        assert campaigns.start(replace(task, origin=replace(task.origin, run_id="scheduled__2"))) != first
        assert campaigns.unfinished(task) is None, "Airflow goes on by itself"
        probing.finish_campaign(task, first)
        assert campaigns.start(task) != first, "a finished run that is cleared measures anew"

    @on_sqlite
    def it_plans_the_same_when_it_plans_again(self, context: Context) -> None:
        specs = probing.plan_probes(context, TWO)
        other = replace(specs[0], target="other")
        campaign = campaigns.start(context)
        assert campaigns.planned(context, campaign, specs) == specs
        assert campaigns.planned(context, campaign, [other]) == (other,), "another queue plans its own targets"
        assert campaigns.planned(context, campaign, [replace(specs[0], iterations=9)]) == specs
        with reading(context.engine) as connection:
            assert [line.spec for line in plans.plan_of(connection, campaign)] == [*specs, other]


@on_sqlite
def it_leaves_a_living_probe_alone_and_notes_what_a_lost_one_lost(context: Context, clock: Clock, rows: Rows) -> None:
    _left_by(context, DEAD)
    clock.move(hours=7)
    with writing(context.engine) as connection:
        assert plans.renew(connection, "a claim", context.now())
    assert housekeep(context).lost_probes == ()
    clock.move(hours=7)
    assert len(housekeep(context).lost_probes) == 1
    assert [row["index"] for row in rows('SELECT "index" FROM interruption')] == [1]
    assert {row["claim"] for row in rows("SELECT claim FROM campaign_probe")} == {None}
    resumed(context)
    assert stored(rows) == WHOLE, "also what was given up for lost goes on"


def it_stores_every_field_of_a_spec(engine: Engine, make_context: MakeContext) -> None:
    """Whatever a spec learns to say must survive a kill."""
    spec = ProbeSpec(
        "toto", "compiled", "torch=2.15.0", ProbeKind.REHEARSED, Regime.GROWING, 7, 3, 77,
        12, EvaluationSpec("series.csv", 99, 5, 32, 2, 4, 64), (1, 3),
    )  # fmt: skip
    plain = ProbeSpec("", "")
    same = [field.name for field in fields(ProbeSpec) if getattr(spec, field.name) == getattr(plain, field.name)]
    assert same == [], "the test must set every field to something else than its default"
    context = make_context()
    campaign = campaigns.start(context, [spec])
    with reading(engine) as connection:
        assert [line.spec for line in plans.plan_of(connection, campaign)] == [spec]


@on_sqlite
def it_reads_iterations_back_as_they_were_measured(context: Context, rows: Rows) -> None:
    kept: list[Any] = []
    spec = probing.plan_probes(context, TWO)[0]
    campaign = campaigns.start(context, [spec])
    summary = probing.run_probe(context, campaign, spec, kept.append)
    with reading(context.engine) as connection:
        found = measured.measured_by(connection, summary.probe_id)
    assert [iteration.index for iteration in found.iterations] == [0, 1, 2]
    assert [p.seed for p in found.iterations[2].predictions] == [3000, 3001]
    assert found.iterations[0].counters.frames_total == 2
    assert found.iterations[0].memory.rss_peak_mb == 123.0
    assert found.missing(3) == ()
    assert found.missing(5) == (3, 4)
    assert timedelta(0) <= found.iterations[0].started_at - found.iterations[2].started_at
