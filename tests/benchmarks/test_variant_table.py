"""The page that make bench-gpu writes, from records as a GPU would leave them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from benchmarks.support.variant_table import agreement, agreements, answers, arms, failures, file_name, page, table
from kronos_health.domain.probes import (
    AccuracyState,
    Comparison,
    Environment,
    Failure,
    Frame,
    Outcome,
    ProbeFigures,
    ProbeKind,
    ProbeRecord,
    Regime,
)

AT = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
CUDA = Environment(
    fingerprint="f", device="cuda", python="3.11.7", torch="2.14.1+cu130", cuda="13.0", triton="3.7", driver="580.1",
    gpu="NVIDIA H100 80GB HBM3", host="h", target_revision="sktime-1.2.0", weights_revision="random", dtype="float32",
    model_shape="base", timing_method="cuda_event", protocol_version=1,
)  # fmt: skip
CPU = replace(CUDA, device="cpu", gpu=None)
REUSED = Failure("RuntimeError", "accessing tensor output\nof CUDAGraphs", Frame("a/module.py", 7, "forward", "x * w"))


def probe(variant: str, outcome: Outcome = Outcome.PASSED, **changes: object) -> ProbeRecord:
    passed = 5 if outcome is Outcome.PASSED else 0
    figures = ProbeFigures(first_call_median_ms=41000.4, steady_median_ms=101.0, steady_iqr_ms=2.0, memory_mb=700.0)
    record = ProbeRecord(
        probe_id=variant, campaign_id="c", target="kronos", variant=variant, candidate="production",
        kind=ProbeKind.MEASURED, regime=Regime.SATURATED, imported=False, started_at=AT, finished_at=AT,
        outcome=outcome, requested=5, passed=passed, environment=CUDA, figures=figures if passed else ProbeFigures(),
        failure=None if passed else REUSED, skipped_reason=None, noise=(),
    )  # fmt: skip
    return replace(record, **changes)  # type: ignore[arg-type]


def rehearsal(variant: str, outcome: Outcome = Outcome.PASSED) -> ProbeRecord:
    return probe(variant, outcome, kind=ProbeKind.REHEARSED, environment=CPU, probe_id=f"{variant} rehearsed")


def compared(variant: str) -> Comparison:
    accuracy = AccuracyState.PASS
    return Comparison("eager", variant, 20, accuracy, "identical", 0.0, 0.01, 0.05, 1.0, speed_up=1.5, memory_ratio=1.1)


MENDED, STOCK = "compiled_static_rope_clone", "compiled"
COUNTED = {"recompiles": 0, "cudagraph_skips": 0}
ROWS = arms(
    [
        probe("eager"), probe(STOCK, Outcome.GRAPH_REUSE), probe(MENDED),
        rehearsal(STOCK, Outcome.GRAPH_REUSE), rehearsal(MENDED),
    ],
    [compared(MENDED)],
    {MENDED: [COUNTED | {"cudagraph_replays": 30}, COUNTED | {"cudagraph_replays": 28}]},
)  # fmt: skip


def it_has_one_row_per_measured_variant() -> None:
    lines = table(ROWS).splitlines()
    assert len(lines) == 2 + 3
    assert len({line.count("|") for line in lines}) == 1
    cells = [cell.strip() for cell in lines[4].strip("|").split("|")]
    assert cells == [
        f"`{MENDED}`", "passed", "5/5", "41,000", "101.0", "2.0", "1.50", "pass", "700", "0", "0", "28–30", "passed",
        "yes",
    ]  # fmt: skip


def it_says_where_the_others_failed() -> None:
    assert failures(ROWS) == "- `compiled`: graph_reuse at `x * w` (module.py:7): accessing tensor output\n"
    assert failures(ROWS[:1]) == "None.\n"


class DescribeAnswers:
    def it_answers_what_was_expected_of_a_gpu(self) -> None:
        told = dict(zip(("stock", "clone"), answers(ROWS).splitlines(), strict=False))
        assert told["stock"].endswith("**Yes**: 0 of 5 passed.")
        assert told["clone"].endswith("**Yes**: 5 of 5 passed.")
        assert "`compiled_whole_step`, the whole step as one region, kept outputs cloned: passes? **No answer**" in (
            answers(ROWS)
        )

    def it_says_no_with_the_reason(self) -> None:
        rows = arms([probe(MENDED, Outcome.GRAPH_REUSE)], [], {})
        assert "**No**: 0 of 5 passed; graph_reuse at `x * w`" in answers(rows)

    def it_leaves_open_what_this_torch_does_not_have(self) -> None:
        lacking = Failure("Unsupported", "generation cloning needs torch 2.14 or newer")
        rows = arms([probe("compiled_generation_cloning", Outcome.COMPILE_ERROR, failure=lacking)], [], {})
        assert "**No answer**: generation cloning needs torch 2.14 or newer" in answers(rows)

    def it_takes_no_answer_from_a_cpu(self) -> None:
        rows = arms([probe(MENDED, environment=CPU), rehearsal(MENDED)], [], {})
        assert "**Yes**" not in answers(rows)
        assert "not measured on CUDA" in answers(rows)
        assert agreements(rows).startswith("No variant has both")


@pytest.mark.parametrize(
    ("measured", "rehearsed", "agrees"),
    [
        (Outcome.PASSED, Outcome.PASSED, True),
        (Outcome.GRAPH_REUSE, Outcome.GRAPH_REUSE, True),
        (Outcome.SILENT_OVERWRITE, Outcome.GRAPH_REUSE, True),
        (Outcome.PASSED, Outcome.GRAPH_REUSE, False),
        (Outcome.OUT_OF_MEMORY, Outcome.PASSED, None),
        (Outcome.PASSED, None, None),
    ],
)
def it_compares_verdicts_on_the_lifetime_rule_only(
    measured: Outcome, rehearsed: Outcome | None, agrees: bool | None
) -> None:
    assert agreement(measured, rehearsed) is agrees


def it_names_the_variants_in_which_the_rehearsal_was_wrong() -> None:
    rows = arms([probe(MENDED), rehearsal(MENDED, Outcome.GRAPH_REUSE)], [], {})
    assert agreements(rows) == f"The rehearsal agreed in 0 of 1 variants that can be compared; not of `{MENDED}`."


def it_makes_a_page_with_a_name_of_its_own() -> None:
    text = page(ROWS, [("GPU", "NVIDIA H100")], "First failing layer: CUDA graphs.", AT)
    assert text.startswith("# Variants of Kronos, measured 2026-11-25\n")
    assert "- GPU: NVIDIA H100\n" in text
    assert "\nFirst failing layer: CUDA graphs.\n" in text
    assert file_name(CUDA, AT) == "2026-11-25-nvidia-h100-80gb-hbm3-torch2.14.1.md"
