"""Watching: drift is told once and resolved, a deployment is noticed, and no network is 'unknown' and no failure."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kronos_health.checks.watching import record_deployment, watch
from tests.checks.conftest import Clock, MakeContext

Rows = Callable[[str], list[dict[str, Any]]]
FOLLOWS = "export TOTO_DISABLE_COMPILE=1\nexport ADD_LATEST=1\n"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pip is asked for real, and finds nobody at home."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def it_fires_drift_once_and_resolves_it(make_context: MakeContext, rows: Rows, clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / ".env.compile"
    context = make_context(production={"env_file": file})
    file.write_text(FOLLOWS)
    assert watch(context).drifts == ()
    file.write_text(FOLLOWS + "export KRONOS_COMPILE=1\n")
    for _again in range(3):
        clock.move(minutes=5)
        assert [drift.key for drift in watch(context).drifts] == ["KRONOS_COMPILE"]
    file.write_text(FOLLOWS)
    clock.move(minutes=5)
    assert watch(context).drifts == ()
    kinds = [
        row["kind"] for row in rows("SELECT kind FROM outbox WHERE fingerprint LIKE 'settings_drift%' ORDER BY id")
    ]
    assert sorted(kinds) == ["fired", "resolved"]
    assert len(rows("SELECT * FROM settings_drift WHERE cleared_at IS NOT NULL")) == 1


def it_freezes_drift_while_the_file_cannot_be_read(
    make_context: MakeContext, rows: Rows, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / ".env.compile"
    context = make_context(production={"env_file": file})
    file.write_text("export TOTO_DISABLE_COMPILE=0\n")
    watch(context)
    file.unlink()
    clock.move(minutes=5)
    summary = watch(context)
    assert any(".env.compile" in unknown.reason for unknown in summary.unseen)
    assert rows("SELECT state FROM alert WHERE kind = 'settings_drift'") == [{"state": "firing"}]


def it_tells_once_that_production_settings_cannot_be_read(
    make_context: MakeContext, rows: Rows, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / ".env.compile"
    context = make_context(production={"env_file": file})
    ask = "SELECT kind, message FROM outbox WHERE fingerprint = 'checker_unhealthy:settings/file .env.compile'"
    for _again in range(2):
        clock.move(minutes=5)
        (unseen,) = watch(context).unseen
        assert "No such file" in unseen.reason
    (fired,) = rows(ask)
    assert str(file) in fired["message"]
    assert rows("SELECT verdict FROM heartbeat WHERE \"check\" = 'watch'") == [{"verdict": "attention"}] * 2
    file.write_text(FOLLOWS)
    clock.move(minutes=5)
    assert watch(context).unseen == ()
    assert [row["kind"] for row in rows(ask + " ORDER BY sequence")] == ["fired", "resolved"]


def it_does_not_call_a_missing_network_a_check_not_made(make_context: MakeContext) -> None:
    summary = watch(make_context())
    assert [unknown.subject for unknown in summary.unknowns] == ["torch"]
    assert summary.unseen == ()


def it_proves_drift_and_news_with_their_rows(make_context: MakeContext, rows: Rows, tmp_path: Path) -> None:
    file = tmp_path / ".env.compile"
    file.write_text("export TOTO_DISABLE_COMPILE=0\nexport ADD_LATEST=1\n")
    watch(make_context(production={"env_file": file}))
    (drift,) = rows("SELECT id FROM settings_drift")
    (message,) = rows("SELECT message FROM outbox WHERE fingerprint LIKE 'settings_drift%'")
    assert f"settings_drift:{drift['id']}" in message["message"]


def it_says_since_when_releases_are_unknown(make_context: MakeContext, rows: Rows, clock: Clock) -> None:
    context, first = make_context(), clock.now
    for _again in range(2):
        summary = watch(context)
        assert summary.releases == ()
        assert [unknown.subject for unknown in summary.unknowns] == ["torch"]
        clock.move(hours=6)
    (look,) = rows("SELECT * FROM upstream_look WHERE subject = 'torch'")
    assert str(look["unknown_since"]).startswith(f"{first:%Y-%m-%d %H:%M}")
    assert rows("SELECT count(*) AS n FROM outbox") == [{"n": 0}]


def it_notices_a_new_revision_of_production_as_a_deployment(
    make_context: MakeContext, rows: Rows, clock: Clock, tmp_path: Path
) -> None:
    checkout = tmp_path / "trading"
    checkout.mkdir()
    _git(checkout, "init", "-q")
    _git(checkout, "commit", "-q", "--allow-empty", "-m", "first")
    context = make_context(production={"checkout": checkout})
    watch(context)
    _git(checkout, "commit", "-q", "--allow-empty", "-m", "second")
    clock.move(minutes=5)
    (deployment,) = watch(context).deployments
    assert deployment.origin == "revision"
    assert deployment.revision == _git(checkout, "rev-parse", "HEAD")
    assert record_deployment(context, "by hand").revision == deployment.revision


def it_tells_of_a_new_kronos_commit_once(make_context: MakeContext, rows: Rows, clock: Clock, tmp_path: Path) -> None:
    remote, checkout = tmp_path / "remote", tmp_path / "kronos"
    remote.mkdir()
    _git(remote, "init", "-q", "-b", "master")
    _git(remote, "commit", "-q", "--allow-empty", "-m", "published")
    subprocess.run(["git", "clone", "-q", remote, checkout], check=True)
    context = make_context(upstream={"kronos_checkout": checkout})
    assert watch(context).revisions == ()
    _git(remote, "commit", "-q", "--allow-empty", "-m", "Clone outputs of decode_s1")
    for _again in range(2):
        clock.move(hours=6)
        watch(context)
    (message,) = rows("SELECT message FROM outbox WHERE fingerprint LIKE 'kronos_updated%'")
    assert "Clone outputs of decode_s1" in message["message"]
    newest = rows("SELECT id FROM upstream_commit WHERE subject = 'Clone outputs of decode_s1'")
    assert f"upstream_commit:{newest[0]['id']}" in message["message"]
    assert "--candidate kronos=origin/" in message["message"]
