"""The lookout over live files: real files, really rotated, in a real folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kronos_health.logs import follower as module
from kronos_health.logs.catalogue import Catalogue, built_in
from kronos_health.logs.follower import Follower
from kronos_health.logs.tail import TOO_FAR
from kronos_health.settings.models import Source
from tests.logs.support import line, reuse

QUIET = line("Kronos prediction completed in 4.1 s")
NOTHING: frozenset[str] = frozenset()
HIT = frozenset({"trade"})


@dataclass
class Log:
    """A log, who follows it, and what the follower said."""

    path: Path
    said: list[str] = field(default_factory=list)
    now: float = 0.0

    def follow(self, **options: object) -> Follower:
        follower = Follower(
            {"trade": Source(path=str(self.path))}, built_in(), self.said.append, clock=lambda: self.now, **options
        )
        assert follower.look() == NOTHING
        return follower

    def write(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    found = Log(tmp_path / "trade.log")
    found.write(reuse("before"))
    return found


def it_begins_where_the_file_ends(log: Log) -> None:
    follower = log.follow()
    log.write(QUIET)
    assert follower.look() == NOTHING
    log.write(reuse("new"))
    assert follower.look() == HIT
    assert follower.look() == NOTHING


def it_looks_for_critical_signatures_only(log: Log) -> None:
    follower = log.follow()
    log.write(line("skipping cudagraphs due to mutated inputs (2 instances)", "WARNING"))
    assert follower.look() == NOTHING
    log.write(line("CUDA error: an illegal memory access was encountered", "ERROR"))
    assert follower.look() == HIT


@pytest.mark.parametrize("cut", [1, 5, len("CUDAGraphs") - 1])
def it_sees_a_text_written_in_two_parts(log: Log, cut: int) -> None:
    follower = log.follow()
    before, _, after = reuse("cut").partition("CUDAGraphs")
    log.write(before + "CUDAGraphs"[:cut])
    assert follower.look() == NOTHING or cut >= len("CUDA")
    log.write("CUDAGraphs"[cut:] + after)
    assert follower.look() == HIT


def it_sees_both_sides_of_a_rename(log: Log) -> None:
    follower = log.follow()
    log.write(reuse("unseen before the rename"))
    log.path.rename(log.path.with_name("trade.log.1"))
    log.write(QUIET)
    assert follower.look() == HIT
    log.write(QUIET)
    assert follower.look() == NOTHING
    log.write(reuse("in the new file"))
    assert follower.look() == HIT


def it_hears_a_program_that_goes_on_writing_into_the_renamed_file(log: Log) -> None:
    follower = log.follow()
    old = log.path.with_name("trade.log.1")
    log.path.rename(old)
    log.write(QUIET)
    assert follower.look() == NOTHING
    with old.open("a", encoding="utf-8") as stale:
        stale.write(reuse("stale"))
    assert follower.look() == HIT


def it_does_not_wake_for_a_rotation_of_which_all_was_seen(log: Log) -> None:
    follower = log.follow()
    for _ in range(3):
        log.path.rename(log.path.with_name("trade.log.1"))
        log.write(QUIET * 3)
        follower.look()  # the file renamed over may have held something: one scan more
    assert follower.look() == NOTHING


@pytest.mark.parametrize("how", ["truncated", "removed and written anew", "compressed at once"])
def it_wakes_a_scan_where_bytes_may_have_gone_unseen(log: Log, how: str) -> None:
    follower = log.follow()
    log.write(reuse("gone"))
    if how == "truncated":
        os.truncate(log.path, 0)
    elif how == "removed and written anew":
        keep = log.path.open()  # its inode is not given away again
        log.path.unlink()
        log.write(QUIET)
        keep.close()
    else:
        log.path.rename(log.path.with_name("trade.log.1.gz"))
        log.path.with_name("trade.log.1.gz").rename(log.path.with_name("elsewhere"))
        log.write(QUIET)
    assert follower.look() == HIT
    assert follower.look() == NOTHING
    log.write(reuse("new"))
    assert follower.look() == HIT


def it_waits_for_a_log_that_is_not_there_and_reads_it_from_its_beginning(log: Log) -> None:
    log.path.unlink()
    follower = log.follow()
    assert follower.look() == NOTHING
    assert log.said == [
        f"trade: sources.trade.path = {log.path} shows no file here; what is written is followed once it does"
    ]
    log.write(reuse("first"))
    log.now += 10
    assert follower.look() == HIT
    assert log.said[1:] == ["trade: sources.trade.path is followed"]


def it_takes_up_further_files_from_their_beginning_and_lets_go_of_others(log: Log, tmp_path: Path) -> None:
    files = [log.path]
    follower = log.follow(find=lambda _path: tuple(files))
    other = tmp_path / "other.log"
    other.write_text(reuse("other"), encoding="utf-8")
    files[:] = [other]
    assert follower.look() == NOTHING  # files are looked for every few seconds only
    log.now += 10
    assert follower.look() == HIT
    for _minute in range(30):
        log.now += 10
        assert follower.look() == NOTHING
    log.write(reuse("no longer its own"))
    assert follower.look() == NOTHING


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop"])
def it_says_once_what_cannot_be_followed_and_goes_on_with_the_others(log: Log, tmp_path: Path, kind: str) -> None:
    odd = tmp_path / "odd.log"
    make: dict[str, Callable[[], object]] = {
        "folder": odd.mkdir,
        "pipe": lambda: os.mkfifo(odd),
        "loop": lambda: odd.symlink_to(odd),
    }
    make[kind]()
    follower = log.follow(find=lambda _path: (odd, log.path))
    for _ in range(3):
        log.write(reuse("beside it"))
        assert follower.look() == HIT
    assert len(log.said) == 1
    assert log.said[0].startswith(f"trade: {odd} ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def it_says_whom_to_let_in_and_goes_on_when_it_is(log: Log) -> None:
    follower = log.follow()
    log.path.chmod(0o200)
    log.write(reuse("hidden"))
    assert follower.look() == NOTHING
    assert f"user id {os.geteuid()} must be let in" in log.said[0]
    log.path.chmod(0o600)
    assert follower.look() == HIT


def it_survives_garbage(log: Log) -> None:
    follower = log.follow()
    with log.path.open("ab") as file:
        file.write(os.urandom(3 * 1024**2).replace(b"CUDA", b"cuda"))
    follower.look()
    with log.path.open("ab") as file:
        file.write(b"\0" * 1024**2 + b"\xff\xfe")
    assert follower.look() == NOTHING
    log.write(reuse("after it"))
    assert follower.look() == HIT


def it_reads_a_burst_in_bounded_looks(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_ONE", 64 * 1024)
    follower = log.follow()
    log.write(QUIET * 2_000 + reuse("last"))
    looks = 0
    while (seen := follower.look()) == NOTHING:
        assert follower.busy
        looks += 1
    assert seen == HIT
    assert looks > 2
    assert not follower.busy


def it_lets_no_log_starve_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_ONE", 64 * 1024)
    monkeypatch.setattr(module, "MOST_IN_ALL", 64 * 1024)
    paths = {name: tmp_path / f"{name}.log" for name in ("loud", "quiet")}
    for path in paths.values():
        path.write_text("")
    follower = Follower({name: Source(path=str(path)) for name, path in paths.items()}, built_in(), print)
    follower.look()
    paths["loud"].write_text(QUIET * 20_000, encoding="utf-8")
    paths["quiet"].write_text(reuse("quiet"), encoding="utf-8")
    assert frozenset({"quiet"}) in (follower.look(), follower.look(), follower.look())


def it_leaves_what_is_far_behind_to_the_scan(log: Log) -> None:
    follower = log.follow()
    os.truncate(log.path, log.path.stat().st_size + TOO_FAR + 1)  # a hole: takes no space
    assert follower.look() == HIT
    assert not follower.busy
    log.write(QUIET)
    assert follower.look() == NOTHING


def it_says_which_signature_it_cannot_look_for(log: Log) -> None:
    catalogue = built_in()
    first = catalogue.signatures[0]
    assert first.severity.value == "critical"
    without = Catalogue((first.with_expressions(first.expressions, None),), ())
    Follower({"trade": Source(path=str(log.path))}, without, log.said.append).look()
    assert log.said == [f"{first.name} has no fixed text to look for: it is left to the regular scan"]
