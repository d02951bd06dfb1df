"""Views and queries are documented files; every one answers on both databases from real rows."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from kronos_health.store import sqlfiles
from kronos_health.store.database import open_engine, reading, writing
from kronos_health.store.history import list_queries, run_query
from kronos_health.store.sqlfiles import SqlFileError
from tests.support.history import History, seven_days_of_history

QUERIES = sorted(sqlfiles.queries("sqlite"))
VIEWS = [name for name, _statement in sqlfiles.views("sqlite")]
PYTHON = {"text": str, "integer": int, "number": float, "boolean": bool, "timestamp": datetime, "date": date}
ASKED = {
    "probe_history",
    "variant_success_by_day",
    "latency_trend",
    "accuracy_vs_eager",
    "graph_reuse_findings",
    "recompile_findings",
    "prediction_latency_percentiles",
    "deployment_checks",
    "decision_timeline",
    "alert_timeline",
    "undelivered_messages",
    "scan_throughput",
    "evidence_for_decision",
}


def required(query: sqlfiles.Query, history: History) -> dict[str, str]:
    known = {
        "decision_id": history.decisions[-1],
        "probe_id": history.eager_probes[-1],
        "campaign_id": history.campaigns[-1],
        "fingerprint": history.alert,
    }
    return {item.name: known[item.name] for item in query.parameters if item.default is sqlfiles.REQUIRED}


def it_offers_every_question_the_design_asks_for() -> None:
    assert set(QUERIES) >= ASKED


def it_has_the_same_views_and_queries_for_both_dialects() -> None:
    assert [name for name, _statement in sqlfiles.views("postgresql")] == VIEWS
    assert sorted(sqlfiles.queries("postgresql")) == QUERIES


def it_answers_every_view_from_real_rows(connection: Connection) -> None:
    counts = {name: len(connection.execute(text(f"SELECT * FROM {name}")).all()) for name in VIEWS}
    assert all(counts.values()), counts


@pytest.mark.parametrize("name", QUERIES)
def it_answers_every_query_as_its_header_declares(
    connection: Connection, recorded: History, now: datetime, name: str
) -> None:
    query = sqlfiles.queries(connection.dialect.name)[name]
    result = run_query(connection, name, required(query, recorded), now=now)
    assert result.columns == tuple(column.name for column in query.columns)
    assert result.rows
    for row in result.rows:
        for value, column in zip(row, query.columns, strict=True):
            assert value is None or isinstance(value, PYTHON[column.type]), (column.name, value)
            assert not isinstance(value, datetime) or value.tzinfo is not None


def it_answers_every_query_from_an_empty_database(engine: Engine, now: datetime) -> None:
    with reading(engine) as connection:
        for query in list_queries(connection.dialect.name):
            params = {item.name: "none" for item in query.parameters if item.default is sqlfiles.REQUIRED}
            result = run_query(connection, query.name, params, now=now)
            assert query.name == "deployment_checks" or result.rows == ()


def it_gives_the_same_answers_on_both_databases(sqlite_engine: Engine, postgres_url: str, now: datetime) -> None:
    postgres = open_engine(postgres_url)
    answers = []
    for engine in (sqlite_engine, postgres):
        with writing(engine) as connection:
            recorded = seven_days_of_history(connection, now)
            answers.append({name: comparable(connection, name, recorded, now) for name in QUERIES})
    postgres.dispose()
    assert answers[0] == answers[1]


def comparable(connection: Connection, name: str, recorded: History, now: datetime) -> list[tuple[object, ...]]:
    """The answer without ids, which differ, and with figures to six digits, as sums depend on their order."""
    query = sqlfiles.queries(connection.dialect.name)[name]
    rows = run_query(connection, name, required(query, recorded), now=now).dicts()
    return [
        tuple(
            round(value, 6) if isinstance(value, float) else value
            for key, value in row.items()
            if not key.endswith("_id")
        )
        for row in rows
    ]


def it_documents_every_view() -> None:
    for path in (sqlfiles.folder() / "views").glob("*.sql"):
        assert path.read_text(encoding="utf-8").startswith("-- "), path.name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("SELECT 1", "needs a '-- title:' and a '-- question:' line"),
        ("-- title: T\n-- question: Q\n-- param: since day | when\nSELECT 1", "is not 'name type"),
        ("-- title: T\n-- question: Q\n-- column: n\nSELECT 1", "is not 'name type | meaning'"),
    ],
)
def it_names_the_file_whose_header_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str
) -> None:
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "mine.sql").write_text(content)
    monkeypatch.setattr(sqlfiles, "folder", lambda: tmp_path)
    with pytest.raises(SqlFileError, match="mine") as caught:
        sqlfiles.queries.__wrapped__("sqlite")
    assert message in str(caught.value)


def it_takes_the_dialects_own_file_with_the_common_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "mine.sql").write_text(
        "-- title: T\n-- question: Q\n-- column: n integer | one\nSELECT 1 AS n;\n"
    )
    (tmp_path / "queries" / "mine.postgresql.sql").write_text("SELECT 2 AS n")
    monkeypatch.setattr(sqlfiles, "folder", lambda: tmp_path)
    assert sqlfiles.queries.__wrapped__("sqlite")["mine"].sql.endswith("SELECT 1 AS n")
    own = sqlfiles.queries.__wrapped__("postgresql")["mine"]
    assert (own.sql, own.title, own.columns[0].type) == ("SELECT 2 AS n", "T", "integer")
