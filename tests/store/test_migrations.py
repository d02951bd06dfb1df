"""The schema can be made, made again, inspected, and is refused when it is not this program's."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, inspect, text

from kronos_health.logs.windows import bin_of, value_of
from kronos_health.store.database import open_engine, reading, writing
from kronos_health.store.errors import DatabaseUnreachable, SchemaOutdated, SchemaTooNew, StoreError
from kronos_health.store.migrations import check, revisions, upgrade
from kronos_health.store.migrations.run import _config, _drop_views
from kronos_health.store.tables import METADATA


def it_makes_exactly_the_declared_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [change for change in compare_metadata(context, METADATA) if change[0] != "remove_table"]
    assert differences == []


def it_keeps_data_and_version_when_run_twice(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO channel (name) VALUES ('console')"))
    before = revisions(engine)
    assert upgrade(engine) == before
    check(engine)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT name FROM channel")).scalars().all() == ["console"]


def it_reads_the_newest_revision_off_the_names_of_the_files(sqlite_engine: Engine) -> None:
    script = ScriptDirectory.from_config(_config())
    named = {Path(revision.path).name.partition("_")[0]: revision.revision for revision in script.walk_revisions()}
    assert all(name == revision for name, revision in named.items())
    assert revisions(sqlite_engine).head == script.get_current_head()


def it_brings_rows_of_the_first_schema_along(engine: Engine, now: datetime) -> None:
    """Iterations from before there were warm-up calls made none."""
    with writing(engine) as connection:
        _empty(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        rows = {
            "campaign": {"id": "c", "started_at": now, "origin": "test"},
            "probe": {
                "id": "p",
                "campaign_id": "c",
                "target": "kronos",
                "variant": "eager",
                "candidate": "production",
                "kind": "measured",
                "regime": "saturated",
                "imported": False,
                "started_at": now,
                "requested": 1,
                "passed": 1,
                "outcome": "passed",
            },
            "iteration": {
                "id": "i",
                "probe_id": "p",
                "index": 0,
                "regime": "saturated",
                "cache_state": "none",
                "outcome": "passed",
                "started_at": now,
                "duration_ms": 1.0,
                "frames_total": 0,
                "frames_ok": 0,
                "graphs": 0,
                "recompiles": 0,
                "recompile_limit_hits": 0,
                "graph_breaks": 0,
                "cudagraph_skips": 0,
                "cudagraph_recordings": 0,
                "cache_hits": 0,
                "cache_misses": 0,
                "cache_bypasses": 0,
            },
        }
        for name, row in rows.items():
            _insert(connection, name, row)
    upgrade(engine)
    check(engine)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT warmups FROM iteration")).scalars().all() == [0]
        assert connection.execute(text("SELECT passes_with_warmups FROM v_probe")).scalars().all() == [None]


def it_counts_the_samples_of_an_older_schema_by_the_hour(engine: Engine, now: datetime) -> None:
    values = {"a": 3000.0, "b": 3500.0, "c": -2.0, "d": 0.0, "e": 1e300}
    with writing(engine) as connection:
        _empty(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0010")
        source = {"id": "s", "name": "trade", "path": "/x", "host": "here", "timezone": "UTC"}
        _insert(connection, "log_source", source)
        generation = {"id": "g", "source_id": "s", "path": "/x", "head_sha256": "", "head_length": 0, "tail_sha256": ""}
        numbers = {"tail_length": 0, "offset": 0, "line": 0, "size_seen": 0, "version": 0, "history_until": 0}
        times = {"first_seen_at": now, "last_seen_at": now, "finished": False}
        _insert(connection, "log_generation", generation | numbers | times)
        counts = ("bytes", "lines", "records", "findings", "samples", "undecodable", "truncated", "lag_bytes")
        scan = {"id": "c", "source_id": "s", "started_at": now, "finished_at": now, "first_run": False}
        _insert(connection, "log_scan", scan | dict.fromkeys((*counts, "duplicates"), 0))
        for key, value in values.items():
            at = now if key in "ab" else now + timedelta(hours=1)
            sample = {"id": key, "generation_id": "g", "scan_id": "c", "metric": "m", "value": value, "seen_at": at}
            _insert(connection, "log_sample", sample | {"found_at": at, "start_offset": 1})
    upgrade(engine)
    with reading(engine) as connection:
        ask = "SELECT samples, minimum, p50, maximum FROM v_sample_window ORDER BY hour_at"
        first, second = connection.execute(text(ask)).all()
        assert (first.samples, first.minimum, first.maximum) == (2, 3000.0, 3500.0)
        assert first.p50 == pytest.approx(3000, rel=0.01)
        assert tuple(second) == (3, -2.0, 0.0, 1e200)
        hours = connection.execute(text("SELECT count(DISTINCT window_id) FROM log_sample")).scalar_one()
        assert hours == 2
        stored = connection.execute(text("SELECT bin, value FROM log_window_bin")).all()
    # The bins of the migration are those of every later scan.
    assert [row.value for row in stored] == [pytest.approx(value_of(row.bin)) for row in stored]
    assert {bin_of(value) for value in (3000.0, 3500.0, -2.0, 0.0, 1e200)} == {row.bin for row in stored}


def _insert(connection: Connection, table: str, row: dict[str, object]) -> None:
    columns = ", ".join(f'"{column}"' for column in row)
    values = ", ".join(f":{column}" for column in row)
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)


def _empty(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        return
    _drop_views(connection)
    tables = MetaData()
    tables.reflect(connection)
    tables.drop_all(connection)


def it_names_the_command_for_an_empty_database(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    with pytest.raises(SchemaOutdated, match=r"does not exist yet\. Run: kronos-health db upgrade"):
        check(open_engine(f"sqlite:///{path}"))
    assert not path.exists(), "only looking leaves no file behind"
    path.touch()
    with pytest.raises(SchemaOutdated, match=r"is empty\. Run: kronos-health db upgrade"):
        check(open_engine(f"sqlite:///{path}"))


def it_replaces_views_that_an_older_program_left(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("CREATE VIEW v_of_yesterday AS SELECT name FROM channel WHERE name LIKE '%x%'"))
    upgrade(engine)
    with reading(engine) as connection:
        names = inspect(connection).get_view_names()
    assert "v_of_yesterday" not in names
    assert "v_probe" in names


def it_refuses_a_newer_schema_and_leaves_it_alone(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for action in (check, upgrade):
        with pytest.raises(SchemaTooNew, match="made by a newer kronos-health"):
            action(engine)
    assert revisions(engine).current == "9999"


def it_stores_nothing_of_a_transaction_that_fails(engine: Engine) -> None:
    def fail_halfway() -> None:
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO channel (name) VALUES ('console')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM channel")).scalar_one() == 0


def it_says_which_database_is_locked(sqlite_url: str) -> None:
    first, second = open_engine(sqlite_url), open_engine(sqlite_url, busy_timeout_seconds=0.2)
    with writing(first), pytest.raises(DatabaseUnreachable, match=r"kronos_health\.db is locked by another process"):
        upgrade(second)


def it_masks_the_password_of_an_unreachable_server() -> None:
    engine = open_engine("postgresql://kronos:hunter2@127.0.0.1:1/none", busy_timeout_seconds=2)
    with pytest.raises(DatabaseUnreachable) as caught, reading(engine):
        pass
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)


def it_explains_an_address_that_is_none() -> None:
    with pytest.raises(StoreError, match=r"database\.url cannot be used"):
        open_engine("not a url")
