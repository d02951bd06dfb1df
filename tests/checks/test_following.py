"""Following logs without Airflow: what is critical is scanned and told at once, and everything once."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kronos_health.checks import following
from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.checks.following import Answer, Loop, answer, followed_here
from kronos_health.checks.scanning import scan
from kronos_health.settings.models import Settings
from kronos_health.store.errors import DatabaseUnreachable
from tests.checks.conftest import MakeContext, on_sqlite
from tests.logs.support import line, reuse

Rows = Callable[[str], list[dict[str, Any]]]
FOUND = "SELECT start_offset FROM finding WHERE signature = 'graph_reuse'"
QUICK = {"look_seconds": 0.05, "pause_seconds": 0.2}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "trade.log"
    write(found, line("started"))
    return found


@pytest.fixture
def context(make_context: MakeContext, path: Path) -> Context:
    made = make_context(sources={"trade": {"path": str(path)}}, follow=QUICK, logs={"idle_seconds": 0.2})
    scan(made, "trade")
    return made


def write(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as log:
        log.write(text)


class Running:
    """A loop in a thread of its own, and what it did and said."""

    def __init__(self, context: Context, **options: Any) -> None:
        self.said: list[str] = []
        self.answers: list[Answer] = []
        self.stop = threading.Event()
        loop = Loop(
            context, ("trade",), self.said.append, self.stop, stream=io.StringIO(), on_answer=self.answers.append,
            **options,
        )  # fmt: skip
        self.thread = threading.Thread(target=loop.run)

    def wait_for(self, condition: Callable[[], object]) -> None:
        for _ in range(600):
            if condition():
                return
            self.stop.wait(0.05)
        raise AssertionError((self.said, self.answers))


@contextmanager
def running(context: Context, **options: Any) -> Iterator[Running]:
    """Runs until the block ends, and has begun to follow when the block begins."""
    made = Running(context, **options)
    made.thread.start()
    try:
        made.wait_for(lambda: made.answers or made.said)
        yield made
    finally:
        made.stop.set()
        made.thread.join(30)
        assert not made.thread.is_alive()


def it_finds_a_written_line_and_tells_it_without_any_other_scan(context: Context, path: Path, rows: Rows) -> None:
    with running(context, scan_seconds=0) as loop:
        write(path, reuse("at once"))
        loop.wait_for(lambda: rows(FOUND))
        loop.wait_for(lambda: len(loop.answers) > 1 and loop.answers[-1].news)
    told = rows("SELECT kind, state FROM outbox WHERE fingerprint = 'graph_reuse:trade'")
    assert told == [{"kind": "fired", "state": "sent"}]


@on_sqlite
def it_tells_each_line_once_though_others_scan_the_same_log_at_once(context: Context, path: Path, rows: Rows) -> None:
    with running(context, scan_seconds=0.3) as loop:
        for number in range(20):
            write(path, reuse(f"number {number}") + line("between"))
            scan(context, "trade")
        loop.wait_for(lambda: len(rows(FOUND)) >= 20)
    offsets = [row["start_offset"] for row in rows(FOUND)]
    assert len(offsets) == len(set(offsets)) == 20
    assert len(rows("SELECT 1 FROM outbox WHERE fingerprint = 'graph_reuse:trade' AND kind = 'fired'")) == 1


@on_sqlite
def it_scans_regularly_what_no_fixed_text_announces(context: Context, path: Path, rows: Rows) -> None:
    with running(context, scan_seconds=0.2) as loop:
        write(path, line("skipping cudagraphs due to mutated inputs (2 instances)", "WARNING"))
        loop.wait_for(lambda: rows("SELECT 1 FROM finding WHERE signature = 'cudagraph_skipped'"))


@on_sqlite
def it_reads_a_record_that_was_still_being_written_when_it_was_seen(context: Context, path: Path, rows: Rows) -> None:
    begun, rest = reuse("slowly").split("Stack trace", 1)
    write(path, begun)
    done = answer(context, ["trade"], io.StringIO(), sleep=lambda _seconds: write(path, "Stack trace" + rest))
    assert sum(one.findings_by_signature.get("graph_reuse", 0) for one in done.scans) == 1
    assert done.news


@on_sqlite
def it_survives_a_database_that_is_away_and_loses_nothing(
    context: Context, path: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = threading.Event()

    def failing(*arguments: Any) -> Answer:
        if away.is_set():
            raise DatabaseUnreachable("The database cannot be reached.")
        return answer(*arguments)

    monkeypatch.setattr(following, "answer", failing)
    with running(context, scan_seconds=0) as loop:
        away.set()
        write(path, reuse("while it is away"))
        loop.wait_for(lambda: loop.said)
        loop.stop.wait(0.5)
        away.clear()
        loop.wait_for(lambda: rows(FOUND))
        loop.wait_for(lambda: len(loop.said) > 1)
    assert loop.said == ["The database cannot be reached. It is tried again.", "It works again."]


def settings_of(**sources: dict[str, Any]) -> Settings:
    return Settings.model_validate({"sources": sources})


def it_follows_here_what_is_here(tmp_path: Path) -> None:
    (tmp_path / "near.log").touch()
    settings = settings_of(
        here={"path": str(tmp_path / "not yet.log")},
        near={"path": str(tmp_path / "near.log"), "queue": "gpu"},
        far={"path": str(tmp_path / "far.log"), "queue": "gpu"},
    )
    found = followed_here(settings)
    assert found.names == ("here", "near")
    assert found.left_out == {"far": f"is on the worker queue gpu and not to be seen here ({tmp_path}/far.log)"}
    assert followed_here(settings, ["far"]).names == ("far",)


def it_refuses_what_cannot_be_followed_in_one_line() -> None:
    with pytest.raises(CheckError, match="Did you mean trade"):
        followed_here(settings_of(trade={"path": "trade.log"}), ["trad"])
    with pytest.raises(CheckError, match="no log to follow"):
        followed_here(settings_of())
