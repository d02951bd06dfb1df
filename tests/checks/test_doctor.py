"""The doctor: figures in, lines out; then the same by what is really there."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from kronos_health.checks import doctor
from kronos_health.checks.context import Context
from kronos_health.checks.doctor import AirflowFigures, Checkup, Standing
from kronos_health.checks.doctor.clocks import web_time
from kronos_health.checks.doctor.figures import (
    ChannelFigures,
    ClockFigures,
    DatabaseFigures,
    DiskFigures,
    Figures,
    LogFigures,
    ProbeFigures,
    RunFigures,
)
from kronos_health.checks.doctor.judging import judge
from kronos_health.checks.doctor.telling import observations
from kronos_health.checks.listener_health import Health
from kronos_health.domain.alerts import ObservationState
from kronos_health.settings.errors import Problem
from kronos_health.settings.models import Settings
from kronos_health.store import alerts as alert_store
from kronos_health.store import soundness
from kronos_health.store.database import open_engine, reading, writing
from tests.checks.conftest import MakeContext
from tests.support.steps import refused

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
JUST_NOW = NOW - timedelta(minutes=2)
NO_AIRFLOW = AirflowFigures(not_asked="no Airflow here")
DAGS = AirflowFigures(known=("kronos_a", "kronos_b"), expected=("kronos_a", "kronos_b"))
WELL = Figures(
    at=NOW,
    database=DatabaseFigures("sqlite:///x", "", "0009", "0009", True, "", ""),
    disks=(DiskFigures("state_dir", "/var", 9_000.0),),
    clock=ClockFigures(ahead_of_database=0.1, ahead_of_web=-1.0, newest_run_ahead=-5.0),
    airflow=DAGS,
    problems=(),
    logs=(LogFigures("trade", JUST_NOW),),
    runs=(),
    probes=(),
    channels=(ChannelFigures("slack", waiting=2, oldest_waiting_at=JUST_NOW),),
)
NOBODY = Health(False, "nobody listens to Slack yet: kronos-health slack-listen")
DATABASE, CLOCK, LOG = WELL.database, WELL.clock, LogFigures("trade", JUST_NOW)
PING = Settings.model_validate({"heartbeat": {"url": "http://127.0.0.1:9/x"}})

# What is wrong, which line says so, how it stands, and what of it must be read in the line.
AILMENTS: dict[str, tuple[Figures, str, Standing, str]] = {
    "unreachable": (
        replace(WELL, database=DatabaseFigures("x", "connection refused"), logs=None, runs=None),
        "database",
        Standing.FAILED,
        "connection refused",
    ),
    "read-only": (
        replace(WELL, database=replace(DATABASE, unwritable="readonly database")),
        "database",
        Standing.FAILED,
        "cannot be written: readonly",
    ),
    "damaged": (
        replace(WELL, database=replace(DATABASE, damage="row 7 missing from index")),
        "database",
        Standing.FAILED,
        "row 7 missing",
    ),
    "too large to look at": (
        replace(WELL, database=replace(DATABASE, damage=None)),
        "database",
        Standing.UNKNOWN,
        "longer than 10 s",
    ),
    "old schema": (replace(WELL, database=replace(DATABASE, schema="0007")), "schema", Standing.FAILED, "0007"),
    "no schema": (replace(WELL, database=replace(DATABASE, schema=None)), "schema", Standing.FAILED, "empty"),
    "new schema": (
        replace(WELL, database=replace(DATABASE, schema="9999", schema_known=False)),
        "schema",
        Standing.FAILED,
        "newer program",
    ),
    "little space": (replace(WELL, disks=(DiskFigures("state_dir", "/v", 900.0),)), "disk", Standing.ATTENTION, "900"),
    "no space": (replace(WELL, disks=(DiskFigures("state_dir", "/v", 90.0),)), "disk", Standing.FAILED, "1,024 MB"),
    "no disk": (replace(WELL, disks=(DiskFigures("s", "/v", None, "gone"),)), "disk", Standing.UNKNOWN, "gone"),
    "never read": (replace(WELL, logs=(LogFigures("a b"),)), "logs", Standing.ATTENTION, "never"),
    "unreadable": (replace(WELL, logs=(replace(LOG, problem="gone"),)), "logs", Standing.FAILED, "gone"),
    "not scanned": (
        replace(WELL, logs=(replace(LOG, last_scanned_at=LONG_AGO),)),
        "logs",
        Standing.ATTENTION,
        "nothing scans it",
    ),
    "lagging": (replace(WELL, logs=(replace(LOG, lag_bytes=10**9),)), "logs", Standing.ATTENTION, "left to read"),
    "stuck": (
        replace(WELL, runs=(RunFigures("scan", "trade", LONG_AGO),)),
        "runs",
        Standing.ATTENTION,
        "scan trade began",
    ),
    "lost": (
        replace(WELL, probes=(ProbeFigures("p", "kronos", "eager", LONG_AGO),)),
        "probes",
        Standing.ATTENTION,
        "kronos eager",
    ),
    "refused": (
        replace(WELL, channels=(ChannelFigures("slack", "invalid_auth", LONG_AGO),)),
        "channels",
        Standing.ATTENTION,
        "invalid_auth",
    ),
    "nobody listens": (replace(WELL, listener=NOBODY), "listener", Standing.ATTENTION, "nobody listens"),
    "held up": (
        replace(WELL, channels=(ChannelFigures("slack", waiting=3, oldest_waiting_at=LONG_AGO),)),
        "channels",
        Standing.ATTENTION,
        "3 messages to slack",
    ),
    "given up": (
        replace(WELL, channels=(ChannelFigures("slack", given_up=1),)),
        "channels",
        Standing.ATTENTION,
        "1 message to slack given up",
    ),
    "ahead": (replace(WELL, clock=replace(CLOCK, ahead_of_database=90.0)), "clock", Standing.ATTENTION, "90 s ahead"),
    "behind": (replace(WELL, clock=replace(CLOCK, ahead_of_web=-7_200.0)), "clock", Standing.ATTENTION, "7,200 s beh"),
    "no web time": (
        replace(WELL, clock=replace(CLOCK, ahead_of_web=None, web_problem="refused")),
        "clock",
        Standing.UNKNOWN,
        "refused",
    ),
    "set back": (
        replace(WELL, clock=replace(CLOCK, newest_run_ahead=3_600.0)),
        "clock",
        Standing.ATTENTION,
        "set back",
    ),
    "paused": (replace(WELL, airflow=replace(DAGS, paused=("kronos_a",))), "dags", Standing.ATTENTION, "kronos_a is p"),
    "unparsed": (
        replace(WELL, airflow=replace(DAGS, unparsed=(("kronos_a.py", "NameError"),))),
        "dags",
        Standing.FAILED,
        "NameError",
    ),
    "missing": (replace(WELL, airflow=replace(DAGS, known=("kronos_a",))), "dags", Standing.ATTENTION, "kronos_b"),
    "silent Airflow": (replace(WELL, airflow=AirflowFigures(problem="slow")), "dags", Standing.UNKNOWN, "slow"),
    "settings": (
        replace(WELL, problems=(Problem("targets.kronos.interpreter", "is gone", "Name another"),)),
        "settings",
        Standing.FAILED,
        "targets.kronos.interpreter: is gone",
    ),
}


def _concerns(checkup: Checkup) -> list[doctor.Diagnosis]:
    return [line for line in checkup.lines if line.standing not in {Standing.OK, Standing.NOT_ASKED}]


class DescribeTheJudgement:
    def it_is_well_when_all_is(self) -> None:
        checkup = judge(WELL, PING)
        assert _concerns(checkup) == []
        assert (checkup.exit_status, checkup.sentence) == (0, "The checker is well.")

    @pytest.mark.parametrize("name", AILMENTS)
    def it_names_what_is_wrong_and_what_to_do(self, name: str) -> None:
        figures, subject, standing, words = AILMENTS[name]
        checkup = judge(figures, PING)
        first = _concerns(checkup)[0]
        assert (first.subject, first.standing) == (subject, standing)
        assert words in first.what
        assert checkup.exit_status == (1 if standing is Standing.ATTENTION else 2)
        assert {refused(line.next_step) for line in _concerns(checkup)} == {None}

    def it_says_unknown_of_what_rests_on_a_database_that_is_away(self) -> None:
        away = replace(WELL, database=DatabaseFigures("x", "gone"), logs=None, runs=None, probes=None, channels=None)
        standings = {line.subject: line.standing for line in judge(away, PING).lines}
        assert {standings[name] for name in ("logs", "runs", "probes", "channels")} == {Standing.UNKNOWN}

    def it_takes_what_nobody_was_asked_for_no_fault(self) -> None:
        figures = replace(WELL, airflow=NO_AIRFLOW, logs=(), clock=replace(CLOCK, ahead_of_web=None))
        checkup = judge(figures, Settings())
        assert checkup.exit_status == 0
        asked_nobody = [line.subject for line in checkup.lines if line.standing is Standing.NOT_ASKED]
        assert asked_nobody == ["logs", "clock", "dags", "heartbeat"]

    def it_is_json_for_machines(self) -> None:
        figures, *_ = AILMENTS["refused"]
        told = json.loads(json.dumps(judge(figures, PING).as_json()))
        assert told["exit_status"] == 1
        assert {line["standing"] for line in told["lines"]} == {"ok", "attention"}


class DescribeTheAlerts:
    def it_raises_one_a_subject_and_none_of_what_another_check_tells(self) -> None:
        refused_channel, *_ = AILMENTS["refused"]
        figures = replace(refused_channel, airflow=NO_AIRFLOW, disks=AILMENTS["no space"][0].disks)
        seen = {one.key: one.state for one in observations(judge(figures, PING), "h")}
        assert seen["doctor/disk"] is ObservationState.BAD
        assert seen["doctor/database"] is ObservationState.GOOD
        assert not {"doctor/channels", "doctor/dags"} & seen.keys()

    def it_never_resolves_what_it_cannot_see(self) -> None:
        figures, *_ = AILMENTS["silent Airflow"]
        seen = {one.key: one.state for one in observations(judge(figures, PING), "h")}
        assert seen["doctor/dags"] is ObservationState.UNKNOWN


def _real(context: Context, airflow: AirflowFigures = NO_AIRFLOW, tell: bool = False) -> Checkup:
    settings = context.settings.model_copy(
        update={
            "database": context.settings.database.model_copy(
                update={"url": type(context.settings.database.url)(_url(context.engine))}
            )
        }
    )
    return (doctor.tell if tell else doctor.examine)(settings, lambda: airflow, {}, lambda: datetime.now(UTC))


def _url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def _standing(checkup: Checkup, subject: str) -> Standing:
    return doctor.diagnosis.worst(tuple(line for line in checkup.lines if line.subject == subject)).standing


class DescribeTheRealThing:
    def it_finds_a_new_installation_well_and_leaves_it_as_it_was(
        self, make_context: MakeContext, rows: Callable[[str], list[dict[str, Any]]]
    ) -> None:
        checkup = _real(make_context())
        assert _concerns(checkup) == []
        assert rows("SELECT * FROM heartbeat") == []

    def it_sees_a_run_that_never_ended_until_a_later_one_does(self, make_context: MakeContext) -> None:
        context = make_context()
        began = datetime.now(UTC) - timedelta(days=1)
        with writing(context.engine) as connection:
            alert_store.begin_heartbeat(connection, "scan", "trade", began)
        assert _standing(_real(context), "runs") is Standing.ATTENTION
        with writing(context.engine) as connection:
            later = alert_store.begin_heartbeat(connection, "scan", "trade", datetime.now(UTC))
            alert_store.end_heartbeat(connection, later, "ok", None, datetime.now(UTC))
        assert _standing(_real(context), "runs") is Standing.OK

    def it_sees_that_the_clock_was_set_back(self, make_context: MakeContext) -> None:
        context = make_context()
        with writing(context.engine) as connection:
            alert_store.begin_heartbeat(connection, "scan", "trade", datetime.now(UTC) + timedelta(hours=1))
        assert _standing(_real(context), "clock") is Standing.ATTENTION

    def it_knows_a_log_that_was_never_read(self, make_context: MakeContext, tmp_path: Path) -> None:
        (tmp_path / "trade.log").write_text("")
        context = make_context(sources={"trade": {"path": str(tmp_path / "trade.log")}})
        assert _standing(_real(context), "logs") is Standing.ATTENTION

    def it_raises_the_alert_and_takes_it_back(
        self, make_context: MakeContext, rows: Callable[[str], list[dict[str, Any]]]
    ) -> None:
        context = make_context()
        paused = AirflowFigures(known=("kronos_a",), expected=("kronos_a",), paused=("kronos_a",))
        assert _real(context, paused, tell=True).exit_status == 1
        state = "SELECT state FROM alert WHERE fingerprint = 'checker_unhealthy:doctor/dags'"
        assert [row["state"] for row in rows(state)] == ["firing"]
        assert rows("SELECT verdict FROM heartbeat")[0]["verdict"] == "attention"
        _real(context, AirflowFigures(known=("kronos_a",), expected=("kronos_a",)), tell=True)
        assert [row["state"] for row in rows(state)] == ["ok"]

    def it_says_what_time_the_database_has(self, engine: Engine) -> None:
        with reading(engine) as connection:
            assert abs((soundness.clock(connection) - datetime.now(UTC)).total_seconds()) < 30

    def it_finds_both_databases_whole_and_writable(self, engine: Engine) -> None:
        assert soundness.damage(engine, 30.0) == ""
        assert soundness.why_not_writable(engine) is None


class DescribeABrokenDatabase:
    def it_fails_where_the_server_is_away(self, tmp_path: Path) -> None:
        settings = Settings.model_validate(
            {
                "state_dir": tmp_path,
                "database": {"url": "postgresql://u:secret@127.0.0.1:1/x", "busy_timeout_seconds": 2},
            }
        )
        checkup = doctor.tell(settings, lambda: NO_AIRFLOW)
        assert checkup.exit_status == 2
        assert _standing(checkup, "database") is Standing.FAILED
        assert "secret" not in str(checkup)

    def it_names_the_damage(self, sqlite_url: str, tmp_path: Path) -> None:
        path = Path(sqlite_url.removeprefix("sqlite:///"))
        with sqlite3.connect(path) as connection:
            _fill(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        content = bytearray(path.read_bytes())
        content[-40_960:-4_096] = bytes(36_864)  # pages of the rows that were written last
        path.write_bytes(content)
        engine = open_engine(sqlite_url)
        assert soundness.damage(engine, 30.0)
        engine.dispose()

    def it_gives_up_looking_after_the_time_granted(self, sqlite_url: str) -> None:
        engine = open_engine(sqlite_url)
        with writing(engine) as connection:
            _fill(connection.connection)
        assert soundness.damage(engine, -1.0) is None
        engine.dispose()

    def it_sees_that_it_may_not_write(self, sqlite_url: str) -> None:
        engine = open_engine(sqlite_url)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
            connection.commit()
        assert "readonly" in str(soundness.why_not_writable(engine))
        engine.dispose()


def _fill(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE long (x TEXT)")
    cursor.execute(
        "INSERT INTO long WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
        "SELECT hex(i) FROM n"
    )


class _Dated(BaseHTTPRequestHandler):
    date: str | None = None
    status = 200

    def do_HEAD(self) -> None:
        self.send_response_only(self.status)
        if self.date:
            self.send_header("Date", self.date)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture
def dated() -> Iterator[tuple[str, type[_Dated]]]:
    handler = type("Dated", (_Dated,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", handler
    server.shutdown()
    server.server_close()


class DescribeTheWebClock:
    @pytest.mark.parametrize("status", [200, 404])
    def it_reads_the_date_of_any_answer(self, dated: tuple[str, type[_Dated]], status: int) -> None:
        url, handler = dated
        handler.date, handler.status = "Mon, 23 Nov 2026 12:00:00 GMT", status
        assert web_time(url, 5.0) == NOW

    def it_says_why_there_is_none(self, dated: tuple[str, type[_Dated]]) -> None:
        url, handler = dated
        assert "no Date" in str(web_time(url, 5.0))
        handler.date = "yesterday"
        assert "cannot be read" in str(web_time(url, 5.0))
        assert "refused" in str(web_time("http://127.0.0.1:1/", 5.0)).lower()
