"""The pieces of ``up`` that need no Airflow."""

from __future__ import annotations

import io
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from kronos_health.airflow_plugin.cleaning import OUR_TASKS, remove_files_before
from kronos_health.airflow_plugin.serving.environment import Address, airflow_environment, dags_folder
from kronos_health.airflow_plugin.serving.first_check import last_progress
from kronos_health.airflow_plugin.serving.state import Layout, Secrets, forget_run, secrets_of, take_lock
from kronos_health.airflow_plugin.serving.terminal import Terminal
from kronos_health.airflow_plugin.standalone import is_free
from kronos_health.checks.errors import CheckError

SECRETS = Secrets(jwt="j" * 86, api="a" * 86, password="p")
HERE = Address("127.0.0.1", 8080)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "var")
    made.make()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class DescribeSecrets:
    def it_makes_them_once_and_keeps_them(self, layout: Layout) -> None:
        first = secrets_of(layout)
        assert secrets_of(layout) == first
        assert len(first.jwt.encode()) >= 64
        assert json.loads(layout.passwords.read_text()) == {"admin": first.password}

    def it_lets_nobody_else_read_them(self, layout: Layout) -> None:
        secrets_of(layout)
        assert {mode(path) for path in layout.home.iterdir() if path.is_file()} == {0o600}
        assert mode(layout.home) == 0o700

    def it_replaces_one_that_was_cut_off(self, layout: Layout) -> None:
        (layout.home / "jwt_secret").write_text("short")
        layout.passwords.write_text('{"adm')
        made = secrets_of(layout)
        assert len(made.jwt) >= 64
        assert json.loads(layout.passwords.read_text())["admin"] == made.password


class DescribeLock:
    def it_refuses_a_second_up_on_the_same_folder_and_names_the_first(self, layout: Layout) -> None:
        lock, _ = take_lock(layout)
        with lock, pytest.raises(CheckError, match=f"already runs on {layout.state} .process {os.getpid()}"):
            take_lock(layout)

    def it_says_nothing_after_a_tidy_end(self, layout: Layout) -> None:
        lock, _ = take_lock(layout)
        forget_run(lock)
        lock.release()
        lock, crashed = take_lock(layout)
        lock.release()
        assert crashed is None

    def it_notices_an_earlier_one_that_was_killed(self, layout: Layout) -> None:
        program = (
            "import os, signal; from pathlib import Path; "
            "from kronos_health.airflow_plugin.serving.state import Layout, take_lock; "
            f"held = take_lock(Layout(Path({str(layout.state)!r}))); os.kill(os.getpid(), signal.SIGKILL)"
        )
        killed = subprocess.Popen([sys.executable, "-c", program])
        killed.wait()
        lock, crashed = take_lock(layout)
        lock.release()
        assert crashed == str(killed.pid)

    def it_says_which_folder_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "var").write_text("a file")
        with pytest.raises(CheckError, match=r"state folder .*var cannot be written .*KRONOS_HEALTH_STATE_DIR"):
            Layout(tmp_path / "var").make()


class DescribeEnvironment:
    def it_keeps_the_configuration_of_another_airflow_out(self, layout: Layout) -> None:
        other = {
            "AIRFLOW_HOME": "/srv/airflow",
            "AIRFLOW_CONFIG": "/srv/airflow.cfg",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://production",
            "AIRFLOW__CORE__FERNET_KEY": "key",
        }
        environ = airflow_environment(other, layout, SECRETS, HERE, None)
        assert environ["AIRFLOW_HOME"] == str(layout.home)
        assert environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{layout.database}"
        assert not {"AIRFLOW_CONFIG", "AIRFLOW__CORE__FERNET_KEY"} & set(environ)

    def it_lets_connections_and_a_secrets_backend_through(self, layout: Layout) -> None:
        ours = {
            "AIRFLOW_CONN_KRONOS_HEALTH_DB": "postgres://u:p@h/d",
            "AIRFLOW__SECRETS__BACKEND": "some.Backend",
            "PIP_INDEX_URL": "https://mirror/simple",
        }
        assert ours.items() <= airflow_environment(ours, layout, SECRETS, HERE, None).items()

    def it_points_everything_that_programs_write_into_the_state_folder(self, layout: Layout, tmp_path: Path) -> None:
        person = tmp_path / "person"
        (person / ".config" / "pip").mkdir(parents=True)
        (person / ".config" / "pip" / "pip.conf").write_text("[global]\n")
        environ = airflow_environment({"HOME": str(person)}, layout, SECRETS, HERE, None)
        for name in ("HOME", "XDG_CACHE_HOME", "AIRFLOW_HOME", "AIRFLOW__LOGGING__BASE_LOG_FOLDER"):
            assert Path(environ[name]).is_relative_to(layout.state), name
        assert environ["PIP_CONFIG_FILE"] == str(person / ".config" / "pip" / "pip.conf")
        assert "GIT_CONFIG_GLOBAL" not in environ

    def it_finds_the_dags(self) -> None:
        assert (dags_folder() / "kronos_compile_probe.py").is_file()

    @pytest.mark.parametrize(
        ("host", "url"),
        [
            ("127.0.0.1", "http://localhost:80"),
            ("0.0.0.0", "http://localhost:80"),
            ("10.1.2.3", "http://10.1.2.3:80"),
            ("fd00::1", "http://[fd00::1]:80"),
        ],
    )
    def it_shows_an_address_that_can_be_opened(self, host: str, url: str) -> None:
        assert Address(host, 80).url == url


class DescribePorts:
    def it_knows_a_taken_port_from_a_free_one(self, free_port: int) -> None:
        assert is_free("127.0.0.1", free_port)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", free_port))
            taken.listen()
            assert not is_free("127.0.0.1", free_port)


class DescribeProgress:
    def it_reads_the_newest_line_of_the_running_probe(self, tmp_path: Path) -> None:
        for index, text in enumerate(
            ["kronos eager: iteration 1/1, passed", "kronos compiled: iteration 1/2, loading"]
        ):
            log = tmp_path / "task_id=probe" / f"map_index={index}" / "attempt=1.log"
            log.parent.mkdir(parents=True)
            log.write_text(f'{{"event": "{text}"}}\n{{"event": "something else"}}\n{{"cut off')
            os.utime(log, (index, index))
        assert last_progress(tmp_path) == "kronos compiled: iteration 1/2, loading"

    def it_has_nothing_to_say_before_a_probe_runs(self, tmp_path: Path) -> None:
        assert last_progress(tmp_path) is None


class DescribeTerminal:
    def it_prints_what_comes_from_elsewhere_as_it_stands(self) -> None:
        file = io.StringIO()
        terminal = Terminal(Console(file=file, width=200))
        terminal.say("see [bold]/var/log[/bold] at http://localhost:8080/")
        assert file.getvalue() == "see [bold]/var/log[/bold] at http://localhost:8080/\n"

    def it_leaves_one_line_for_a_step_that_went_well(self) -> None:
        file = io.StringIO()
        with Terminal(Console(file=file, width=200)).waiting("Databases") as waiting:
            waiting("still")
        assert file.getvalue() == "  ✓ Databases · 0 s\n"


class DescribeOldLogs:
    def it_removes_old_logs_of_our_dags_only(self, tmp_path: Path) -> None:
        for dag in ("dag_id=kronos_log_scan", "dag_id=somebody_elses"):
            for name, age in (("old", 100), ("new", 900)):
                log = tmp_path / dag / f"run_id={name}" / "task_id=scan" / "attempt=1.log"
                log.parent.mkdir(parents=True)
                log.write_text("x")
                os.utime(log, (age, age))
        assert remove_files_before(tmp_path, OUR_TASKS, 500.0) == 1
        left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*"))
        assert left == [
            "dag_id=kronos_log_scan/run_id=new",
            "dag_id=somebody_elses/run_id=new",
            "dag_id=somebody_elses/run_id=old",
        ]
