"""Seven days of daily probes, stored the way the checker stores them; then people ask the real commands about them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from kronos_health.checks import probing
from kronos_health.checks.baseline import import_shipped
from kronos_health.checks.context import Context
from kronos_health.checks.revisiting import revisit
from kronos_health.domain.probes import (
    CacheState,
    Counters,
    Environment,
    Failure,
    Frame,
    Iteration,
    Memory,
    Outcome,
    Prediction,
    ProbeResult,
    ProbeSpec,
)
from kronos_health.probe import figures
from kronos_health.settings.models import Settings
from kronos_health.store import probes as store
from kronos_health.store.database import writing

COMMAND = Path(sys.executable).with_name("kronos-health")
DAYS, ITERATIONS = 7, 5
ENVIRONMENT = Environment(
    "one-and-the-same", "cuda", "3.11.7", "2.13.0+cu130", "13.0", "3.5.0", "580.65", "NVIDIA L4", "trader-1", "67b630e",
    "random:1000", "float32", "base", "cuda_event", 1,
)  # fmt: skip
REUSED = Failure(
    "RuntimeError",
    "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run.",
    Frame("external/kronos/model/module.py", 265, "forward", "return output * self.weight"),
    '  File "external/kronos/model/module.py", line 265, in forward\n    return output * self.weight',
)
Asked = Callable[..., str]


class Day:
    """The clock of one daily run, and what it stores: eager passes, compiled breaks."""

    def __init__(self, engine: Engine, state: Path, begins: datetime, number: int) -> None:
        self.now, self.number = begins, number
        self.context = Context(Settings(state_dir=state), engine, lambda: self.now)

    def run(self) -> None:
        campaign = probing.start_campaign(self.context)
        self._probe(campaign, ProbeSpec("kronos", "eager", iterations=ITERATIONS))
        self._probe(campaign, ProbeSpec("kronos", "compiled", iterations=ITERATIONS))
        probing.finish_campaign(self.context, campaign)
        revisit(self.context)

    def _probe(self, campaign: str, spec: ProbeSpec) -> None:
        started = self.now
        with writing(self.context.engine) as connection:
            probe_id = store.open_probe(connection, campaign, spec, started)
        done: list[Iteration] = []
        for index in range(spec.iterations):
            self.now += timedelta(seconds=30)
            done.append(self._iteration(index, broken=spec.variant == "compiled"))
            with writing(self.context.engine) as connection:
                store.record_iteration(connection, probe_id, done[-1], ENVIRONMENT)
        broken = spec.variant == "compiled"
        result = ProbeResult(
            spec, Outcome.GRAPH_REUSE if broken else Outcome.PASSED, started, self.now, ENVIRONMENT, tuple(done),
            failure=REUSED if broken else None, figures=figures.of_probe(done),
        )  # fmt: skip
        with writing(self.context.engine) as connection:
            store.close_probe(connection, probe_id, result)

    def _iteration(self, index: int, *, broken: bool) -> Iteration:
        steady = 2000.0 + 10 * self.number
        times = () if broken else (2 * steady, steady, steady, steady)
        made = tuple(
            Prediction(place, 1000 + 1000 * index + place, took, 68_000.0, 36_000.0, 36_500.0)
            for place, took in enumerate(times)
        )
        measured = figures.of_iteration(made, frozenset())
        return Iteration(
            index=index,
            outcome=Outcome.GRAPH_REUSE if broken else Outcome.PASSED,
            started_at=self.now,
            duration_ms=25_000.0,
            regime=ProbeSpec("kronos", "eager").regime,
            cache_state=CacheState.NONE,
            exit_status=0,
            signal=None,
            import_ms=900.0,
            load_ms=800.0,
            first_call_ms=measured.first_call_ms,
            steady_median_ms=measured.steady_median_ms,
            steady_iqr_ms=measured.steady_iqr_ms,
            steady_p95_ms=measured.steady_p95_ms,
            mae=measured.mae,
            memory=Memory(rss_peak_mb=900.0, device_allocated_mb=336.0),
            counters=Counters(),
            predictions=made,
            failure=REUSED if broken else None,
        )


@pytest.fixture
def today() -> datetime:
    """The commands go by the machine's clock, so the history ends now."""
    return datetime.now(UTC)


@pytest.fixture
def asked(engine: Engine, database_url: str, tmp_path: Path, today: datetime) -> Asked:
    """What a command prints about the seven days."""
    for number in range(DAYS):
        day = Day(engine, tmp_path / "var", today - timedelta(days=DAYS - 1 - number, hours=1), number)
        if number == 0:
            import_shipped(day.context)
        day.run()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_HEALTH")}

    def ask(*arguments: str) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
            env={**clean, "COLUMNS": "100", "KRONOS_HEALTH__DATABASE__URL": database_url},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return ask


def it_answers_status_report_and_queries_from_a_week_of_daily_probes(asked: Asked, today: datetime) -> None:
    status = asked("status")
    assert "kronos: EAGER · VERY HIGH confidence" in status
    assert re.search(r"decided \d+ min ago · newest admissible evidence \d+ min ago", status)
    assert "measured on CUDA (NVIDIA L4, base, torch 2.13.0+cu130)" in status
    assert "so far 35/35 in 7 days" in status
    assert re.search(r"so far 0/35 in 7 days, BROKEN\b(?! \(counting since)", status), "a baseline is no reset"
    assert "at return output * self.weight (model/module.py:265)" in status
    assert "baseline of 2025-10-30, imported" in status

    report = asked("report")
    assert "**Decision**: **EAGER MODE**" in report
    assert "| `eager` | 5/5 (100%) | 36,000 ± 0 | 2,575 ± 892 ms | 2,060 ms | 336 MB | `passed` |" in report
    assert "| `compiled` | 0/5 (0%) |" in report
    assert "First failing frame: `return output * self.weight (model/module.py:265)` in `forward`" in report
    assert "| **not met** | 0 of 5, graph\\_reuse |" in report

    days = [(today - timedelta(days=ago, hours=1)).date().isoformat() for ago in range(DAYS)][::-1]
    success = json.loads(asked("query", "variant_success_by_day", "--format", "json"))
    by_variant = {name: [row for row in success if row["variant"] == name] for name in ("eager", "compiled")}
    assert [row["day"] for row in by_variant["eager"]] == days
    assert [row["success_rate"] for row in by_variant["eager"]] == [1.0] * DAYS
    assert [(row["passed"], row["graph_reuse"]) for row in by_variant["compiled"]] == [(0, 1)] * DAYS

    trend = list(csv.DictReader(io.StringIO(asked("query", "latency_trend", "-p", "variant=eager", "--format", "csv"))))
    assert [float(row["steady_median_ms"]) for row in trend] == [2000.0 + 10 * number for number in range(DAYS)]

    history = asked("query", "probe_history", "-p", "variant=compiled", "-p", "limit=3")
    assert history.count("graph_reuse") == 3
    assert history.count("NVIDIA L4") == 3
