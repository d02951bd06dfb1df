"""What each check says of what it saw: good, bad or unknown, and never good for what was not seen."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kronos_health.checks.observations import checker, figures, logs, predictions, probes, revisit, upstream
from kronos_health.checks.observations.logs import NewFindings
from kronos_health.checks.observations.predictions import Metric, RecentSamples, Silence
from kronos_health.domain.alerts import AlertKind, Fact, Observation, ObservationState
from kronos_health.domain.figures import Figure, FigureLabel, FigureSeries, FigureVerdict
from kronos_health.domain.logs import Finding, Gap, Severity
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
from kronos_health.logs.frames import failing_frame
from tests.alerts.samples import REUSE_RECORD

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WATCHED = {
    "graph_reuse": ("CUDA graph outputs reused", "kronos-health verify", Severity.CRITICAL),
    "recompile_limit": ("Recompile limit hit", "kronos-health query recompile_findings", Severity.WARNING),
}
REUSE = NewFindings("graph_reuse", Severity.CRITICAL, 3, "Reused", "x", NOW, NOW, "RuntimeError: …", (), "id-1")


LATENCY = Metric("kronos_inference_ms", "Inference time of Kronos", "ms", 3000, 5000)


def _bounds(recent: RecentSamples | None) -> Observation:
    by_name = {LATENCY.name: recent} if recent else {}
    (seen,) = predictions.of_bounds("trade", (LATENCY,), by_name, readable=True, scan_id="scan")
    return seen


def _finding(signature: str, offset: int) -> Finding:
    return Finding(signature, Severity.WARNING, offset, offset + 1, 1, NOW, "f", 1, None, "record")


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
        assert _bounds(RecentSamples(5, median, 2900, 9000, "s1")).state is state

    @pytest.mark.parametrize("recent", [None, RecentSamples(4, 9000, 9000, 9000, "s1")])
    def it_knows_nothing_of_a_metric_that_too_few_lines_carried(self, recent: RecentSamples | None) -> None:
        seen = _bounds(recent)
        assert seen.state is ObservationState.UNKNOWN
        assert "this number" in seen.summary

    def it_says_bounds_and_figures_with_their_unit(self) -> None:
        seen = _bounds(RecentSamples(20, 9000, 8100, 9900, "s1"))
        assert seen.title == "Inference time of Kronos is out of bounds in trade"
        assert "is 9,000 ms; expected 3,000 to 5,000 ms." in seen.summary
        assert seen.evidence == ("log_sample:s1", "log_scan:scan")

    @pytest.mark.parametrize(
        ("kronos", "toto", "cadence", "readable", "state"),
        [
            # With a cadence Kronos is expected that often, whatever Toto says.
            (1, None, 7200, True, ObservationState.GOOD),
            (3, None, 7200, True, ObservationState.BAD),
            (3, 0, 7200, True, ObservationState.BAD),
            (None, 0, 7200, True, ObservationState.BAD),  # none since the watch began, which is longer than that
            (3, 0, 7200, False, ObservationState.UNKNOWN),
            # Without one, its silence counts where Toto is silent too: for four days, by default.
            (97, 1, None, True, ObservationState.GOOD),
            (97, 95, None, True, ObservationState.GOOD),
            (97, 97, None, True, ObservationState.BAD),
            (97, None, None, True, ObservationState.BAD),
            (None, 97, None, True, ObservationState.BAD),
            (None, None, None, True, ObservationState.UNKNOWN),  # perhaps no log of predictions at all
            (97, 97, None, False, ObservationState.UNKNOWN),
        ],
    )
    def it_counts_silence_of_kronos_against_its_cadence_or_where_toto_is_silent_too(
        self, kronos: int | None, toto: int | None, cadence: float | None, readable: bool, state: ObservationState
    ) -> None:
        hours = {"Kronos": kronos, "Toto": toto}
        last = {model: NOW - timedelta(hours=ago) for model, ago in hours.items() if ago is not None}
        silence = Silence(last, NOW - timedelta(days=30), cadence, 96)
        seen = predictions.of_silence("trade", silence, NOW, readable=readable, scan_id="scan")
        assert seen.state is state
        assert state is not ObservationState.BAD or seen.since == silence.reference

    def it_does_not_take_an_old_log_for_silence_of_today(self) -> None:
        silence = Silence({"Toto": NOW - timedelta(days=400)}, NOW - timedelta(hours=95), None, 96)
        assert silence.state(NOW) is ObservationState.GOOD
        assert silence.state(NOW + timedelta(hours=2)) is ObservationState.BAD

    def it_counts_a_prediction_of_nobody_in_particular_for_kronos(self) -> None:
        silence = Silence({"": NOW, "toto": NOW - timedelta(days=1)}, NOW - timedelta(days=30), 7200, 96)
        assert silence.state(NOW) is ObservationState.GOOD

    def it_needs_no_word_of_failed_predictions_whose_records_say_why(self) -> None:
        reuse, failed = _finding("graph_reuse", 0), _finding("prediction_failed", 0)
        assert logs.reasons_to_fail([("g1", reuse), ("g1", failed)]) == ("graph_reuse",)
        # Another record, or the same place of another file: a failure of its own.
        assert logs.reasons_to_fail([("g1", reuse), ("g1", failed), ("g1", _finding("prediction_failed", 9))]) == ()
        assert logs.reasons_to_fail([("g1", reuse), ("g2", failed)]) == ()
        item = replace(REUSE, signature="prediction_failed", caused_by=("graph_reuse", "cuda_error"))
        watched = {"prediction_failed": WATCHED["recompile_limit"]}
        (seen,) = logs.of_signatures("trade", watched, [item], readable=True, completed_since_hit=0)
        assert seen.inhibitors == ("graph_reuse:trade", "log_errors:trade/cuda_error")

    def it_finds_the_frame_of_a_record(self) -> None:
        assert failing_frame(REUSE_RECORD) == "return output * self.weight (model/module.py:261, in forward)"
        assert failing_frame("ERROR | Kronos failed") is None

    def it_tells_a_first_scan_as_history_with_its_worst(self) -> None:
        seen = logs.of_history("trade", [REUSE], 600, NOW, "scan")
        assert seen.kind is AlertKind.LOG_HISTORY
        assert seen.severity is Severity.CRITICAL
        assert Fact("Reused", "3 times, last 2026-11-23 12:00 UTC") in seen.facts
        assert seen.evidence == ("log_scan:scan", "finding:id-1")

    def it_names_the_bytes_of_a_gap(self) -> None:
        seen = logs.of_gap("trade", Gap("gen", 1000, None, "rotated away"), "gap-1")
        assert "Bytes 1,000 to an unknown end were lost" in seen.summary
        assert seen.summary.endswith("rotated away")
        assert seen.evidence == ("gap:gap-1",)


class DescribeUpstreamObservations:
    def it_says_per_place_whether_it_follows_the_decision(self) -> None:
        drift = Drift("file .env.compile", "KRONOS_COMPILE", "not 1", "1", DriftKind.FORBIDDEN)
        seen = {
            item.key: item.state
            for item in upstream.of_drift(["file .env.compile", "process 7"], [drift], {"process 8": "not ours"}, {})
        }
        assert seen == {
            "file .env.compile": ObservationState.BAD,
            "process 7": ObservationState.GOOD,
            "process 8": ObservationState.UNKNOWN,
        }

    def it_says_that_a_release_alone_meets_nothing(self) -> None:
        seen = upstream.of_release(Release("torch", "2.14.0"), ("kronos", "toto"), "row")
        assert "only when a compiled probe on it passes" in seen.summary
        # In an environment of its own: a probe cannot hurt production.
        assert "--target kronos --target toto --candidate torch=2.14.0" in seen.next_step

    @pytest.mark.parametrize(
        ("ref", "subject", "title", "step"),
        [
            (
                "origin/main",
                "Clone",
                "kronos was updated upstream: Clone",
                "--candidate kronos=origin/main --variant all",
            ),
            ("origin/main", "", "kronos was updated upstream: 0123456789ab", "--candidate kronos=origin/main"),
            ("HEAD", "Clone", "Another commit of kronos is checked out: Clone", "probe --target kronos --variant all"),
        ],
    )
    def it_has_the_new_commit_probed_and_not_the_old_one(self, ref: str, subject: str, title: str, step: str) -> None:
        revision = Revision("kronos", "0123456789abcdef", None, subject, ref)
        seen = upstream.of_revision(revision, None, ("kronos",), "row")
        assert seen.title == title
        assert step in seen.next_step

    def it_says_what_to_put_where(self) -> None:
        drifts = [
            Drift("file .env.compile", "KRONOS_COMPILE", "not 1", "1", DriftKind.FORBIDDEN),
            Drift("file .env.compile", "ADD_LATEST", "1", None, DriftKind.MISSING),
        ]
        (seen,) = upstream.of_drift([], drifts, {}, {("file .env.compile", "ADD_LATEST"): "row"})
        assert "into .env.compile: unset KRONOS_COMPILE; export ADD_LATEST=1;" in seen.next_step
        assert seen.evidence == ("settings_drift:row",)


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
        seen = list(revisit.of_decision(self._decision(Mode.COMPILED, CriterionState.MET, NOW), "d1"))
        assert [item.title[:19] for item in seen[:4]] == [f"Revisit criterion {n}" for n in range(1, 5)]
        assert {item.state for item in seen} == {ObservationState.BAD}

    def it_never_withdraws_a_proposal_for_want_of_evidence(self) -> None:
        *_, proposal = revisit.of_decision(self._decision(Mode.EAGER, CriterionState.UNKNOWN, None), "d1")
        assert proposal.state is ObservationState.UNKNOWN
        *_, proposal = revisit.of_decision(self._decision(Mode.EAGER, CriterionState.NOT_MET, NOW), "d1")
        assert proposal.state is ObservationState.GOOD


def it_says_the_digest_once_a_week() -> None:
    monday, sunday = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC)
    keys = {checker.of_week(at, ["EAGER."], [], 0, ["d1"]).key for at in (monday, sunday)}
    assert keys == {"2026-W48"}
    assert checker.of_week(monday, [], [], 1, []).title == "Still watching: 1 thing wants attention"


class DescribeCandidateObservations:
    TORCH = ProbeSpec("kronos", "compiled", "torch=2.15.0")

    def it_calls_no_candidate_broken_again(self) -> None:
        failed = ProbeResult(self.TORCH, Outcome.GRAPH_REUSE, NOW, NOW, None, ())
        assert probes.of_variant("id", failed, passed_before=True) is None

    def it_watches_a_candidate_as_one_thing(self) -> None:
        reason = Failure("KeepingProblem", "the environment torch=2.15.0 cannot be made: no index answered")
        seen = probes.of_probing("id", ProbeResult(self.TORCH, Outcome.WORKER_ERROR, NOW, NOW, None, (), reason))
        assert (seen.key, seen.state) == ("probe/kronos/torch=2.15.0", ObservationState.BAD)
        wanted = "kronos-health probe --target kronos --variant compiled --candidate torch=2.15.0  # "
        assert seen.next_step.startswith(wanted)

    def it_alarms_nobody_about_what_is_not_made_here_on_purpose(self) -> None:
        reason = Failure("NotHere", "it would bring CUDA packages")
        skipped = ProbeResult(self.TORCH, Outcome.SKIPPED, NOW, NOW, None, (), reason, skipped_reason=reason.message)
        assert probes.of_probing("id", skipped).state is ObservationState.GOOD
