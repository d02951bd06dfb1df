"""The switch from the command line, in one process."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from kronos_health.checks.errors import CheckError
from kronos_health.cli.main import app
from kronos_health.store.database import open_engine, writing
from tests.checks.test_switching import EXAMPLE
from tests.support.history_switch import insert_compiled_history


@pytest.fixture
def file(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Production's settings file; the history says COMPILED."""
    path = tmp_path / ".env.compile"
    path.write_text(EXAMPLE)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE__URL": sqlite_url,
        "PRODUCTION__ENV_FILE": str(path),
        "SWITCH__ENABLED": "true",
    }.items():
        monkeypatch.setenv(f"KRONOS_HEALTH__{name}", value)
    engine = open_engine(sqlite_url)
    with writing(engine) as connection:
        insert_compiled_history(connection, datetime.now(UTC))
    engine.dispose()
    return path


def _run(*words: str, command: str = "switch") -> Result:
    return CliRunner().invoke(app, [command, *words])


def it_goes_from_proposal_to_rollback(file: Path) -> None:
    assert "Nothing was proposed yet" in _run().output
    assert "Nothing to propose" in _run("propose").output
    assert _run(command="revisit").exit_code == 0
    shown = _run("show").output
    for words in ("It waits for an answer.", "compiled_iterations: met", "+export KRONOS_COMPILE=1"):
        assert words in shown
    approved = _run("approve", "--reason", "measured")
    assert (approved.exit_code, file.read_text() == EXAMPLE) == (0, False)
    assert f"Approved by {getpass.getuser()}: measured. Written with a backup in" in approved.output
    back = _run("rollback", "--who", "bob", "--reason", "slow")
    assert (back.exit_code, file.read_text()) == (0, EXAMPLE)
    listed = _run().output
    assert "rolled back" in listed
    assert "asked for by bob: slow" in listed


def it_keeps_a_rejection_with_its_reason_and_says_so_to_whoever_asks_next(file: Path) -> None:
    _run(command="revisit")
    assert _run("reject").exit_code == 2, "a rejection needs a reason"
    assert "Rejected by ann: too early" in _run("reject", "--who", "ann", "--reason", "too early").output
    late = _run("approve")
    assert isinstance(late.exception, CheckError)
    assert "no proposal waits for an answer" in str(late.exception)
    assert "Nothing to propose" in _run("propose").output
    assert "Rejected by ann: too early" in _run("show").output
    assert file.read_text() == EXAMPLE


def it_exits_with_1_when_the_file_had_changed(file: Path) -> None:
    _run(command="revisit")
    file.write_text(EXAMPLE + "export MORE=1\n")
    done = _run("approve", "--who", "ann")
    assert (done.exit_code, file.read_text()) == (1, EXAMPLE + "export MORE=1\n")
    assert "Withdrawn: the file was changed meanwhile." in done.output


def it_names_what_there_is_not(file: Path) -> None:
    assert file.exists()
    assert "no such proposal" in str(_run("show", "abc").exception)
    assert "names no proposals" in str(_run("approve", "abc").exception)
    assert "nothing to take back" in str(_run("rollback", "--reason", "x").exception)
