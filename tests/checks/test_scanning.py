"""Scanning from file to outbox: history told once, one alert per burst, recovery only on completed predictions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kronos_health.checks.errors import CheckError
from kronos_health.checks.scanning import is_serious, scan, scan_single_file
from kronos_health.checks.verifying import verify
from tests.checks.conftest import Clock, MakeContext

Rows = Callable[[str], list[dict[str, Any]]]
STAMP = "2026-11-23 11:{minute:02d}:{second:02d} UTC | 2026-11-23 06:{minute:02d}:{second:02d} EST | "
REUSE = """{stamp}trade_stock_e2e.py:main:3043 \x1b[31mERROR\x1b[0m | Kronos forecast failed
Traceback (most recent call last):
  File "model/kronos.py", line 325, in decode_s1
    x = self.norm(x)
  File "model/module.py", line 265, in forward
    return output * self.weight
RuntimeError: Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run. Stack trace: \
File "model/module.py", line 265, in forward
    return output * self.weight. To prevent overwriting, clone the tensor outside of torch.compile() or call \
torch.compiler.cudagraph_mark_step_begin() before each model invocation.
"""
DONE = "{stamp}trade_stock_e2e.py:predict:88 INFO | Kronos prediction completed in 3.5 s\n"
SLOW = "{stamp}trade_stock_e2e.py:predict:88 INFO | Kronos prediction completed in 9.0 s\n"
FAILED = "{stamp}trade_stock_e2e.py:main:3043 ERROR | Kronos forecast failed: 3 rows hold no close\n"
SKIPPED = (
    "{stamp}torch/_inductor/cudagraph_utils.py:1 WARNING | skipping cudagraphs due to mutated inputs (1 instances)\n"
)
LIMIT = "{stamp}torch/_dynamo/convert_frame.py:1358 WARNING | torch._dynamo hit config.recompile_limit (8)\n"
PATTERNS = {
    "prediction_completed": r"(?P<subject>Kronos|Toto) prediction completed",
    "kronos_inference_ms": r"Kronos prediction completed in (?P<value>[\d.]+) (?P<unit>s)",
}


class Log:
    """A log that grows, its stamps a second apart."""

    def __init__(self, path: Path) -> None:
        self.path, self._lines = path, 0
        path.touch()

    def write(self, *templates: str) -> None:
        with self.path.open("a") as file:
            for template in templates:
                self._lines += 1
                stamp = STAMP.format(minute=self._lines // 60, second=self._lines % 60)
                file.write(template.replace("{stamp}", stamp))

    def quiet_line(self) -> None:
        """An ordinary line, which closes the record before it."""
        self.write("{stamp}trade_stock_e2e.py:main:1 INFO | waiting\n")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "trade.log")


@pytest.fixture
def settings(log: Log) -> dict[str, Any]:
    return {"sources": {"trade": {"path": str(log.path)}}, "logs": {"patterns": PATTERNS}}


def it_tells_history_in_one_message(make_context: MakeContext, rows: Rows, log: Log, settings: dict[str, Any]) -> None:
    log.write(REUSE, REUSE, REUSE)
    log.quiet_line()
    done = scan(make_context(**settings), "trade")
    assert done.first_run
    assert done.findings_by_signature["graph_reuse"] == 3
    messages = rows("SELECT kind, fingerprint, message FROM outbox")
    assert [row["kind"] for row in messages] == ["notice"]
    message = json.loads(messages[0]["message"])
    told = {fact["label"]: fact["value"] for fact in message["facts"]}
    assert told["CUDA graph outputs were overwritten by a subsequent run"].startswith("3 times, last 2026-11-23")
    assert told["Frame"] == "return output * self.weight (model/module.py:265, in forward)"
    assert message["occurrences"] == 6  # the same records also say that predictions failed
    assert [row.partition(":")[0] for row in message["evidence"]] == ["log_scan", "finding", "finding"]


def it_says_one_thing_of_one_incident_however_many_signatures_it_has(
    make_context: MakeContext, rows: Rows, log: Log, settings: dict[str, Any], clock: Clock
) -> None:
    context = make_context(**settings)
    log.quiet_line()
    scan(context, "trade")
    log.write(REUSE, SKIPPED, LIMIT, REUSE)
    log.quiet_line()
    for _again in range(3):
        clock.move(minutes=5)
        scan(context, "trade")
    assert rows("SELECT fingerprint, kind FROM outbox WHERE kind <> 'notice'") == [
        {"fingerprint": "graph_reuse:trade", "kind": "fired"}
    ]
    unsaid = rows("SELECT fingerprint, reason FROM alert_transition WHERE kind = 'fired' AND announced = false")
    assert {row["fingerprint"] for row in unsaid} == {
        "log_errors:trade/cudagraph_skipped", "log_errors:trade/prediction_failed", "log_errors:trade/recompile_limit",
    }  # fmt: skip
    assert all("graph_reuse:trade is open and says it" in row["reason"] for row in unsaid)

    log.write(FAILED)  # another failure, whose record says nothing of graphs
    log.quiet_line()
    clock.move(minutes=5)
    scan(context, "trade")
    said = rows("SELECT fingerprint FROM outbox WHERE kind = 'fired' AND fingerprint LIKE 'log_errors%'")
    assert said == [{"fingerprint": "log_errors:trade/prediction_failed"}]


def it_pages_nobody_for_one_slow_prediction(
    make_context: MakeContext, rows: Rows, log: Log, settings: dict[str, Any], clock: Clock
) -> None:
    context = make_context(**settings)
    ask = "SELECT kind, message FROM outbox WHERE fingerprint LIKE 'predictions_out_of_bounds%' ORDER BY sequence"
    log.write(*[DONE] * 6)
    log.quiet_line()
    scan(context, "trade")
    log.write(SLOW)
    log.quiet_line()
    scan(context, "trade")
    assert rows(ask) == []

    log.write(*[SLOW] * 12)  # most of the newest twenty now
    log.quiet_line()
    clock.move(minutes=5)
    scan(context, "trade")
    (fired,) = rows(ask)
    assert "The median of the last 19 predictions that logged it is 9,000 ms" in fired["message"]

    clock.move(hours=25)  # nobody can say that it is still so
    log.quiet_line()
    scan(context, "trade")
    _fired, reminded = rows(ask)
    assert json.loads(reminded["message"])["seen"] == "unknown"
    assert "No line has carried this number since" in reminded["message"]


def it_tells_of_silence_without_any_setting(
    make_context: MakeContext, rows: Rows, log: Log, settings: dict[str, Any], clock: Clock
) -> None:
    context = make_context(**settings)
    log.write(DONE)
    log.quiet_line()
    scan(context, "trade")
    for hours in (95, 2):
        assert rows("SELECT kind FROM outbox WHERE fingerprint = 'no_predictions:trade'") == []
        clock.move(hours=hours)
        log.quiet_line()
        scan(context, "trade")
    assert rows("SELECT kind FROM outbox WHERE fingerprint = 'no_predictions:trade'") == [{"kind": "fired"}]
    log.write(DONE.replace("{stamp}", f"{clock.now:%Y-%m-%d %H:%M:%S} UTC | "))
    log.quiet_line()
    scan(context, "trade")
    kinds = rows("SELECT kind FROM outbox WHERE fingerprint = 'no_predictions:trade' ORDER BY sequence")
    assert [row["kind"] for row in kinds] == ["fired", "resolved"]


def it_hears_kronos_fall_silent_while_toto_talks(
    make_context: MakeContext, rows: Rows, log: Log, clock: Clock, settings: dict[str, Any]
) -> None:
    sources = {"trade": {"path": str(log.path), "cadence_seconds": 3600}}
    context = make_context(**{**settings, "sources": sources})
    log.write(DONE)
    log.quiet_line()
    scan(context, "trade")
    clock.move(hours=2)
    log.write(f"{clock.now:%Y-%m-%d %H:%M:%S} UTC | x.py:1 INFO | Toto prediction completed in 0.5 s\n")
    log.quiet_line()
    scan(context, "trade")
    (fired,) = rows("SELECT message FROM outbox WHERE fingerprint = 'no_predictions:trade'")
    assert "(Kronos is silent)" in fired["message"]


def it_tells_of_a_gap_once_and_never_of_its_end(
    make_context: MakeContext, rows: Rows, log: Log, settings: dict[str, Any], clock: Clock
) -> None:
    context = make_context(**settings)
    log.quiet_line()
    scan(context, "trade")
    log.path.write_text("another file altogether\n")
    for hours in (1, 31, 31):
        clock.move(hours=hours)
        log.quiet_line()
        scan(context, "trade")
    messages = rows("SELECT kind, message FROM outbox WHERE fingerprint LIKE 'log_gap%'")
    assert [row["kind"] for row in messages] == ["notice"]
    (gap,) = rows("SELECT id FROM gap")
    assert json.loads(messages[0]["message"])["evidence"] == [f"gap:{gap['id']}"]
    assert rows("SELECT state FROM alert WHERE kind = 'log_gap'") == [{"state": "ok"}]


def it_sends_one_message_for_a_burst_and_resolves_on_completed_predictions_only(
    make_context: MakeContext, rows: Rows, log: Log, clock: Clock, settings: dict[str, Any]
) -> None:
    context = make_context(**settings, alerts={"graph_reuse_recover_predictions": 3})
    log.quiet_line()
    scan(context, "trade")
    ask = "SELECT kind FROM outbox WHERE fingerprint = 'graph_reuse:trade' ORDER BY created_at, sequence"

    log.write(*[REUSE] * 20)
    log.quiet_line()
    clock.move(minutes=5)
    assert scan(context, "trade").findings_by_signature["graph_reuse"] == 20
    assert rows(ask) == [{"kind": "fired"}]

    for _quiet_scan in range(3):  # silence is no recovery
        clock.move(hours=1)
        log.quiet_line()
        scan(context, "trade")
    assert [row["kind"] for row in rows(ask)] == ["fired"]

    log.write(DONE, DONE, DONE, DONE)
    log.quiet_line()
    clock.move(minutes=5)
    scan(context, "trade")
    assert [row["kind"] for row in rows(ask)] == ["fired", "resolved"]


def it_moves_nothing_when_nothing_is_new(
    make_context: MakeContext, rows: Rows, log: Log, settings: dict[str, Any]
) -> None:
    context = make_context(**settings)
    log.write(REUSE, DONE)
    log.quiet_line()
    scan(context, "trade")
    before = rows("SELECT count(*) AS n FROM finding"), rows("SELECT sum(count) AS n FROM log_tally")
    again = scan(context, "trade")
    assert again.findings_by_signature == {}
    assert (rows("SELECT count(*) AS n FROM finding"), rows("SELECT sum(count) AS n FROM log_tally")) == before


def it_answers_the_four_deployment_checks(
    make_context: MakeContext, log: Log, settings: dict[str, Any], clock: Clock
) -> None:
    context = make_context(**settings)
    log.quiet_line()
    scan(context, "trade")
    assert [check.state for check in verify(context).checks] == ["good", "good", "unknown", "unknown"]
    log.write(DONE, DONE)
    log.quiet_line()
    scan(context, "trade")
    assert [check.state for check in verify(context).checks] == ["good"] * 4
    log.write(REUSE)
    log.quiet_line()
    scan(context, "trade")
    answers = verify(context).checks
    assert [check.state for check in answers][:2] == ["bad", "bad"]
    assert [(check.count, check.median) for check in answers if check.number == 4] == [(2, 3500.0)]


def it_calls_what_it_cannot_read_a_problem_and_resolves_nothing(
    make_context: MakeContext, rows: Rows, log: Log, settings: dict[str, Any], clock: Clock, tmp_path: Path
) -> None:
    context = make_context(**settings)
    log.quiet_line()
    scan(context, "trade")
    log.write(REUSE)
    log.quiet_line()
    scan(context, "trade")
    log.path.rename(tmp_path / "elsewhere")
    log.path.mkdir()
    clock.move(hours=2)
    done = scan(context, "trade")
    assert done.problem is not None
    assert "trade.log" in done.problem
    states = {row["fingerprint"]: row["state"] for row in rows("SELECT fingerprint, state FROM alert")}
    assert states["graph_reuse:trade"] == "firing"
    assert states["checker_unhealthy:source/trade"] == "firing"


def it_names_the_nearest_source(make_context: MakeContext, settings: dict[str, Any]) -> None:
    with pytest.raises(CheckError, match="Did you mean trade"):
        scan(make_context(**settings), "trad")


def it_reads_a_single_file_without_settings_and_stores_nothing(log: Log) -> None:
    log.write(REUSE)
    report = scan_single_file(log.path)
    assert is_serious(report)
    content = report.as_json()
    assert set(content) == {"findings", "samples", "records", "lines", "bytes", "undecodable", "truncated"}
    found = [(item.signature, item.count, item.first_line) for item in report.findings]
    assert found == [("graph_reuse", 1, 1), ("prediction_failed", 1, 1)]
    with pytest.raises(CheckError, match="nowhere"):
        scan_single_file(log.path.with_name("nowhere.log"))


def it_says_in_which_log_of_a_source_something_was_found_and_of_which_host(
    make_context: MakeContext, rows: Rows, log: Log, settings: dict[str, Any], clock: Clock
) -> None:
    log.quiet_line()
    settings["sources"]["trade"] = {"path": f"{log.path.parent}/*.log", "host": "trading-1"}
    context = make_context(**settings)
    scan(context, "trade")
    other = Log(log.path.with_name("backtest.log"))
    other.write(REUSE)
    other.quiet_line()
    clock.move(minutes=5)
    scan(context, "trade")
    (fired,) = rows("SELECT message FROM outbox WHERE kind = 'fired'")
    assert {"label": "Log", "value": str(other.path)}.items() <= json.loads(fired["message"])["facts"][1].items()
    assert rows("SELECT host FROM log_source") == [{"host": "trading-1"}]
    found = rows("SELECT DISTINCT g.live_path FROM finding f JOIN log_generation g ON g.id = f.generation_id")
    assert found == [{"live_path": str(other.path)}]


def it_keeps_unreachable_storage_from_hurting_any_other_source(
    make_context: MakeContext, rows: Rows, log: Log, settings: dict[str, Any]
) -> None:
    settings["sources"]["archive"] = {"path": "http://127.0.0.1:9/trade.log"}
    context = make_context(**settings)
    log.write(REUSE)
    log.quiet_line()
    assert str(scan(context, "archive").problem).startswith("http://127.0.0.1:9/trade.log cannot be read (")
    assert scan(context, "trade").problem is None
    states = {row["name"]: row["problem"] for row in rows("SELECT name, problem FROM log_source")}
    assert states["trade"] is None
    assert "reading goes on where it stopped" in states["archive"]


def it_judges_returns_by_strategy_and_symbol(
    make_context: MakeContext, rows: Rows, log: Log, clock: Clock, settings: dict[str, Any]
) -> None:
    context = make_context(**settings)
    log.quiet_line()
    scan(context, "trade")
    line = "{stamp}x.py:1 INFO | SYMBOL MaxDiff RETURN Sharpe 18.24\n"
    for number in range(6):
        log.write(line.replace("SYMBOL", "ETHUSD").replace("RETURN", f"0.0{number}"))
        log.write(line.replace("SYMBOL", "BTCUSD").replace("RETURN", "0.01"))  # nothing is expected of it
    log.quiet_line()
    scan(context, "trade")
    (fired,) = rows("SELECT fingerprint, message FROM outbox WHERE fingerprint LIKE 'predictions_out_of_bounds%'")
    assert fired["fingerprint"] == "predictions_out_of_bounds:trade/maxdiff_return/ETHUSD"
    message = json.loads(fired["message"])
    assert message["title"] == "Return of the MaxDiff strategy on ETHUSD is out of bounds in trade"
    assert "is 0.0250; expected 0.0543 to 0.1543" in message["summary"]
    assert message["evidence"][0].startswith("log_sample:")
