"""What is kept is made by one, used by many, and stays in use while a child lives that its user started."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kronos_health.domain.probes import Outcome, ProbeSpec
from kronos_health.probe import kept
from kronos_health.probe.kept import Bench, KeepingProblem, Making, MakingStopped, Place
from kronos_health.probe.supervisor import run_probe
from kronos_health.probe.variants import find_variant
from kronos_health.settings.models import Probe, Target
from tests.probe.children import program


def place(state: Path, content: object = "one") -> Place:
    return Place.of(kept.CHECKOUTS, "kronos=4f1c2ab01234", content, state, "tree")


def lay(bench: Bench) -> tuple[str, ...]:
    (bench.folder / "tree").mkdir()
    (bench.folder / "tree" / "file").write_bytes(b"x" * 2_000_000)
    return ("a file",)


def it_is_made_once_by_whoever_comes_first(tmp_path: Path) -> None:
    made: list[str] = []

    def slowly(bench: Bench) -> tuple[str, ...]:
        made.append("made")
        time.sleep(0.3)
        return lay(bench)

    def use() -> None:
        with kept.in_use(place(tmp_path), slowly) as (found, _):
            assert (found.folder / "tree" / "file").exists()

    users = [threading.Thread(target=use) for _ in range(4)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert made == ["made"]
    (found,) = kept.listed(tmp_path)
    assert (found.name, found.kind, found.size_mb, found.holds) == (
        "kronos=4f1c2ab01234",
        "checkouts",
        2.0,
        ("a file",),
    )


def it_is_something_else_when_it_is_made_from_something_else(tmp_path: Path) -> None:
    with kept.in_use(place(tmp_path, "one"), lay), kept.in_use(place(tmp_path, "another"), lay):
        assert len(kept.listed(tmp_path)) == 2


def it_leaves_nothing_when_making_fails_and_tries_anew(tmp_path: Path) -> None:
    def fail(bench: Bench) -> tuple[str, ...]:
        lay(bench)
        raise KeepingProblem("no room")

    with pytest.raises(KeepingProblem, match="no room"), kept.in_use(place(tmp_path), fail):
        pass
    assert kept.listed(tmp_path) == ()
    assert not place(tmp_path).folder.exists()
    with kept.in_use(place(tmp_path), lay) as (found, _):
        assert found.folder == place(tmp_path).folder


def it_says_in_one_line_that_it_has_nowhere_to_write(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file stands where the folder should be")
    with pytest.raises(KeepingProblem, match=r"kronos=4f1c2ab01234 at .* cannot be made or used"):
        with kept.in_use(place(tmp_path / "state"), lay):
            pass


def it_waits_for_who_makes_it_no_longer_than_it_may(tmp_path: Path) -> None:
    said: list[str] = []
    with kept.acquire(place(tmp_path).lock, "process 7 (torch=2.15.0)"):
        with pytest.raises(KeepingProblem, match="still being made by process 7"):
            with kept.in_use(place(tmp_path), lay, Making(deadline_seconds=0.1, say=said.append)):
                pass
        with pytest.raises(MakingStopped), kept.in_use(place(tmp_path), lay, Making(should_stop=lambda: True)):
            pass


def it_is_made_anew_when_what_it_needs_is_gone(tmp_path: Path) -> None:
    with kept.in_use(place(tmp_path), lay) as (found, _):
        pass
    (found.folder / "tree" / "file").unlink()
    (found.folder / "tree").rmdir()
    assert kept.listed(tmp_path) == ()
    with kept.in_use(place(tmp_path), lay):
        assert (found.folder / "tree" / "file").exists()


def it_stays_in_use_while_the_probe_runs_in_it(tmp_path: Path, now: datetime) -> None:
    later, pruned = datetime.now(UTC) + timedelta(days=99), []
    with kept.in_use(place(tmp_path / "state"), lay) as (found, lock):
        result = run_probe(
            ProbeSpec("kronos", "eager", "kronos=4f1c2ab01234", iterations=1, predictions=2),
            find_variant("eager"),
            Target(),
            Probe(device="cpu"),
            tmp_path / "state",
            lambda: now,
            worker=program(tmp_path, "healthy()"),
            on_progress=lambda _: pruned.extend(kept.prune(tmp_path / "state", later, keep_days=30, budget_mb=0)),
            holding=(lock,),
        )
        assert result.outcome is Outcome.PASSED
        assert (found.folder / "tree").exists()
    assert pruned == []
    assert [one.name for one in kept.prune(tmp_path / "state", later, keep_days=30, budget_mb=0)] == [found.name]
