"""Settings that do not follow the decision are found, in the file and in what really runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kronos_health.domain.upstream import Drift, DriftKind, Unknown
from kronos_health.upstream.processes import ProcessLook, production_processes
from kronos_health.upstream.production_settings import SettingsLook, file_drift, process_drift

EXPECTED = {"TOTO_DISABLE_COMPILE": "1", "ADD_LATEST": "1"}
FORBIDDEN = {"KRONOS_COMPILE": "1"}
GOOD = "export TOTO_DISABLE_COMPILE=1\nexport ADD_LATEST=1\n"
WHERE = "file .env.compile"
EXAMPLE = Path(__file__).parents[2] / "examples" / "production" / ".env.compile"


@pytest.fixture
def look(tmp_path: Path) -> Callable[[str | bytes], SettingsLook]:
    def write_and_look(content: str | bytes) -> SettingsLook:
        path = tmp_path / ".env.compile"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return file_drift(path, EXPECTED, FORBIDDEN)

    return write_and_look


class DescribeTheFile:
    def it_follows_the_decision_in_the_shipped_example(self) -> None:
        assert file_drift(EXAMPLE, EXPECTED, FORBIDDEN) == SettingsLook((), ())

    @pytest.mark.parametrize(
        ("content", "drift"),
        [
            ("export ADD_LATEST=1", Drift(WHERE, "TOTO_DISABLE_COMPILE", "1", None, DriftKind.MISSING)),
            (f"{GOOD}export ADD_LATEST=0", Drift(WHERE, "ADD_LATEST", "1", "0", DriftKind.WRONG_VALUE)),
            (f"{GOOD}export KRONOS_COMPILE=1", Drift(WHERE, "KRONOS_COMPILE", "not 1", "1", DriftKind.FORBIDDEN)),
            (f"{GOOD}KRONOS_COMPILE=True", Drift(WHERE, "KRONOS_COMPILE", "not 1", "True (not exported)",
                                                 DriftKind.FORBIDDEN)),
            ("export ADD_LATEST=1\nTOTO_DISABLE_COMPILE=1",
             Drift(WHERE, "TOTO_DISABLE_COMPILE", "1", "1 (not exported)", DriftKind.WRONG_VALUE)),
            ("export TOTO_DISABLE_COMPILE=1\nexport ADD_LATEST=1\r\n",
             Drift(WHERE, "ADD_LATEST", "1", "'1\\r'", DriftKind.WRONG_VALUE)),
        ],
    )  # fmt: skip
    def it_tells_each_kind_of_drift(self, look: Callable[[str], SettingsLook], content: str, drift: Drift) -> None:
        assert look(content) == SettingsLook((drift,), ())

    @pytest.mark.parametrize("content", [GOOD, f"{GOOD}export KRONOS_COMPILE=0", f"\ufeff{GOOD}# KRONOS_COMPILE=1"])
    def it_finds_nothing_where_the_decision_is_followed(
        self, look: Callable[[str], SettingsLook], content: str
    ) -> None:
        assert look(content) == SettingsLook((), ())

    def it_calls_a_computed_value_unknown(self, look: Callable[[str], SettingsLook]) -> None:
        found = look(f'{GOOD}export ADD_LATEST="${{ADD_LATEST:-1}}"')
        assert found.drifts == ()
        assert [unknown.subject for unknown in found.unknowns] == ["file .env.compile: ADD_LATEST"]

    def it_calls_nothing_missing_that_a_sourced_file_may_set(self, look: Callable[[str], SettingsLook]) -> None:
        found = look("source common.sh\nexport ADD_LATEST=1")
        assert found.drifts == ()
        assert {unknown.subject for unknown in found.unknowns} == {
            "file .env.compile: TOTO_DISABLE_COMPILE",
            "file .env.compile: KRONOS_COMPILE",
        }

    def it_runs_nothing(self, look: Callable[[str], SettingsLook], tmp_path: Path) -> None:
        look(f"{GOOD}touch {tmp_path / 'ran'}\nexport X=$(touch {tmp_path / 'ran'})\n`touch {tmp_path / 'ran'}`")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"export A=1\0", "is no settings file"),
            (b"x" * (1024**2 + 1), "is no settings file"),
            (b"export A='open", "is never closed, so a shell refuses the file"),
        ],
    )
    def it_calls_a_file_unknown_that_it_cannot_understand(
        self, look: Callable[[bytes], SettingsLook], content: bytes, reason: str
    ) -> None:
        found = look(content)
        assert found.drifts == ()
        assert reason in found.unknowns[0].reason

    def it_calls_a_file_unknown_that_it_cannot_read(self, tmp_path: Path) -> None:
        missing = file_drift(tmp_path / ".env.compile", EXPECTED, FORBIDDEN)
        folder = file_drift(tmp_path, EXPECTED, FORBIDDEN)
        assert missing == SettingsLook((), (Unknown(WHERE, f"{tmp_path}/.env.compile: No such file or directory"),))
        assert folder.unknowns[0].reason == f"{tmp_path}: Is a directory"


class Program:
    """Production's stand-in: a real process, started as production is, with the environment a test wants."""

    def __init__(self, folder: Path) -> None:
        self.script = folder / "trade_stock_e2e.py"
        self.script.write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
        self._running: list[subprocess.Popen[str]] = []

    def start(self, *prefix: str, **environment: str) -> int:
        command = [*prefix, sys.executable, str(self.script)]
        return self._start(command, environment)

    def start_by_shell(self, env_file: Path) -> int:
        command = f". {env_file} && {sys.executable} {self.script}; true"
        return self._start(["sh", "-c", command], {})

    def _start(self, command: list[str], environment: dict[str, str]) -> int:
        environment = {"PATH": os.environ["PATH"], **environment}
        child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self._running.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        return child.pid

    def stop(self) -> None:
        for child in self._running:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()

    @property
    def pattern(self) -> str:
        return str(self.script).replace(".", r"\.")


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path)
    yield program
    program.stop()


class DescribeTheRunningProcess:
    def it_finds_what_the_process_was_really_started_with(self, program: Program) -> None:
        pid = program.start(TOTO_DISABLE_COMPILE="1", ADD_LATEST="1", KRONOS_COMPILE="1")
        found = process_drift(production_processes(program.pattern), EXPECTED, FORBIDDEN)
        drift = Drift(f"process {pid}", "KRONOS_COMPILE", "not 1", "1", DriftKind.FORBIDDEN)
        assert found == SettingsLook((drift,), ())

    def it_finds_nothing_where_the_process_follows_the_decision(self, program: Program) -> None:
        program.start(TOTO_DISABLE_COMPILE="1", ADD_LATEST="1")
        assert process_drift(production_processes(program.pattern), EXPECTED, FORBIDDEN) == SettingsLook((), ())

    def it_looks_at_the_program_and_not_at_the_shell_that_sourced_the_file(self, program: Program) -> None:
        shell = program.start_by_shell(EXAMPLE)
        look = production_processes(program.pattern)
        assert [process.pid for process in look.processes] != [shell]
        assert process_drift(look, EXPECTED, FORBIDDEN) == SettingsLook((), ())

    def it_tells_when_each_started(self, program: Program) -> None:
        before = time.time() - 5
        program.start()
        look = production_processes(program.pattern)
        assert look.started_at is not None
        assert before < look.started_at.timestamp() < time.time() + 5

    def it_does_not_take_a_process_that_names_the_program_for_the_program(self, program: Program) -> None:
        tail = subprocess.Popen(["tail", "-f", str(program.script)], stdout=subprocess.PIPE)
        try:
            assert production_processes(program.pattern).processes == ()
        finally:
            tail.kill()
            tail.communicate()

    def it_does_not_take_its_own_processes_for_production(self, program: Program, tmp_path: Path) -> None:
        checker = tmp_path / "kronos-health"
        checker.write_text(
            "import subprocess, sys\nsubprocess.Popen([sys.executable, sys.argv[1]]).wait()\n",
        )
        child = subprocess.Popen(
            [sys.executable, str(checker), str(program.script)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "up\n"
            assert production_processes(program.pattern).processes == ()
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()

    def it_counts_a_forked_worker_with_its_parent(self, program: Program) -> None:
        program.script.write_text("import os, time\npid = os.fork()\nif pid: print('up', flush=True)\ntime.sleep(60)\n")
        parent = program.start()
        assert [process.pid for process in production_processes(program.pattern).processes] == [parent]

    def it_says_when_nothing_is_running(self, program: Program) -> None:
        look = production_processes(program.pattern)
        assert look.processes == ()
        assert process_drift(look, EXPECTED, FORBIDDEN).unknowns[0].subject == "running process"

    def it_names_the_setting_whose_pattern_is_broken(self) -> None:
        look = production_processes("trade(")
        assert look.unknown is not None
        assert look.unknown.subject == "processes"
        assert look.unknown.reason.startswith("production.process is no regular expression")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not look")
    def it_calls_an_environment_unknown_that_it_may_not_read(self, program: Program) -> None:
        pid = program.start(KRONOS_COMPILE="1")
        look = _as_nobody(program.pattern)
        assert [process.pid for process in look.processes] == [pid]
        found = process_drift(look, EXPECTED, FORBIDDEN)
        assert found.drifts == ()
        assert found.unknowns == (Unknown(f"process {pid}", "its environment may not be read: run the check as root"),)


def _as_nobody(pattern: str) -> ProcessLook:
    """Look as an unprivileged user; only the effective id is changed, so that the test can change it back."""
    os.seteuid(65534)
    try:
        return production_processes(pattern)
    finally:
        os.seteuid(0)
