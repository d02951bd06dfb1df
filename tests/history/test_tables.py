"""Tables for the terminal, and the original script's table and decision."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kronos_health.domain.logs import ScanCounts
from kronos_health.domain.probes import (
    AccuracyState,
    CacheState,
    Comparison,
    Environment,
    Failure,
    Frame,
    IterationRecord,
    Outcome,
    ProbeFigures,
    ProbeKind,
    ProbeRecord,
    Regime,
)
from kronos_health.history import words
from kronos_health.history.benchmark import benchmark_verdict
from kronos_health.history.facts import DeploymentCheckFacts, SourceCount
from kronos_health.history.tables import (
    benchmark_table,
    file_report_table,
    probe_table,
    scan_table,
    verification_table,
)
from kronos_health.logs.report import scan_file
from tests.logs.support import line, reuse

AT = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
CUDA = Environment(
    "f", "cuda", "3.11", "2.13", "13.0", None, None, "NVIDIA L4", "h", None, None, "float32", "base", "cuda_event", 1
)
CPU = replace(CUDA, device="cpu", gpu=None)
REUSED = Failure(
    "RuntimeError",
    "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run.\nmore",
    Frame("external/kronos/model/module.py", 265, "forward", "return output * self.weight"),
)
EAGER_FIGURES = ProbeFigures(
    mae_mean=36_000.0, mae_std=900.0, latency_mean_ms=3000.0, latency_std_ms=100.0, memory_mb=336
)
FAST_FIGURES = replace(EAGER_FIGURES, mae_mean=36_360.0, latency_mean_ms=2000.0, memory_mb=400.0)


def probe(variant: str, **changes: Any) -> ProbeRecord:
    record = ProbeRecord(
        probe_id=f"id-{variant}",
        campaign_id="c",
        target="kronos",
        variant=variant,
        candidate="production",
        kind=ProbeKind.MEASURED,
        regime=Regime.SATURATED,
        imported=False,
        started_at=AT,
        finished_at=AT,
        outcome=Outcome.PASSED,
        requested=5,
        passed=5,
        environment=CUDA,
        figures=EAGER_FIGURES,
        failure=None,
        skipped_reason=None,
        noise=(),
    )
    return replace(record, **changes)


def broken(**changes: Any) -> ProbeRecord:
    return probe(
        "compiled",
        **{"outcome": Outcome.GRAPH_REUSE, "passed": 0, "figures": ProbeFigures(), "failure": REUSED, **changes},
    )


def compared(accuracy: AccuracyState) -> Comparison:
    return Comparison("id-eager", "id-compiled", 20, accuracy, "as told", 0.0, 0.01, 0.05, 1.01, 1.5, 1.2)


def printed(renderable: Any, width: int = 140) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


EAGER = probe("eager")
FAST = probe("compiled", figures=FAST_FIGURES)
REHEARSED = broken(kind=ProbeKind.REHEARSED, environment=CPU, probe_id="id-rehearsal")


class DescribeTheBenchmarksDecision:
    def it_says_compiled_only_when_every_gate_is_passed(self) -> None:
        verdict = benchmark_verdict([EAGER, FAST], [compared(AccuracyState.PASS)])
        assert verdict.decision == "COMPILED"
        assert [line for _good, line in verdict.lines] == [
            "Iterations: compiled passed 5 of 5",
            "Accuracy: MAE differs by 1.00% (threshold: < 5%)",
            "Performance: 1.50 times as fast (threshold: > 1.1)",
            "Memory: +19.0% (threshold: < +50%)",
            "Against eager: pass over 20 pairs, as told",
        ]

    @pytest.mark.parametrize(
        ("compiled", "others", "line"),
        [
            (broken(), [], "Iterations: compiled passed 0 of 5: graph_reuse"),
            (replace(FAST, passed=4, outcome=Outcome.TIMEOUT), [], "Iterations: compiled passed 4 of 5: timeout"),
            (replace(FAST, figures=EAGER_FIGURES), [], "Performance: 1.00 times as fast (threshold: > 1.1)"),
            (
                replace(FAST, figures=replace(FAST_FIGURES, mae_mean=40_000.0)),
                [],
                "Accuracy: MAE differs by 11.11% (threshold: < 5%)",
            ),
            (replace(FAST, figures=replace(FAST_FIGURES, memory_mb=600.0)), [], "Memory: +78.6% (threshold: < +50%)"),
            (replace(FAST, figures=ProbeFigures()), [], "Performance: not measured (threshold: > 1.1)"),
            (FAST, [REHEARSED], "Rehearsal: on CUDA compiled would end in graph_reuse (0 of 5)"),
            (replace(FAST, environment=CPU), [], "Evidence: not measured on CUDA, so never a reason for COMPILED"),
        ],
    )
    def it_says_eager_for_any_one_reason(self, compiled: ProbeRecord, others: list[ProbeRecord], line: str) -> None:
        verdict = benchmark_verdict([EAGER, compiled, *others])
        assert verdict.decision == "EAGER"
        assert (False, line) in verdict.lines

    def it_does_not_take_an_inconclusive_accuracy_for_a_pass(self) -> None:
        assert benchmark_verdict([EAGER, FAST], [compared(AccuracyState.INCONCLUSIVE)]).decision == "EAGER"

    def it_lets_the_worse_of_two_regimes_speak(self) -> None:
        growing = broken(regime=Regime.GROWING)
        assert benchmark_verdict([EAGER, growing, FAST]).decision == "EAGER"
        assert benchmark_verdict([EAGER, FAST, growing]).decision == "EAGER"

    @pytest.mark.parametrize("probes", [[], [EAGER], [FAST], [replace(EAGER, passed=0), FAST]])
    def it_is_inconclusive_without_both_modes(self, probes: list[ProbeRecord]) -> None:
        assert benchmark_verdict(probes).decision == "INCONCLUSIVE"

    def it_prints_the_table_what_failed_and_the_decision(self) -> None:
        text = printed(benchmark_table([EAGER, broken(), REHEARSED]))
        assert "36,000 ± 900" in text
        assert "Time, ms" in text
        assert "3,000 ± 100" in text
        assert "compiled (rehearsal)" in text
        assert "0/5 successful" in text
        assert text.count("compiled fails at return output * self.weight (external/kronos/model/module.py:265)") == 1
        assert text.strip().endswith("DECISION: EAGER MODE")


class DescribeProbes:
    def it_tells_each_probe_and_why_it_failed(self) -> None:
        skipped = probe("x", outcome=Outcome.SKIPPED, passed=0, figures=ProbeFigures(), environment=None)
        skipped = replace(skipped, skipped_reason="GPU is busy", candidate="torch=2.15.0")
        text = printed(probe_table([EAGER, broken(), REHEARSED, skipped], [compared(AccuracyState.VOID)]))
        assert text.splitlines()[0].split()[:3] == ["kronos", "Outcome", "Passed"]
        assert "eager, CUDA" in text
        assert "compiled, rehearsal" in text
        assert "compiled: RuntimeError at return output * self.weight (external/kronos/model/module.py:265)" in text
        assert "overwritten by a subsequent run." in text
        assert "\nmore" not in text
        assert "x @ torch=2.15.0: skipped, GPU is busy" in text
        assert "compiled against eager: accuracy void (as told), 1.50 times as fast" in text

    def it_says_that_a_variant_must_be_warm(self) -> None:
        outcomes = {1: Outcome.GRAPH_REUSE, 2: Outcome.GRAPH_REUSE, 3: Outcome.PASSED}
        iterations = tuple(
            IterationRecord(str(count), count, Regime.SATURATED, CacheState.COLD, outcome, AT, count)
            for count, outcome in outcomes.items()
        )
        text = printed(probe_table([broken(iterations=iterations)]))
        assert "compiled: passes with 3 warm-up calls, fails with 2" in text

    def it_names_the_target_where_there_are_several(self) -> None:
        text = printed(probe_table([EAGER, replace(EAGER, target="toto")]))
        assert "kronos: eager, CUDA" in text
        assert "toto: eager, CUDA" in text

    def it_says_once_why_times_may_be_disturbed(self) -> None:
        busy = tuple(f"other programs used 57% of the processors during iteration {number}" for number in (1, 2))
        text = printed(probe_table([replace(EAGER, noise=busy), replace(EAGER, noise=busy[:1]), EAGER]))
        assert text.count("3,000 ± 100 ~") == 2
        assert "~ noisy: other programs used 57% of the processors during iteration 1, and 1 more reason" in text
        assert text.count("noisy") == 1
        assert "noisy" not in printed(probe_table([EAGER, broken()]))
        assert "~" in printed(benchmark_table([replace(EAGER, noise=busy), broken()]))

    def it_breaks_no_figure_on_eighty_columns(self) -> None:
        shaky = replace(EAGER.figures, latency_mean_ms=181.2, latency_std_ms=71.44)
        named = replace(EAGER, variant="compiled_static_rope_mark_step", figures=shaky)
        for table in (probe_table([named, broken(), REHEARSED]), benchmark_table([EAGER, named, broken(), REHEARSED])):
            console = Console(width=80, color_system=None)
            with console.capture() as capture:
                console.print(table)
            text = capture.get()
            assert "181 ± 71" in text
            assert "36,000 ± 900" in text
            assert max(map(len, text.splitlines())) <= 80
        assert "compiled_static_rope_mark_step, CUDA\n" in printed(probe_table([named]), 80)


class DescribeFigures:
    @pytest.mark.parametrize(
        ("mean", "deviation", "told"),
        [
            (335.4, 32.36, "335 ± 32"),
            (1.5, 0.5, "1.50 ± 0.50"),
            (181.2, 71.44, "181 ± 71"),
            (36159.7, 1883.1, "36,160 ± 1,883"),
            (12.34, 2, "12.3 ± 2.0"),
            (0, 0.25, "0.0000 ± 0.2500"),
            (3, None, "3"),
            (2.5, None, "2.50"),
            (None, 1, "–"),
            (float("inf"), 1, "inf"),
        ],
    )
    def it_gives_a_deviation_the_decimals_of_its_mean(
        self, mean: float | None, deviation: float | None, told: str
    ) -> None:
        assert words.plus_minus(mean, deviation) == told


class DescribeVerification:
    def it_gives_each_logs_share_and_says_when_values_out_of_bounds_are_bad(self) -> None:
        shares = (SourceCount("kronos", "good", 9, 1), SourceCount("spare", "unknown", 0, 0))
        slow = DeploymentCheckFacts(4, "Kronos inference times are normal", "good", 9, 1, AT, AT, 3400.0, AT, shares)
        text = printed(verification_table([slow]), 80)
        assert max(map(len, text.splitlines())) <= 80
        (spare,) = (line.split() for line in text.splitlines() if "spare" in line)
        assert spare == ["spare", "unknown", "0", "0"]
        assert "4: bad when the median is out of bounds, or more than one value and a quarter of" in text

    def it_shows_states_counts_and_times(self) -> None:
        checks = (
            DeploymentCheckFacts(1, "no CUDA graph errors", "bad", 3, 3, AT, AT, None, AT),
            DeploymentCheckFacts(4, "Kronos inference times are normal", "unknown", 0, 0, None, None, None, AT),
        )
        text = printed(verification_table(checks))
        assert "After the deployment, since 2026-11-23 06:00 UTC" in text
        assert "bad" in text
        assert "unknown" in text
        never = replace(checks[0], since=None)
        assert "no deployment is known" in printed(verification_table((never,)))


@dataclass(frozen=True)
class Scan:
    source: str = "trading"
    counts: ScanCounts = field(default_factory=lambda: ScanCounts(bytes=2048, lines=20, lag_bytes=4096))
    findings_by_signature: dict[str, int] = field(default_factory=lambda: {"graph_reuse": 2, "recompile": 0})
    gaps: int = 0
    first_run: bool = False
    problem: str | None = None
    notes: tuple[str, ...] = ()


class DescribeScans:
    def it_tells_what_is_new_in_each_log(self) -> None:
        torn = Scan("torn", gaps=1, notes=("3 bytes are not utf-8",))
        scans = [Scan(), Scan("other", problem="permission denied"), Scan("new", first_run=True), torn]
        text = printed(scan_table(scans))
        assert "1 gap: bytes vanished unread" in text
        assert "3 bytes are not utf-8" in text
        assert "trading  2 KiB     20  4 KiB  graph_reuse ×2" in text
        assert "could not be read: permission denied" in text
        assert "first scan: history" in text
        assert "recompile" not in text

    def it_tells_what_one_file_holds(self, tmp_path: Path) -> None:
        log = tmp_path / "app.log"
        log.write_bytes(
            reuse("[bold]").encode() + b"\xff\xfe\n" + b"  line\n" * 20
            + line("Kronos inference time: 3000 ms").encode() * 2
        )  # fmt: skip
        text = printed(file_report_table(scan_file(log)))
        assert "1 KiB, 32 lines, 3 records; 2 undecodable" in text
        assert "graph_reuse      1           1" in text
        assert "could not forecast [bold]" in text
        assert "more lines" in text
        assert "3,000" in text
        log.write_text("fine\n")
        assert "no finding" in printed(file_report_table(scan_file(log)))
