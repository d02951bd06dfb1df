"""Errors that no signature knows: told once per new kind, counted in SQL, and proposed as catalogue entries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kronos_health.checks.errors import CheckError
from kronos_health.checks.scanning import scan
from kronos_health.checks.signatures import append, proposals, signatures, tried
from kronos_health.history.signatures import signature_table
from kronos_health.logs.catalogue import load_catalogue
from kronos_health.store.database import reading
from kronos_health.store.history import run_query
from tests.checks.conftest import Clock, MakeContext
from tests.checks.test_scanning import Log, Rows

HEAD = "{stamp}trade_stock_e2e.py:order:412 ERROR | "
TOLD = "SELECT fingerprint, message FROM outbox WHERE fingerprint LIKE 'new_error%' ORDER BY created_at"


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "trade.log")


def write(log: Log, *messages: str) -> None:
    log.write(*(f"{HEAD}{message}\n" for message in messages))
    log.quiet_line()


def it_tells_of_a_new_kind_once(make_context: MakeContext, rows: Rows, log: Log, clock: Clock) -> None:
    context = make_context(sources={"trade": {"path": str(log.path)}})
    log.quiet_line()
    scan(context, "trade")
    for number in range(3):
        write(log, f"order {number} refused", f"order {number + 10} refused")
        clock.move(minutes=5)
        scan(context, "trade")
    (told,) = rows(TOLD)
    (kind,) = rows("SELECT * FROM v_error_kind")
    assert (kind["seen"], kind["message"]) == (6, "order <number> refused")
    message = json.loads(told["message"])
    assert message["title"] == "A new kind of error in trade"
    assert message["evidence"] == [f"log_error_kind:{kind['error_kind_id']}"]
    assert f"signatures propose {kind['fingerprint']}" in message["next_step"]
    with reading(context.engine) as connection:
        (row,) = run_query(connection, "unknown_errors", {}, now=clock.now).dicts()
    assert (row["seen"], row["ever"], row["fingerprint"]) == (6, 6, kind["fingerprint"])


def it_sends_one_digest_of_many_new_kinds(make_context: MakeContext, rows: Rows, log: Log) -> None:
    context = make_context(sources={"trade": {"path": str(log.path)}})
    log.quiet_line()
    scan(context, "trade")
    write(log, *(f"{word} refused" for word in ("order", "quote", "login", "margin")))
    scan(context, "trade")
    (told,) = rows(TOLD)
    assert json.loads(told["message"])["title"] == "4 new kinds of errors in trade"
    write(log, "quote refused")  # known by now
    scan(context, "trade")
    assert len(rows(TOLD)) == 1


def it_pages_nobody_for_what_a_first_scan_finds(make_context: MakeContext, rows: Rows, log: Log) -> None:
    context = make_context(sources={"trade": {"path": str(log.path)}})
    write(log, "order 1 refused")
    assert scan(context, "trade").findings_by_signature == {"unknown_error": 1}
    write(log, "order 2 refused")
    scan(context, "trade")
    assert rows(TOLD) == []
    assert rows("SELECT seen FROM v_error_kind") == [{"seen": 2}]


def it_proposes_an_entry_after_which_the_error_is_known(
    make_context: MakeContext, rows: Rows, log: Log, tmp_path: Path
) -> None:
    sources = {"trade": {"path": str(log.path)}}
    context = make_context(sources=sources)
    write(log, "order 1 refused", "quote for ETHUSD is missing")
    scan(context, "trade")
    path = tmp_path / "signatures.toml"
    found = proposals(context, None, 20)
    assert (found.entries, found.refused) == (2, ())
    append(path, found)
    known = make_context(sources=sources, logs={"catalogue": path})
    assert {"order_refused", "quote_missing"} <= {item.name for item in signatures(known.settings)}
    write(log, "order 7 refused")
    assert scan(known, "trade").findings_by_signature == {"order_refused": 1}
    assert rows("SELECT count(*) AS n FROM finding WHERE signature = 'order_refused'") == [{"n": 1}]
    counts = {item.name: item.records for item in tried(known.settings, log.path)}
    assert (counts["order_refused"], counts["quote_missing"], counts["graph_reuse"]) == (2, 1, 0)
    assert signature_table(tried(known.settings, log.path)).row_count == len(counts)

    (kind,) = rows("SELECT fingerprint FROM v_error_kind WHERE message LIKE 'order%'")
    again = proposals(known, kind["fingerprint"][:8], 20)  # under a name that is still free
    append(path, again)
    assert load_catalogue(path).signature("order_refused_2") is not None


def it_says_what_there_is_to_propose_for(make_context: MakeContext, tmp_path: Path) -> None:
    context = make_context()
    with pytest.raises(CheckError, match="nothing to propose"):
        proposals(context, None, 20)
    with pytest.raises(CheckError, match="begins with abc"):
        proposals(context, "abc", 20)


def it_is_a_command_with_ready_output(tmp_path: Path) -> None:
    """From a log to a catalogue file and back, as a person does it."""
    log = Log(tmp_path / "trade.log")
    write(log, "order 1 refused")
    settings = '[sources.trade]\npath = "trade.log"\n[logs]\nidle_seconds = 0\n'
    (tmp_path / "kronos_health.toml").write_text(settings)

    def run(*words: str) -> str:
        code = "from kronos_health.cli import main; main()"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_HEALTH")}
        done = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, timeout=120,
            check=False, env={**clean, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("db", "upgrade")
    run("scan")
    assert 'name = "order_refused"' in run("signatures", "propose")
    assert "1 added" in run("signatures", "propose", "--output", "signatures.toml")
    with (tmp_path / "kronos_health.toml").open("a") as file:
        file.write('catalogue = "signatures.toml"\n')
    assert "order_refused" in run("signatures", "list")
    assert "order_refused" in run("signatures", "test", "trade.log")
