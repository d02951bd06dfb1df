"""Probes from plan to rows: the real worker on the smallest shape, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kronos_health.checks import probing
from kronos_health.checks.errors import CheckError
from kronos_health.checks.probing import ProbeRequest
from kronos_health.checks.revisiting import revisit
from kronos_health.domain.probes import Outcome, ProbeKind
from kronos_health.domain.revisit import Mode
from tests.checks.conftest import Clock, MakeContext, on_sqlite, run_planned
from tests.conftest import postgresql_slow

Rows = Callable[[str], list[dict[str, Any]]]
TINY: dict[str, dict[str, Any]] = {
    "probe": {
        "device": "cpu",
        "iterations": 1,
        "rehearsal_iterations": 1,
        "predictions": 2,
        "evaluation": {"lookback": 32, "max_context": 32, "sample_count": 1},
    },
    "targets": {"kronos": {"size": "tiny"}},
}


@postgresql_slow
def it_stores_eager_and_rehearsal_compares_and_decides_eager(make_context: MakeContext, rows: Rows) -> None:
    context = make_context(**TINY)
    request = ProbeRequest(variants=("eager", "compiled"))
    plan = probing.plan_probes(context, request)
    assert [(spec.variant, spec.kind) for spec in plan] == [
        ("eager", ProbeKind.MEASURED),
        ("compiled", ProbeKind.MEASURED),
        ("compiled", ProbeKind.REHEARSED),
    ]
    said: list[str] = []
    eager, _measured, rehearsed = plan
    summary = run_planned(context, (eager, rehearsed), lambda progress: said.append(progress.line))
    assert [record.outcome for record in summary.probes] == [Outcome.PASSED, Outcome.GRAPH_REUSE]
    assert summary.comparisons == (), "a rehearsal forecasts nothing to compare"
    rehearsal = summary.probes[1]
    assert rehearsal.failure is not None
    assert rehearsal.failure.frame is not None
    assert rehearsal.failure.frame.code == "return output * self.weight"
    assert any("iteration 1/1, loading" in line for line in said)
    assert [row["outcome"] for row in rows("SELECT outcome FROM iteration ORDER BY id")] == ["passed", "graph_reuse"]
    assert rows("SELECT count(*) AS n FROM prediction WHERE absolute_error IS NOT NULL")[0]["n"] == 2
    assert {row["verdict"] for row in rows("SELECT verdict FROM heartbeat WHERE finished_at IS NOT NULL")} == {"ok"}

    (decision,) = revisit(context)
    assert decision.mode is Mode.EAGER
    assert decision.evidence_at is None, "nothing measured on a CPU, and no rehearsal, is evidence"
    stored = rows("SELECT state FROM criterion_evaluation")
    assert len(stored) == 4
    assert "met" not in {row["state"] for row in stored}


@on_sqlite
def it_says_that_probing_fails_once_and_that_it_works_again(
    make_context: MakeContext, rows: Rows, tmp_path: Path
) -> None:
    broken = make_context(**{**TINY, "targets": {"kronos": {"size": "tiny", "interpreter": tmp_path / "gone"}}})
    request = ProbeRequest(variants=("eager",), rehearse=False)
    for _again in range(2):
        (record,) = probing.probe(broken, request).probes
        assert record.outcome is Outcome.WORKER_ERROR
    assert rows("SELECT count(*) AS n FROM outbox WHERE kind = 'fired'")[0]["n"] == 1
    (record,) = probing.probe(make_context(**TINY), request).probes
    assert record.outcome is Outcome.PASSED
    assert rows("SELECT state FROM alert WHERE kind = 'checker_unhealthy'") == [{"state": "ok"}]


@on_sqlite
def it_keeps_what_was_done_when_it_is_stopped(make_context: MakeContext, rows: Rows) -> None:
    context = make_context(**TINY)
    (spec,) = probing.plan_probes(context, ProbeRequest(variants=("eager",), iterations=3))
    done = lambda: rows("SELECT count(*) AS n FROM iteration")[0]["n"] == 1  # noqa: E731
    summary = probing.run_probe(context, probing.start_campaign(context), spec, should_stop=done)
    assert summary.outcome is Outcome.SKIPPED
    assert rows("SELECT outcome FROM iteration") == [{"outcome": "passed"}]


@on_sqlite
def it_waits_out_a_blackout_with_a_row_that_says_why_and_no_alarm(
    make_context: MakeContext, rows: Rows, clock: Clock
) -> None:
    """``now`` is Monday, 2026-11-23, 12:00 UTC."""
    always_monday = {"days": ["mon"], "start": "00:00", "end": "00:00", "timezone": "UTC"}
    context = make_context(**{**TINY, "probe": {**TINY["probe"], "blackout": [always_monday]}})
    request = ProbeRequest(variants=("eager",), rehearse=False)
    (record,) = probing.probe(context, request).probes
    assert (record.outcome, record.iterations) == (Outcome.SKIPPED, ())
    (row,) = rows("SELECT outcome, skipped_reason, finished_at IS NOT NULL AS closed FROM probe")
    assert row["closed"]
    assert "[[probe.blackout]] leaves the machine to production until Tue 2026-11-24 00:00" in row["skipped_reason"]
    assert rows("SELECT count(*) AS n FROM outbox")[0]["n"] == 0
    (by_hand,) = probing.probe(context.ignoring_blackout(), request).probes
    assert by_hand.outcome is Outcome.PASSED
    clock.move(hours=12)
    (afterwards,) = probing.probe(context, request).probes
    assert afterwards.outcome is Outcome.PASSED


@on_sqlite
@pytest.mark.parametrize("request_", [ProbeRequest(variants=("compild",)), ProbeRequest(targets=("kronoss",))])
def it_refuses_a_name_that_is_not_there(make_context: MakeContext, request_: ProbeRequest) -> None:
    with pytest.raises(CheckError, match="Did you mean"):
        probing.plan_probes(make_context(**TINY), request_)
