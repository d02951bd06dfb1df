"""One pass over everything: its exit status says what its lines say, and nothing is called clean that was not seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kronos_health.checks import probing
from kronos_health.checks.context import Context
from kronos_health.checks.health import Health, check
from kronos_health.checks.verifying import verify
from kronos_health.checks.watching import record_deployment
from kronos_health.domain.probes import Environment, Outcome, ProbeFigures, ProbeResult, ProbeSpec
from kronos_health.store import probes
from kronos_health.store.database import writing
from tests.checks.conftest import Clock, MakeContext, on_sqlite
from tests.checks.test_scanning import DONE, PATTERNS, REUSE, Log
from tests.checks.test_watching import FOLLOWS

LINE = "{stamp}trade_stock_e2e.py:main:1 "
TROUBLE = (
    LINE + "ERROR | torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB\n",
    LINE + "ERROR | torch._dynamo.exc.BackendCompilerFailed: backend='inductor' raised: nothing\n",
    LINE + "WARNING | torch._dynamo hit config.recompile_limit (8)\n",
)
TOTO_FAILED = LINE + "ERROR | Toto failed for BTCUSD\n"
KRONOS_FAILED = LINE + "ERROR | Kronos failed for BTCUSD\n"
CPU = Environment("f", "cpu", "3.11", "2.13", None, None, None, None, "h", None, None, "float32", "mini", "clock", 1)
Rows = Callable[[str], list[dict[str, Any]]]


class System:
    """A system under watch: its log, its settings file, and a probe of this morning."""

    def __init__(self, folder: Path, make_context: MakeContext, clock: Clock) -> None:
        self.folder, self.clock, self.log = folder, clock, Log(folder / "trade.log")
        self.file = folder / ".env.compile"
        self.file.write_text(FOLLOWS)
        self.make_context = make_context
        self.context = self.watching("trade")
        self.probed()
        self.log.quiet_line()

    def watching(self, *names: str, **sections: Any) -> Context:
        return self.make_context(
            sources={name: {"path": str(self.folder / f"{name}.log")} for name in names},
            logs={"patterns": PATTERNS},
            production={"env_file": self.file},
            upstream={"torch_interpreter": self.folder / "none"},  # pip is not asked: no news, at once
            **sections,
        )

    def probed(self) -> None:
        spec, now = ProbeSpec("kronos", "eager"), self.clock.now
        result = ProbeResult(spec, Outcome.PASSED, now, now, CPU, (), figures=ProbeFigures())
        campaign = probing.start_campaign(self.context)
        with writing(self.context.engine) as connection:
            probes.add_probe(connection, campaign, result)

    def check(self, context: Context | None = None) -> Health:
        self.clock.move(minutes=5)
        return check(context or self.context)


@pytest.fixture
def system(tmp_path: Path, make_context: MakeContext, clock: Clock) -> System:
    return System(tmp_path, make_context, clock)


def it_says_only_what_it_saw_when_all_is_well(system: System) -> None:
    for _again in range(2):
        health = system.check()
        assert (health.exit_status, health.attention, health.could_not) == (0, (), ())
        assert "its logs show nothing wrong, but do not answer 2 of the 4 checks" in health.sentence
        assert "the evidence is fresh, but CPU only: not admissible" in health.sentence
        assert "clean" not in health.sentence
        assert any(
            "no CUDA evidence for kronos" in note or "CUDA evidence for kronos is of" in note for note in health.notes
        )
        assert "Kronos predictions complete: the logs do not say" in health.notes
    system.log.write(DONE, DONE)
    system.log.quiet_line()
    health = system.check()
    assert "Production follows the decision, its logs are clean" in health.sentence
    assert health.exit_status == 0


def it_wants_attention_for_everything_serious_in_the_logs(system: System) -> None:
    system.check()
    system.log.write(DONE, DONE, DONE, *TROUBLE * 3)
    system.log.quiet_line()
    health = system.check()
    assert health.exit_status == 1
    assert "clean" not in health.sentence
    for signature in ("cuda_out_of_memory", "compile_error", "recompile_limit"):
        (line,) = (line for line in health.attention if signature in line)
        assert line.startswith(f"{signature} in trade: 3 records, last 2026-11-23 11:00 UTC")
    assert len(health.attention) == 3, "an alert about the same records is no further thing"
    assert system.check().exit_status == 1, "it stays so while nothing has changed"


def it_counts_an_open_alert_that_no_finding_tells(system: System, rows: Rows) -> None:
    system.check()
    system.log.write(*TROUBLE)
    system.log.quiet_line()
    system.check()
    record_deployment(system.context, "mended")
    system.log.quiet_line()
    health = system.check()
    assert health.exit_status == 1
    assert any("The GPU ran out of memory in trade: recovering since" in line for line in health.attention)
    assert any("ran out of memory" in alert.title for alert in verify(system.context).open_about_logs)


def it_could_not_check_logs_of_which_nothing_was_read_since_the_deployment(system: System) -> None:
    system.check()
    system.clock.move(minutes=1)
    record_deployment(system.context, "release 42")
    for _again in range(2):
        assert [answer.state for answer in verify(system.context).checks] == ["unknown"] * 4
        health = system.check()
        assert health.exit_status == 2
        (line,) = health.could_not
        assert line == "the logs: nothing new was there to read since the deployment of 2026-11-23 12:06 UTC"
        assert "clean" not in health.sentence
    system.log.quiet_line()
    assert system.check().exit_status == 0


def it_does_not_count_totos_failures_as_those_of_kronos(system: System, rows: Rows) -> None:
    system.log.write(DONE, DONE, DONE, *[TOTO_FAILED] * 3)
    system.log.quiet_line()
    health = system.check()
    (completes,) = (answer for answer in verify(system.context).checks if answer.number == 3)
    assert (completes.state, completes.count, completes.bad) == ("good", 3, 0)
    assert rows("SELECT DISTINCT subject FROM finding") == [{"subject": "toto"}]
    assert health.attention == ("failed predictions of other models: 3",)
    system.log.write(KRONOS_FAILED)
    system.log.quiet_line()
    assert "failed Kronos predictions: 1 of 4" in system.check().attention[0]


@on_sqlite
def it_forgets_a_log_that_nobody_watches_any_more(system: System) -> None:
    (system.folder / "spare.log").write_text(LINE.replace("{stamp}", "2026-11-23 11:00:00 UTC | ") + "INFO | spare\n")
    both = system.watching("trade", "spare")
    system.check(both)
    system.log.write(REUSE, DONE)
    system.log.quiet_line()
    health = system.check(both)
    assert health.attention[0].startswith("CUDA graph errors: 1 (trade 1), last 2026-11-23 11:00 UTC")
    shares = [(part.source, part.state, part.count) for part in verify(both).checks[0].by_source]
    assert shares == [("spare", "good", 0), ("trade", "bad", 1)]

    only_spare = system.watching("spare")
    assert [answer.count for answer in verify(only_spare).checks] == [0] * 4
    assert verify(only_spare).alerts == ()
    health = system.check(only_spare)
    assert (health.exit_status, health.attention) == (0, ())


@on_sqlite
def it_does_not_call_checks_good_before_every_log_was_read(system: System) -> None:
    system.check()
    never_scanned = system.watching("trade", "new")
    (errors, reused, *_rest) = verify(never_scanned).checks
    assert (errors.state, reused.state) == ("unknown", "unknown")
    assert [(part.source, part.state) for part in errors.by_source] == [("new", "unknown"), ("trade", "good")]


@on_sqlite
@pytest.mark.parametrize(
    ("seconds", "state"),
    [
        ([3.5, 3.4, 3.6, 9.0], "good"),  # one slow start
        ([9.0], "bad"),
        ([3.5, 3.5, 3.5, 3.5, 9.0, 9.0], "bad"),  # a third is out, whatever the median says
        ([3.5] * 6 + [9.0, 9.0], "good"),  # a quarter
        ([1.0, 1.0, 1.0, 4.0], "bad"),
    ],
)
def it_judges_the_times_by_their_median_and_by_how_many_are_out(
    system: System, seconds: list[float], state: str
) -> None:
    system.log.write(*(DONE.replace("3.5", str(value)) for value in seconds))
    system.log.quiet_line()
    health = system.check()
    (times,) = (answer for answer in verify(system.context).checks if answer.number == 4)
    out = sum(not 3 <= value <= 5 for value in seconds)
    assert (times.state, times.count, times.bad) == (state, len(seconds), out)
    told = [line for line in health.attention if "inference times" in line]
    assert bool(told) is (state == "bad")
    assert all(f"{out} of {len(seconds)} outside 3,000 to 5,000 ms" in line for line in told)


@on_sqlite
def it_says_that_a_log_cannot_be_read_once(system: System) -> None:
    system.check()
    (system.folder / "trade.log").rename(system.folder / "elsewhere")
    (system.folder / "trade.log").mkdir()
    for _again in range(2):
        health = system.check()
        assert health.exit_status == 2
        assert len([line for line in (*health.could_not, *health.attention) if "trade" in line]) == 1
