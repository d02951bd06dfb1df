"""Acting on alerts from the command line, in one process."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from kronos_health.alerts.recording import record
from kronos_health.checks.errors import CheckError
from kronos_health.cli.alerts import _length
from kronos_health.cli.main import app
from kronos_health.settings.models import Settings
from kronos_health.store.database import open_engine, writing
from tests.alerts.samples import HIT


@pytest.fixture
def database(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KRONOS_HEALTH__DATABASE__URL", sqlite_url)
    engine = open_engine(sqlite_url)
    with writing(engine) as connection:
        record(connection, [HIT], Settings(), datetime.now(UTC))
    engine.dispose()
    return sqlite_url


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["alerts", *arguments])


def it_tells_the_whole_story_of_an_alert(database: str) -> None:
    assert HIT.fingerprint in _run().output
    assert "acknowledged it" in _run("ack", HIT.fingerprint, "--who", "maria").output
    assert "Silenced until" in _run("silence", HIT.fingerprint, "--for", "2h", "--comment", "rolling back").output
    listed = _run().output
    assert "acknowledged by maria" in listed
    assert f"silenced by {getpass.getuser()} until" in listed
    shown = _run("show", HIT.fingerprint).output
    for word in ("acknowledged_by", "maria", "fired", "acknowledged", "pending"):
        assert word in shown
    silences = _run("silences").output
    assert "rolling back" in silences
    silence_id = next(word for word in silences.split() if word.count("-") == 4)
    assert "is over" in _run("unsilence", silence_id).output
    assert "no rows" in _run("silences").output
    assert "took back" in _run("ack", HIT.fingerprint, "--undo").output
    trail = _run("history").output
    for action in ("acknowledge", "silence", "expire_silence", "unacknowledge"):
        assert re.search(rf"\b{action}\b", trail)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("show", "x:y"), "there is no alert 'x:y'"),
        (("ack", "x:y"), "there is no alert 'x:y'"),
        (("silence", "nonsense"), "is no matcher"),
        (("silence", "kind=*", "--for", "soon"), "is no length of time"),
        (("silence", "kind=*", "--for", "0h"), "would be over already"),
        (("unsilence", "x"), "there is no silence"),
    ],
)
def it_says_what_cannot_be_done(database: str, arguments: tuple[str, ...], why: str) -> None:
    done = _run(*arguments)
    assert isinstance(done.exception, CheckError)
    assert why in str(done.exception)


def it_reads_lengths_of_time() -> None:
    assert _length("90m") == timedelta(minutes=90)
    assert _length("1d12h") == timedelta(hours=36)
    assert _length(" 2 w ") == timedelta(weeks=2)
    for wrong in ("", "h", "1y", "-1h", "1", "99999h"):
        with pytest.raises(CheckError):
            _length(wrong)
