"""The command as its user meets it: one clear line and an exit status, never a traceback."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.checks.planted import Planted
from tests.logs.support import REUSE

COMMAND = Path(sys.executable).with_name("kronos-health")


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command in an empty folder with its own state."""

    def run(*arguments: str, **environment: str) -> Said:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_HEALTH")}
        done = subprocess.run(
            [COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
            env={**clean, "COLUMNS": "200", **environment},
        )  # fmt: skip
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    return run


def it_sets_up_a_database_from_nothing_and_twice(run: Run, tmp_path: Path) -> None:
    first, second = run("db", "upgrade"), run("db", "upgrade")
    assert (first.status, second.status) == (0, 0)
    assert "2 decisions imported" in first.out
    assert "already imported" in second.out
    assert (tmp_path / "var" / "kronos_health.db").exists()
    assert run("db", "check").status == 0


def it_names_the_command_when_there_is_no_database_yet(run: Run) -> None:
    said = run("status")
    assert said.status == 2
    assert said.err.strip().endswith("Run: kronos-health db upgrade")


def it_names_a_wrong_key_with_the_right_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "kronos_health.toml").write_text("[probe]\niterationz = 5\n")
    said = run("config", "check")
    assert said.status == 2
    assert "probe.iterationz" in said.err
    assert "iterations" in said.err
    assert len(said.err.strip().splitlines()) == 1


def it_names_a_settings_file_that_is_not_there(run: Run) -> None:
    said = run("--config", "nowhere.toml", "status")
    assert said.status == 2
    assert "nowhere.toml" in said.err


def it_refuses_a_database_of_a_newer_program_and_leaves_it_alone(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade")
    path = tmp_path / "var" / "kronos_health.db"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    for command in (("status",), ("db", "upgrade"), ("db", "check")):
        said = run(*command)
        assert said.status == 2
        assert "newer kronos-health" in said.err
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


def it_says_that_a_database_is_locked(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade")
    with sqlite3.connect(tmp_path / "var" / "kronos_health.db", isolation_level=None) as database:
        database.execute("BEGIN EXCLUSIVE")
        said = run("deployed", "by hand", KRONOS_HEALTH__DATABASE__BUSY_TIMEOUT_SECONDS="0.2")
    assert said.status == 2
    assert "locked by another process" in said.err


def it_says_that_a_database_is_gone(run: Run) -> None:
    said = run("status", KRONOS_HEALTH__DATABASE__URL="postgresql://kronos:hunter2@127.0.0.1:1/none",
               KRONOS_HEALTH__DATABASE__BUSY_TIMEOUT_SECONDS="2")  # fmt: skip
    assert said.status == 2
    assert "127.0.0.1:1" in said.err
    assert "hunter2" not in said.err + said.out


def it_says_that_a_file_is_no_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "kronos_health.db").write_bytes(b"this is no database at all" * 100)
    said = run("status")
    assert said.status == 2
    assert "not a database" in said.err


def it_suggests_the_nearest_query(run: Run) -> None:
    run("db", "upgrade")
    said = run("query", "probe_histroy")
    assert said.status == 2
    assert "probe_history" in said.err


def it_lists_queries_and_answers_one_as_json(run: Run) -> None:
    run("db", "upgrade")
    assert "probe_history" in run("query").out
    said = run("query", "decision_timeline", "--param", "since=2025-01-01", "--format", "json")
    assert said.status == 0
    assert {row["mode"] for row in json.loads(said.out)} == {"EAGER"}


def it_records_a_deployment_by_hand(run: Run) -> None:
    run("db", "upgrade")
    assert run("deployed", "release 42").status == 0
    rows = json.loads(run("query", "deployments", "--format", "json").out)
    assert [row["note"] for row in rows] == ["release 42"]


def it_refuses_a_results_file_that_is_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"results": 5}')
    said = run("db", "import", "results.json")
    assert said.status == 2
    assert "results.json" in said.err


RESULTS = {
    "results": {
        name: {"mae_list": [1.0] * 5, "time_list": [time] * 5, "memory_mean": 300.0}
        for name, time in (("eager", 200.0), ("compiled", 100.0))
    },
    "decision": "COMPILED",
}


def it_imports_a_decision_as_a_record_and_decides_for_itself(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "kronos_benchmark_results.json"
    path.write_text(json.dumps(RESULTS))
    said = run("db", "import", path.name, "--recorded", "2025-11-02")
    assert said.status == 0
    imported, decided = said.out.strip().splitlines()
    assert imported.endswith("2 probes and 1 decision imported, as recorded on 2025-11-02.")
    assert decided.startswith("EAGER")
    status = run("status").out
    assert "kronos: EAGER" in status
    assert "COMPILED" not in status
    path.touch()
    assert "already imported" in run("db", "import", path.name).out
    rows = json.loads(run("query", "current_decisions", "--format", "json").out)
    assert [(row["mode"], row["imported"]) for row in rows if row["target"] == "kronos"] == [("EAGER", False)]


def it_shows_an_imported_decision_about_another_model_as_a_record(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(RESULTS))
    said = run("db", "import", path.name, "--target", "other", "--recorded", "2025-11-02")
    assert "other is not configured, so nothing is decided about it" in said.out
    assert "other: COMPILED, recorded by the team on 2025-11-02, not checked since." in run("status").out
    said = run("db", "import", path.name, "--recorded", "2125-11-02")
    assert said.status == 2
    assert "lies in the future" in said.err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def it_ends_in_good_order_when_it_is_asked_to(run: Run, tmp_path: Path, number: signal.Signals, status: int) -> None:
    run("db", "upgrade")
    command = subprocess.Popen(
        [sys.executable, "-c", WAITING, "revisit"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a runner in the background ignores it
    )  # fmt: skip
    assert command.stdout is not None
    assert command.stdout.readline() == "waiting\n"
    command.send_signal(number)
    _out, err = command.communicate(timeout=60)
    assert command.returncode == status
    assert err.startswith("interrupted; what was finished is stored.")
    assert "Traceback" not in err


# The real program, but for a decision that takes its time.
WAITING = """
import time
from kronos_health.checks import revisiting
from kronos_health.cli import main
def wait(*_):
    print("waiting", flush=True)
    time.sleep(60)
revisiting.revisit = wait
main()
"""


def it_names_an_interpreter_without_torch_and_stores_the_outcome(run: Run, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    (tmp_path / "kronos_health.toml").write_text(f'[targets.kronos]\ninterpreter = "{bare}/bin/python"\n')
    said = run("probe", "--variant", "eager", "--iterations", "1")
    assert said.status == 2
    assert "torch" in said.out
    rows = json.loads(run("query", "probe_history", "--format", "json").out)
    assert [row["outcome"] for row in rows] == ["worker_error"]


@pytest.mark.parametrize("command", [["probe", "--variant", "compild"], ["revisit", "--target", "kronoss"]])
def it_suggests_the_nearest_name(run: Run, command: list[str]) -> None:
    run("db", "upgrade")
    said = run(*command)
    assert said.status == 2
    assert "Did you mean" in said.err


def it_shows_the_first_record_of_each_kind(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("2026-11-20 10:00:00 UTC | RuntimeError: " + REUSE + " In decode_s1\n")
    said = run("scan", "--file", "app.log")
    assert said.status == 1
    assert "RuntimeError: Error: accessing tensor output" in said.out


def it_knows_the_patterns_in_force_when_it_reads_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("2026-10-30 09:08:09 UTC | hello Kronos\n")
    (tmp_path / "mine.toml").write_text("[logs.patterns]\nprediction_completed = 'hello Kronos'\n")
    asked = ("scan", "--file", "app.log", "--format", "json")
    assert json.loads(run(*asked).out)["findings"] == []
    for said in (
        run("--config", "mine.toml", *asked),
        run(*asked, KRONOS_HEALTH_CONFIG="mine.toml"),
        run(*asked, KRONOS_HEALTH__LOGS__PATTERNS__prediction_completed="hello Kronos"),
    ):
        assert [found["signature"] for found in json.loads(said.out)["findings"]] == ["prediction_completed"], said.err


def it_prints_json_that_every_parser_reads(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("Kronos inference time: 1e400 ms\nKronos inference time: 3000 ms\n")

    def refuse(word: str) -> None:
        raise AssertionError(word)

    said = run("scan", "--file", "app.log", "--format", "json")
    (sample,) = json.loads(said.out, parse_constant=refuse)["samples"]
    assert (sample["count"], sample["max"]) == (1, 3000.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[logs.patterns]\nkronos_inference_ms = 'took .* ms'", "logs.patterns.kronos_inference_ms"),
        ("[logs]\ncatalogue = 'extra.toml'", "logs.catalogue"),
        ("[probe]\nvariants = ['eager', 'compield']", "there is no variant 'compield'. Did you mean compiled?"),
        ("[database]\nurl = 'nonsense'", "database.url (kronos_health.toml): cannot be used"),
        ("[database]\nurl = 'postgresql://u:hunter2@127.0.0.1:9/x'\nbusy_timeout_seconds = 2", "127.0.0.1"),
    ],
)
def it_checks_what_the_commands_would_refuse(run: Run, tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "kronos_health.toml").write_text(text)
    (tmp_path / "extra.toml").write_text("x = 1\n")
    said = run("config", "check")
    assert said.status == 1
    assert problem in said.out
    assert "hunter2" not in said.out + said.err


def it_checks_settings_before_there_is_a_database(run: Run, tmp_path: Path) -> None:
    said = run("config", "check", KRONOS_HEALTH__ALERTS__CHANNELS="slack")
    assert said.status == 0
    assert "kronos-health db upgrade" in said.out
    assert "slack.token is empty here" in said.out
    assert not (tmp_path / "var" / "kronos_health.db").exists()
    current = run("db", "current")
    assert "schema none" in current.out
    assert not (tmp_path / "var" / "kronos_health.db").exists()


def it_sees_an_airflow_connection_of_its_environment(run: Run, tmp_path: Path) -> None:
    connection = json.dumps({"conn_type": "slack", "password": "xoxb-hunter2", "extra": {"channel": "#health"}})
    said = run("config", "check", AIRFLOW_CONN_KRONOS_HEALTH_SLACK=connection, AIRFLOW_HOME=str(tmp_path / "airflow"))
    assert "Airflow connection kronos_health_slack" in said.out
    assert "#health" in said.out
    assert "hunter2" not in said.out + said.err


def it_goes_on_with_an_unfinished_campaign_and_says_how(run: Run, tmp_path: Path) -> None:
    planted = Planted(tmp_path / "planted")
    (tmp_path / "kronos_health.toml").write_text(
        f'[probe]\ndevice = "cpu"\nrehearse = "never"\n[targets.kronos]\ninterpreter = "{planted.path}"\n'
    )
    assert run("probe", "--resume").err.startswith("there is no unfinished campaign to go on with.")
    done = run("probe", "-v", "eager", "-n", "2")
    assert (done.status, done.err) == (0, "")
    with sqlite3.connect(tmp_path / "var" / "kronos_health.db") as history:
        history.execute("update campaign set finished_at = null")
        history.execute("update probe set outcome = null, finished_at = null where not imported")
        history.execute('delete from iteration where "index" = 1')
        (campaign,) = history.execute("select campaign_id from campaign_probe").fetchone()
    assert "was not finished: --resume goes on with it; this starts a new one" in run("probe", "-n", "1").err
    resumed = run("probe", "--resume", campaign)
    assert resumed.status == 0
    assert f"Going on with the campaign {campaign} of " in resumed.out
    assert "(0 of 1 probes measured)" in resumed.out
    assert planted.started["kronos eager saturated 1"] == 2
    assert f"the campaign {campaign}" in run("probe", "--resume", campaign).err
    assert "leave out the other options" in run("probe", "--resume", "-n", "3").err
    assert "add --resume" in run("probe", campaign).err
    told = json.loads(run("query", "campaigns", "--format", "json").out)
    assert [(row["planned"], row["measured"]) for row in told if row["origin"] == "command line"][-1] == (1, 1)


def it_lists_the_variants_and_what_each_asks_of_production(run: Run) -> None:
    said = run("variants", COLUMNS="300")
    assert said.status == 0
    assert "compiled_static_rope_mark_step" in said.out
    assert "layer_aot_autograd" in said.out
    assert "call torch.compiler.cudagraph_mark_step_begin() before each decode_s1" in said.out


def it_names_a_target_that_has_no_ladder(run: Run) -> None:
    said = run("ladder", "--target", "kronso")
    assert said.status == 2
    assert "there is no target 'kronso'. Did you mean kronos?" in said.err


def it_says_that_production_settings_cannot_be_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "kronos_health.toml").write_text('[production]\nenv_file = ".env.compile"\n')
    nowhere = {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    run("db", "upgrade")
    assert run("watch", **nowhere).status == 2
    (tmp_path / ".env.compile").write_text("export TOTO_DISABLE_COMPILE=1\nexport ADD_LATEST=1\n")
    # No network is a plain "unknown", never a failure of the run.
    assert run("watch", **nowhere).status == 0
    (tmp_path / ".env.compile").write_text("export TOTO_DISABLE_COMPILE=0\n")
    assert run("watch", **nowhere).status == 1
