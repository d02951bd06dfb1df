"""A named query takes typed parameters only, explains what is wrong, and answers what its question asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, update

from kronos_health.store.database import reading
from kronos_health.store.history import QueryError, QueryResult, run_query
from kronos_health.store.tables.logs import log_scan
from kronos_health.store.tables.probes import iteration, probe
from kronos_health.store.tables.upstream import deployment
from tests.support.history import MENDED


class DescribeParameters:
    def it_suggests_the_query_that_was_meant(self, sqlite_engine: Engine) -> None:
        with reading(sqlite_engine) as connection, pytest.raises(QueryError) as caught:
            run_query(connection, "probe_histroy")
        assert str(caught.value).startswith(
            "there is no query named 'probe_histroy'. Did you mean probe_history? Known: "
        )

    def it_suggests_the_parameter_that_was_meant(self, sqlite_engine: Engine) -> None:
        with reading(sqlite_engine) as connection, pytest.raises(QueryError) as caught:
            run_query(connection, "probe_history", {"traget": "kronos"})
        assert str(caught.value) == (
            "the query probe_history has no parameter 'traget'. Did you mean target? "
            "It takes: target, variant, since, limit."
        )

    def it_says_which_parameter_is_missing(self, sqlite_engine: Engine) -> None:
        with reading(sqlite_engine) as connection, pytest.raises(QueryError) as caught:
            run_query(connection, "iterations_of_probe")
        assert str(caught.value) == "the query iterations_of_probe needs probe_id (text): the probe; see probe_history."

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("since", "yesterdayish", "a time such as 2026-11-23T12:00 or how long ago, such as 7d"),
            ("since", "1e400d", "a time such as"),
            ("limit", "many", "a whole number"),
        ],
    )
    def it_says_what_a_value_should_look_like(
        self, sqlite_engine: Engine, name: str, value: str, expected: str
    ) -> None:
        with reading(sqlite_engine) as connection, pytest.raises(QueryError) as caught:
            run_query(connection, "probe_history", {name: value})
        assert f"{name} = {value!r} does not fit the query probe_history: write {expected}" in str(caught.value)

    @pytest.mark.parametrize("since", ["2d", "48h", "2026-11-21T12:00", "2026-11-21 07:00-05:00", timedelta(days=2)])
    def it_reads_times_in_several_ways(self, connection: Connection, ask: Any, now: datetime, since: Any) -> None:
        since = now - since if isinstance(since, timedelta) else since
        days = {row["started_at"].date() for row in ask("probe_history", since=since)}
        assert days == {datetime(2026, 11, day, tzinfo=UTC).date() for day in (22, 23)}

    def it_takes_hostile_text_as_a_value(self, ask: Any) -> None:
        assert ask("probe_history", target="kronos' OR '1'='1") == []
        assert len(ask("probe_history", target="kronos")) == 35

    def it_keeps_column_names_and_rows_together(self, connection: Connection, now: datetime) -> None:
        result = run_query(connection, "open_drift", now=now)
        assert isinstance(result, QueryResult)
        assert dict(zip(result.columns, result.rows[0], strict=True)) == result.dicts()[0]


class DescribeSevenDaysOfDailyProbes:
    def it_tells_the_success_of_each_variant_by_day(self, ask: Any) -> None:
        rows = ask("variant_success_by_day", since="7d")
        assert len({row["day"] for row in rows}) == 7
        cuda = {row["variant"]: row for row in rows if row["evidence"] == "cuda" and str(row["day"]) == "2026-11-23"}
        assert cuda["eager"]["success_rate"] == 1.0
        assert (cuda["compiled"]["success_rate"], cuda["compiled"]["graph_reuse"]) == (0.0, 1)
        assert {row["variant"] for row in rows if row["evidence"] == "rehearsal"} == {"compiled"}

    def it_compares_latency_only_within_one_environment(self, ask: Any) -> None:
        rows = [row for row in ask("latency_trend", variant="eager") if row["evidence"] == "cuda"]
        assert [row["steady_median_ms"] for row in rows] == [2250 + 10 * day for day in range(7)]
        assert rows[0]["change"] is None
        assert rows[1]["change"] == pytest.approx(10 / 2250)

    def it_shows_accuracy_against_eager_with_the_worth_of_the_evidence(self, ask: Any) -> None:
        rows = ask("accuracy_vs_eager")
        assert {(row["variant"], row["accuracy"], row["evidence"]) for row in rows} == {(MENDED, "pass", "cpu")}

    def it_never_counts_the_imported_baseline_as_a_probe(self, ask: Any) -> None:
        assert {row["evidence"] for row in ask("probe_history", since="5000d")} >= {"baseline"}
        for name in ("latest_probes", "iteration_streaks", "variant_success_by_day", "latency_trend"):
            assert "baseline" not in {row["evidence"] for row in ask(name)}
        assert {row["variant"]: row["passed"] for row in ask("baseline_probes")} == {"eager": 5, "compiled": 0}

    def it_does_not_hide_a_probe_on_cuda_behind_a_later_one_on_cpu(self, ask: Any) -> None:
        newest = {(row["variant"], row["evidence"]) for row in ask("latest_probes")}
        assert newest == {
            ("eager", "cuda"),
            ("compiled", "cuda"),
            ("eager", "cpu"),
            (MENDED, "cpu"),
            ("compiled", "rehearsal"),
        }

    def it_lists_only_decisions_that_changed_something(self, ask: Any) -> None:
        assert [row["confidence"] for row in ask("decision_timeline", since="30d")] == ["VERY HIGH", "HIGH", "MODERATE"]
        assert len(ask("decision_timeline", since="30d", changes_only="false")) == 7
        assert ask("decision_timeline", since="5000d")[-1]["imported"] is True

    def it_leads_from_a_decision_to_its_rows(self, ask: Any) -> None:
        rows = [row for row in ask("evidence_for_decision") if row["row_id"]]
        assert {(row["criterion"], row["admissible"]) for row in rows} == {
            ("compiled_iterations", True),
            ("accuracy", False),
        }
        known = {row["probe_id"] for row in ask("probe_history")}
        assert {row["row_id"] for row in rows} <= known


class DescribeStreaks:
    def it_counts_fresh_processes_since_the_last_failure(self, ask: Any) -> None:
        rows = {(row["variant"], row["evidence"]): row for row in ask("iteration_streaks")}
        assert (rows["eager", "cuda"]["streak"], rows["eager", "cuda"]["iterations"]) == (35, 35)
        assert (rows["compiled", "cuda"]["streak"], rows["compiled", "cuda"]["iterations"]) == (0, 35)

    def it_starts_again_after_a_failure_and_ignores_what_says_nothing(
        self, connection: Connection, ask: Any, now: datetime
    ) -> None:
        days = connection.execute(
            probe.select().where(probe.c.variant == "eager", probe.c.imported.is_(False)).order_by(probe.c.started_at)
        ).all()
        cuda = [row for row in days if row.steady_median_ms > 1000]
        for row, index, outcome in ((cuda[4], 2, "out_of_memory"), (cuda[6], 4, "lost")):
            connection.execute(
                update(iteration)
                .where(iteration.c.probe_id == row.id, iteration.c.index == index)
                .values(outcome=outcome)
            )
        row = next(row for row in ask("iteration_streaks") if (row["variant"], row["evidence"]) == ("eager", "cuda"))
        assert (row["iterations"], row["passed"], row["streak"]) == (34, 33, 2 + 5 + 4)


class DescribeLogs:
    def it_finds_when_and_where_graphs_were_reused(self, ask: Any) -> None:
        rows = ask("graph_reuse_findings", since="7d", limit=3)
        assert len(rows) == 3
        assert "overwritten by a subsequent run" in rows[0]["record"]
        assert rows[0]["path"].endswith("trade_stock_e2e.log")
        assert ask("graph_reuse_findings", source="other") == []

    def it_groups_recompiles_and_skips_by_torchs_reason(self, ask: Any) -> None:
        (row,) = ask("recompile_findings")
        assert (row["signature"], row["reason"], row["findings"]) == (
            "cudagraph_skipped",
            "mutated inputs (2 instances)",
            21,
        )

    def it_gives_percentiles_that_were_really_seen(self, ask: Any) -> None:
        (row,) = ask("prediction_latency_percentiles", metric="kronos_inference_ms", since="30d")
        assert (row["samples"], row["minimum"], row["p50"], row["p95"], row["maximum"]) == (168, 3000, 3300, 3700, 3700)
        (row,) = ask("prediction_latency_percentiles", metric="maxdiff_return")
        assert (row["subject"], row["p50"]) == ("ETHUSD", 0.1043)

    def it_judges_speed_only_where_enough_was_read(self, ask: Any) -> None:
        rows = {str(row["day"]): row for row in ask("scan_throughput")}
        assert rows["2026-11-22"]["mb_per_second"] == pytest.approx(200, rel=1e-3)
        assert rows["2026-11-23"]["mb_per_second"] is None


class DescribeTheDeploymentChecks:
    def it_counts_from_the_last_deployment(self, connection: Connection, ask: Any, now: datetime) -> None:
        states = {row["number"]: (row["state"], row["count"]) for row in ask("deployment_checks")}
        assert states == {1: ("bad", 14), 2: ("bad", 4), 3: ("good", 80), 4: ("good", 80)}

    def it_forgets_what_was_before(self, connection: Connection, ask: Any, now: datetime) -> None:
        connection.execute(
            insert(deployment).values(
                id="d2", deployed_at=now - timedelta(hours=1, minutes=30), origin="reported", note=""
            )
        )
        states = {row["number"]: row["state"] for row in ask("deployment_checks")}
        assert states == {1: "bad", 2: "good", 3: "good", 4: "good"}

    def it_says_unknown_where_nothing_was_read_since(self, connection: Connection, ask: Any, now: datetime) -> None:
        assert {row["state"] for row in ask("deployment_checks", since=now)} == {"unknown"}

    def it_says_unknown_where_the_log_could_not_be_read(self, connection: Connection, ask: Any, now: datetime) -> None:
        connection.execute(update(log_scan).values(problem="permission denied"))
        states = {row["number"]: row["state"] for row in ask("deployment_checks", since=now - timedelta(minutes=61))}
        assert states[2] == "unknown"

    def it_lets_the_median_decide_about_times(self, ask: Any) -> None:
        row = ask("deployment_checks", kronos_max_ms=3600)[3]
        assert (row["state"], row["median"], row["bad"]) == ("good", 3300, 10)
        assert ask("deployment_checks", kronos_max_ms=3200)[3]["state"] == "bad"


class DescribeAlerts:
    def it_tells_every_step_with_its_reason(self, ask: Any) -> None:
        rows = ask("alert_timeline", kind="graph_reuse")
        assert [(row["step"], row["reason"]) for row in rows] == [
            ("updated", "seen 3 more times"),
            ("fired", "graph reuse fires at once"),
        ]

    def it_names_what_has_not_arrived_and_why(self, ask: Any) -> None:
        rows = ask("undelivered_messages")
        assert {(row["channel"], row["state"]) for row in rows} == {("slack", "pending"), ("slack", "dead")}
        assert all(row["disabled_reason"].startswith("invalid_auth") for row in rows)
        state = {row["channel"]: row for row in ask("delivery_state")}
        assert (state["slack"]["waiting"], state["slack"]["dead"], state["console"]["sent"]) == (1, 1, 2)
        assert state["console"]["slowest_seconds"] == 4.0
