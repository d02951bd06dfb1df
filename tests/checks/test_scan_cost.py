"""What a scan costs follows from what is new: none of its queries reads all that was ever found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from kronos_health.checks.scanning import scan
from tests.checks.conftest import MakeContext
from tests.checks.test_scanning import DONE, LIMIT, PATTERNS, REUSE, SKIPPED, SLOW, Log

GROWS = ("finding", "log_sample")  # a row for each record with something to say


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "trade.log")


def plans_of(engine: Engine, work: Callable[[], object]) -> list[tuple[str, str]]:
    """Every statement that ``work`` executes, with what SQLite says it does for it."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "DELETE", "UPDATE", "WITH")):
            seen.append((statement, parameters[0] if many else parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    raw = engine.raw_connection()
    try:
        return [
            (statement, " / ".join(row[3] for row in raw.execute("EXPLAIN QUERY PLAN " + statement, parameters)))
            for statement, parameters in seen
        ]
    finally:
        raw.close()


def it_asks_by_an_index_for_what_grows_with_history(make_context: MakeContext, log: Log, database_url: str) -> None:
    if not database_url.startswith("sqlite"):
        pytest.skip("PostgreSQL reads small tables whole, index or not; the indexes are the same")
    context = make_context(sources={"trade": {"path": str(log.path)}}, logs={"patterns": PATTERNS})
    log.write(DONE, REUSE, SLOW)
    scan(context, "trade")
    log.write(DONE, REUSE, SLOW, LIMIT, SKIPPED)
    log.quiet_line()
    plans = plans_of(context.engine, lambda: scan(context, "trade"))
    assert any("finding" in plan for _statement, plan in plans)
    for statement, plan in plans:
        for table in GROWS:
            assert f"SCAN {table} " not in f"{plan} ", statement
