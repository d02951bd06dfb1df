"""Killed between approval and writing: the next run writes what was approved, once, or sees that it is written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from kronos_health.checks import switching
from kronos_health.checks.context import Context
from kronos_health.checks.revisiting import revisit
from kronos_health.store.database import writing
from tests.checks.conftest import MakeContext, on_sqlite
from tests.checks.test_switching import EXAMPLE
from tests.support.history_switch import insert_compiled_history

ROOT = Path(__file__).parents[2]
WANTED = EXAMPLE.replace("# export KRONOS_COMPILE=1", "export KRONOS_COMPILE=1")


@pytest.fixture
def asked(make_context: MakeContext, engine: Engine, tmp_path: Path) -> Context:
    """A proposal that waits, at the real time: the program that is killed has the real clock."""
    (tmp_path / ".env.compile").write_text(EXAMPLE)
    context = make_context(production={"env_file": tmp_path / ".env.compile"}, switch={"enabled": True})
    context = Context(context.settings, engine, lambda: datetime.now(UTC))
    with writing(engine) as connection:
        insert_compiled_history(connection, context.now())
    revisit(context)
    return context


@on_sqlite
@pytest.mark.parametrize(
    ("when", "rename", "backups", "content"),
    [
        ("before", 1, 0, EXAMPLE),  # of the backup
        ("after", 1, 1, EXAMPLE),
        ("before", 2, 1, EXAMPLE),  # of the file itself
        ("after", 2, 1, WANTED),
    ],
)
def it_is_mended_by_the_next_run(
    asked: Context,
    rows: Callable[[str], list[dict[str, Any]]],
    tmp_path: Path,
    when: str,
    rename: int,
    backups: int,
    content: str,
) -> None:
    file = tmp_path / ".env.compile"
    (tmp_path / "kronos_health.toml").write_text(
        f'[production]\nenv_file = "{file}"\n[switch]\nenabled = true\n[database]\nurl = "{asked.engine.url}"\n'
    )
    words = ("switch", "approve", "--who", "ann", "--reason", "measured")
    killed = subprocess.run(
        [sys.executable, "-m", "tests.checks.switch_killed", when, str(rename), *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert file.read_text() == content, "the old file or the new one, never anything between"
    assert rows("SELECT state, who FROM switch") == [{"state": "approved", "who": "ann"}]
    assert len(list(tmp_path.glob(".env.compile.*.bak"))) == backups
    for _again in range(2):
        switching.advance(asked)
    (done,) = switching.listed(asked)
    assert (done.state.value, done.by_hand, file.read_text()) == ("written", False, WANTED)
    assert Path(done.backup or "").read_text() == EXAMPLE
    left = {path.name for path in tmp_path.iterdir() if path.name.startswith((".env", ".kronos"))}
    assert left == {".env.compile", Path(done.backup or "").name}
    assert len(rows("SELECT * FROM outbox WHERE fingerprint LIKE 'switch_settled%'")) == 1
