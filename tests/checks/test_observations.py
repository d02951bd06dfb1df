"""What each check says of what it saw: good, bad or unknown, and never good for what was not seen."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kronos_health.checks.observations import checker, figures, logs, probes, revisit, upstream
from kronos_health.checks.observations.logs import NewFindings, NewSamples
from kronos_health.domain.alerts import AlertKind, Fact, ObservationState
from kronos_health.domain.figures import Figure, FigureLabel, FigureSeries, FigureVerdict
from kronos_health.domain.logs import Gap, Severity
from kronos_health.domain.probes import (
    CacheState,
    Counters,
    Failure,
    Frame,
    Iteration,
    Memory,
    Outcome,
    ProbeKind,
    ProbeResult,
    ProbeSpec,
    Regime,
)
from kronos_health.domain.revisit import Confidence, Criterion, CriterionName, CriterionState, Decision, Mode
from kronos_health.domain.upstream import Drift, DriftKind, Release, Revision

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WATCHED = {
    "graph_reuse": ("CUDA graph outputs reused", "kronos-health verify", Severity.CRITICAL),
    "recompile_limit": ("Recompile limit hit", "kronos-health query recompile_findings", Severity.WARNING),
}
REUSE = NewFindings("graph_reuse", Severity.CRITICAL, 3, "Reused", "x", NOW, NOW, "RuntimeError: …", (), "id-1")


class DescribeLogObservations:
    def it_says_one_thing_per_signature_however_many_lines(self) -> None:
        seen = list(logs.of_signatures("trade", WATCHED, [REUSE], readable=True, completed_since_hit=7))
        assert [(item.kind, item.key, item.state) for item in seen] == [
            (AlertKind.GRAPH_REUSE, "trade", ObservationState.BAD),
            (AlertKind.LOG_ERRORS, "trade/recompile_limit", ObservationState.GOOD),
        ]
        assert (seen[0].occurrences, seen[0].positives, seen[0].evidence) == (3, 7, ("finding:id-1",))

    def it_calls_what_could_not_be_read_unknown(self) -> None:
        seen = logs.of_signatures("trade", WATCHED, [], readable=False, completed_since_hit=0)
        assert {item.state for item in seen} == {ObservationState.UNKNOWN}

    @pytest.mark.parametrize(
        ("median", "state"),
        [(2999.9, ObservationState.BAD), (3000, ObservationState.GOOD), (5000, ObservationState.GOOD),
         (5000.1, ObservationState.BAD)],
    )  # fmt: skip
    def it_judges_the_median_against_both_bounds(self, median: float, state: ObservationState) -> None:
        samples = [NewSamples("kronos_inference_ms", 5, median, 9000)]
        (seen,) = logs.of_bounds("trade", {"kronos_inference_ms": (3000, 5000)}, samples, readable=True)
        assert seen.state is state

    def it_knows_nothing_of_a_metric_no_line_carried(self) -> None:
        (seen,) = logs.of_bounds("trade", {"kronos_memory_mb": (0, 1024)}, [], readable=True)
        assert seen.state is ObservationState.UNKNOWN

    @pytest.mark.parametrize(
        ("last", "cadence", "readable", "state"),
        [
            (NOW - timedelta(hours=1), 7200, True, ObservationState.GOOD),
            (NOW - timedelta(hours=3), 7200, True, ObservationState.BAD),
            (NOW - timedelta(hours=3), None, True, ObservationState.UNKNOWN),
            (None, 7200, True, ObservationState.UNKNOWN),
            (NOW - timedelta(hours=3), 7200, False, ObservationState.UNKNOWN),
        ],
    )
    def it_counts_silence_only_against_a_cadence(
        self, last: datetime | None, cadence: float | None, readable: bool, state: ObservationState
    ) -> None:
        assert logs.of_silence("trade", last, cadence, NOW, readable=readable).state is state

    def it_tells_a_first_scan_as_history_with_its_worst(self) -> None:
        seen = logs.of_history("trade", [REUSE], 600, NOW)
        assert seen.kind is AlertKind.LOG_HISTORY
        assert seen.severity is Severity.CRITICAL
        assert "graph_reuse ×3" in seen.summary

    def it_names_the_bytes_of_a_gap(self) -> None:
        seen = logs.of_gap("trade", Gap("gen", 1000, None, "rotated away"))
        assert "Bytes 1,000 to an unknown end were lost: rotated away" in seen.summary


class DescribeUpstreamObservations:
    def it_says_per_place_whether_it_follows_the_decision(self) -> None:
        drift = Drift("file .env.compile", "KRONOS_COMPILE", "not 1", "1", DriftKind.FORBIDDEN)
        seen = {
            item.key: item.state
            for item in upstream.of_drift(["file .env.compile", "process 7"], [drift], {"process 8": "not ours"})
        }
        assert seen == {
            "file .env.compile": ObservationState.BAD,
            "process 7": ObservationState.GOOD,
            "process 8": ObservationState.UNKNOWN,
        }

    def it_says_that_a_release_alone_meets_nothing(self) -> None:
        assert "only when a compiled probe on it passes" in upstream.of_release(Release("torch", "2.14.0")).summary


def _result(outcome: Outcome, kind: ProbeKind = ProbeKind.MEASURED, variant: str = "compiled") -> ProbeResult:
    failure = Failure("RuntimeError", "overwritten", Frame("module.py", 1, "forward", "return output * self.weight"))
    spec = ProbeSpec("kronos", variant, kind=kind)
    return ProbeResult(spec, outcome, NOW, NOW, None, (), None if outcome is Outcome.PASSED else failure)


def _iteration(warmups: int, outcome: Outcome) -> Iteration:
    nothing = dict.fromkeys(
        ("exit_status", "signal", "import_ms", "load_ms", "first_call_ms", "steady_median_ms", "steady_iqr_ms",
         "steady_p95_ms", "mae")
    )  # fmt: skip
    return Iteration(
        index=warmups, outcome=outcome, started_at=NOW, duration_ms=1.0, regime=Regime.SATURATED,
        cache_state=CacheState.COLD, memory=Memory(), counters=Counters(), warmups=warmups, **nothing,
    )  # fmt: skip


class DescribeProbeObservations:
    def it_tells_of_a_variant_that_broke_again(self) -> None:
        seen = probes.of_variant("p1", _result(Outcome.GRAPH_REUSE), passed_before=True)
        assert seen is not None
        assert seen.state is ObservationState.BAD
        assert any("return output * self.weight" in fact.value for fact in seen.facts)

    @pytest.mark.parametrize(
        ("result", "before"),
        [
            (_result(Outcome.GRAPH_REUSE), False),
            (_result(Outcome.GRAPH_REUSE, ProbeKind.REHEARSED), True),
            (_result(Outcome.CRASHED, variant="eager"), True),
        ],
    )
    def it_has_no_news_in_still_broken_rehearsed_or_eager(self, result: ProbeResult, before: bool) -> None:
        assert probes.of_variant("p1", result, before) is None

    def it_does_not_take_a_skipped_probe_for_a_recovery(self) -> None:
        seen = probes.of_variant("p1", _result(Outcome.SKIPPED), passed_before=True)
        assert seen is not None
        assert seen.state is ObservationState.UNKNOWN

    def it_has_no_news_of_a_single_layer_of_the_compiler(self) -> None:
        assert probes.of_variant("p1", _result(Outcome.GRAPH_REUSE, variant="layer_cudagraphs"), True) is None

    def it_does_not_call_the_checker_unhealthy_when_a_variant_waits_for_a_newer_torch(self) -> None:
        failure = Failure("Unsupported", "needs torch 2.14 or newer")
        result = replace(_result(Outcome.SKIPPED), failure=failure, skipped_reason=failure.message)
        assert probes.of_probing("p1", result).state is ObservationState.GOOD
        assert probes.of_probing("p1", _result(Outcome.SKIPPED)).state is ObservationState.BAD

    def it_says_that_a_broken_variant_passes_once_it_is_warm(self) -> None:
        iterations = (_iteration(2, Outcome.GRAPH_REUSE), _iteration(3, Outcome.PASSED))
        seen = probes.of_variant("p1", replace(_result(Outcome.GRAPH_REUSE), iterations=iterations), True)
        assert seen is not None
        assert Fact("Warm-up", "passes with 3 warm-up calls, fails with 2") in seen.facts

    def it_calls_the_checker_unhealthy_when_probing_fails(self) -> None:
        assert probes.of_probing("p1", _result(Outcome.WORKER_ERROR)).state is ObservationState.BAD
        assert probes.of_probing("p1", _result(Outcome.GRAPH_REUSE)).state is ObservationState.GOOD

    def it_knows_nothing_while_a_probe_waits_for_the_end_of_a_blackout(self) -> None:
        waits = replace(_result(Outcome.SKIPPED), postponed_until=NOW)
        assert probes.of_probing("p1", waits).state is ObservationState.UNKNOWN
        assert probes.of_probing("p1", _result(Outcome.SKIPPED)).state is ObservationState.BAD


class DescribeFigureObservations:
    SERIES = FigureSeries(
        "kronos", "my.module:factory's", "torch=2.15.0", "saturated", "f" * 64, "cpu", Figure.PEAK_MEMORY
    )

    def _verdicts(self, *labels: FigureLabel, reference: float | None = None) -> list[FigureVerdict]:
        return [FigureVerdict(f"p{n}", NOW, 600.0, label, "told", 6, 500.0, 475.0, 525.0, reference)
                for n, label in enumerate(labels)]  # fmt: skip

    @pytest.mark.parametrize("label", [FigureLabel.SUSPICIOUS, FigureLabel.INSUFFICIENT_DATA, FigureLabel.DISTURBED])
    def it_says_nothing_of_what_is_neither_good_nor_bad(self, label: FigureLabel) -> None:
        assert list(figures.of_series(self.SERIES, self._verdicts(label, reference=500.0))) == []

    def it_is_bad_as_long_as_a_regression_stands(self) -> None:
        for label in (FigureLabel.REGRESSION, FigureLabel.STEADY, FigureLabel.IMPROVEMENT):
            first, *wins = figures.of_series(self.SERIES, self._verdicts(label, label, reference=500.0))
            assert (first.kind, first.state) == (AlertKind.FIGURE_REGRESSION, ObservationState.BAD)
            assert wins == [], "better than at worst is no win"
        assert first.severity is Severity.INFO, "a CPU proves little"

    def it_tells_a_win_from_the_end_of_a_regression(self) -> None:
        (_good, win) = figures.of_series(self.SERIES, self._verdicts(FigureLabel.STEADY, FigureLabel.IMPROVEMENT))
        assert (win.kind, win.key) == (AlertKind.FIGURE_IMPROVED, "p1/peak_memory")
        before, after = self._verdicts(FigureLabel.STEADY, FigureLabel.IMPROVEMENT)
        (good,) = figures.of_series(self.SERIES, [replace(before, reference=500.0), after])
        assert good.state is ObservationState.GOOD

    def it_gives_a_command_that_a_shell_takes(self) -> None:
        (seen,) = figures.of_series(self.SERIES, self._verdicts(FigureLabel.REGRESSION, reference=500.0))
        words = shlex.split(seen.next_step)
        assert words[:3] == ["kronos-health", "query", "figure_trend"]
        assert words[3::2] == ["--param"] * 3
        assert words[4::2] == ["target=kronos", "variant=my.module:factory's", "figure=peak_memory"]


class DescribeDecisionObservations:
    def _decision(self, mode: Mode, state: CriterionState, evidence_at: datetime | None) -> Decision:
        criteria = tuple(Criterion(name, None, state, "v", "t", "e") for name in CriterionName)
        return Decision("kronos", NOW, mode, "v1", Confidence.LOW, "S", "R", "N", criteria, (), evidence_at)

    def it_reports_each_criterion_by_its_number(self) -> None:
        seen = list(revisit.of_decision(self._decision(Mode.COMPILED, CriterionState.MET, NOW)))
        assert [item.title[:19] for item in seen[:4]] == [f"Revisit criterion {n}" for n in range(1, 5)]
        assert {item.state for item in seen} == {ObservationState.BAD}

    def it_never_withdraws_a_proposal_for_want_of_evidence(self) -> None:
        *_, proposal = revisit.of_decision(self._decision(Mode.EAGER, CriterionState.UNKNOWN, None))
        assert proposal.state is ObservationState.UNKNOWN
        *_, proposal = revisit.of_decision(self._decision(Mode.EAGER, CriterionState.NOT_MET, NOW))
        assert proposal.state is ObservationState.GOOD


def it_says_the_digest_once_a_week() -> None:
    monday, sunday = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC)
    keys = {checker.of_week(at, ["EAGER."], [], 0).key for at in (monday, sunday)}
    assert keys == {"2026-W48"}


class DescribeCandidateObservations:
    TORCH = ProbeSpec("kronos", "compiled", "torch=2.15.0")

    def it_calls_no_candidate_broken_again(self) -> None:
        failed = ProbeResult(self.TORCH, Outcome.GRAPH_REUSE, NOW, NOW, None, ())
        assert probes.of_variant("id", failed, passed_before=True) is None

    def it_watches_a_candidate_as_one_thing(self) -> None:
        reason = Failure("KeepingProblem", "the environment torch=2.15.0 cannot be made: no index answered")
        seen = probes.of_probing("id", ProbeResult(self.TORCH, Outcome.WORKER_ERROR, NOW, NOW, None, (), reason))
        assert (seen.key, seen.state) == ("probe/kronos/torch=2.15.0", ObservationState.BAD)
        assert seen.next_step == "kronos-health probe --target kronos --variant compiled --candidate torch=2.15.0"

    def it_alarms_nobody_about_what_is_not_made_here_on_purpose(self) -> None:
        reason = Failure("NotHere", "it would bring CUDA packages")
        skipped = ProbeResult(self.TORCH, Outcome.SKIPPED, NOW, NOW, None, (), reason, skipped_reason=reason.message)
        assert probes.of_probing("id", skipped).state is ObservationState.GOOD

    def it_names_the_candidate_of_news_in_the_next_step(self) -> None:
        step = upstream.of_release(Release("torch", "2.15.0")).next_step
        assert step == "kronos-health probe --variant all --candidate torch=2.15.0  # on a host with CUDA"
        commit = Revision("kronos", "4f1c2ab0123456789", None, "fix", "upstream/main", False)
        assert "--candidate kronos=4f1c2ab01234 " in upstream.of_revision(commit, None).next_step
