"""Every record is found exactly once, however its file is rotated, and what nobody can read any more is a gap."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
from pathlib import Path

import pytest
import zstandard

from kronos_health.logs.naming import is_sibling
from kronos_health.logs.places import Log
from tests.logs.support import Watched, line, reuse

HEADER = "# trade_stock_e2e log, format 3\n" * 40  # longer than the 1024 bytes that are hashed


def it_reads_on_where_it_stopped(watched: Watched) -> None:
    watched.write(reuse("one"))
    assert watched.scan().first_run
    watched.write(line("quiet") + reuse("two"))
    result = watched.scan()
    assert not result.first_run
    assert watched.found() == ["one", "two"]
    assert [item.line for _, item in watched.memory.findings] == [1, 11]


def it_reads_nothing_twice_of_an_unchanged_log(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.scan()
    for _ in range(3):
        result = watched.scan()
        assert result.counts.bytes == 0
        assert result.generations == ()
    assert watched.found() == ["one"]


def it_does_not_even_open_a_file_it_has_read_to_its_end(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.write(reuse("one"))
    os.utime(watched.path, (1_700_000_000, 1_700_000_000))  # long ago: a change since then would show
    watched.scan()

    def refuse(path: Path, **_: object) -> None:
        raise AssertionError(f"{path} was opened")

    monkeypatch.setattr("kronos_health.logs.looking.open_log", refuse)
    assert watched.scan().generations == ()


def it_follows_a_renamed_file(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.scan()
    watched.write(reuse("two"))
    watched.rename()
    watched.write(reuse("three"))
    watched.scan()
    assert sorted(watched.found()) == ["one", "three", "two"]
    assert watched.memory.gaps == []


def it_follows_several_rotations_between_two_scans(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.scan()
    for number, name in enumerate(("two", "three", "four")):
        watched.write(reuse(f"{name}a"))
        for older in range(number, 0, -1):
            (watched.folder / f"trade.log.{older}").rename(watched.folder / f"trade.log.{older + 1}")
        watched.rename()
        watched.write(reuse(f"{name}b"))
    watched.scan()
    assert sorted(watched.found()) == ["foura", "fourb", "one", "threea", "threeb", "twoa", "twob"]
    assert watched.memory.gaps == []


def it_reads_the_oldest_file_first(watched: Watched) -> None:
    for age, name in enumerate(("trade.log", "trade.log.1", "trade.log.2")):
        path = watched.folder / name
        path.write_text(reuse(name))
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    watched.scan()
    assert watched.found() == ["trade.log.2", "trade.log.1", "trade.log"]


def it_follows_a_copied_and_truncated_file(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.scan()
    watched.write(reuse("two"))
    shutil.copyfile(watched.path, watched.folder / "trade.log.1")
    watched.scan()  # between copy and truncation
    os.truncate(watched.path, 0)
    watched.scan()
    watched.write(reuse("three"))
    watched.scan()
    assert watched.found() == ["one", "two", "three"]
    assert watched.memory.gaps == []


def it_reads_past_the_hole_that_a_writer_leaves_who_missed_the_truncation(watched: Watched) -> None:
    with watched.path.open("wb", buffering=0) as stale:
        stale.write(reuse("one").encode())
        watched.scan()
        shutil.copyfile(watched.path, watched.folder / "trade.log.1")
        os.truncate(watched.path, 0)
        stale.write(reuse("two").encode())  # at its old position
        watched.scan()
    assert watched.found() == ["one", "two"]
    assert watched.memory.gaps == []


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        (".gz", gzip.compress),
        (".zst", lambda data: zstandard.ZstdCompressor().compress(data)),
        (".xz", lzma.compress),
        (".bz2", bz2.compress),
    ],
)
def it_goes_on_inside_a_compressed_file(watched: Watched, suffix: str, compress: object) -> None:
    assert callable(compress)
    watched.write(reuse("one") + line("quiet") * 2000)
    watched.scan()
    watched.write(reuse("two"))
    (watched.folder / f"trade.log.1{suffix}").write_bytes(compress(watched.path.read_bytes()))
    watched.path.unlink()
    watched.write(reuse("three"))
    result = watched.scan()
    assert result.counts.bytes == len(reuse("two")) + len(reuse("three"))
    assert watched.found() == ["one", "two", "three"]
    assert watched.memory.gaps == []


def it_follows_dates_in_names_with_compression_a_rotation_later(watched: Watched) -> None:
    """logrotate with dateext and delaycompress: plain at first, compressed at the next rotation."""
    plain = None
    for day, name in enumerate(("one", "two", "three", "four"), start=27):
        watched.write(reuse(name))
        if day % 2:
            watched.scan()
        watched.write(line("quiet") * 300 + reuse(f"{name}-late"))
        if plain is not None:
            plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
        plain = watched.folder / f"trade.log-202510{day}"
        watched.path.rename(plain)
        watched.write(line("begin") * day)
    watched.scan()
    wanted = [f"{name}{late}" for name in ("one", "two", "three", "four") for late in ("", "-late")]
    assert sorted(watched.found()) == sorted(wanted)
    assert watched.memory.gaps == []


def it_starts_anew_and_tells_the_gap_when_a_file_is_deleted_and_written_again(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.scan()
    watched.path.unlink()
    watched.write(reuse("two"))
    watched.scan()
    assert watched.found() == ["one", "two"]
    assert [(gap.start_offset, gap.end_offset) for gap in watched.memory.gaps] == [(len(reuse("one")), None)]


def it_reads_lines_that_end_as_on_windows_through_a_rotation(watched: Watched) -> None:
    watched.write((line("fine") + reuse("one")).replace("\n", "\r\n"))
    watched.scan()
    watched.write(reuse("two").replace("\n", "\r\n"))
    watched.rename()
    watched.write(reuse("three").replace("\n", "\r\n"))
    watched.scan()
    assert sorted(watched.found()) == ["one", "three", "two"]
    assert all("\r" not in finding.record for _, finding in watched.memory.findings)
    assert len({finding.fingerprint for _, finding in watched.memory.findings}) == 1


def it_takes_a_file_being_compressed_beside_its_original_for_one(watched: Watched) -> None:
    watched.write(reuse("one") + line("quiet") * 500)
    watched.scan()
    watched.write(reuse("two"))
    watched.rename()
    whole = gzip.compress((watched.folder / "trade.log.1").read_bytes())
    for share in (0, 10, len(whole) // 2, len(whole)):
        (watched.folder / "trade.log.1.gz").write_bytes(whole[:share])
        watched.scan()
    (watched.folder / "trade.log.1").unlink()
    result = watched.scan()
    assert result.problem is None
    assert watched.found() == ["one", "two"]
    assert watched.memory.gaps == []


def it_reads_a_member_appended_to_a_compressed_file(watched: Watched) -> None:
    archive = watched.folder / "trade.log.1.gz"
    archive.write_bytes(gzip.compress(reuse("one").encode()))
    watched.scan()
    with archive.open("ab") as file:
        file.write(gzip.compress(reuse("two").encode()))
    watched.scan()
    assert watched.found() == ["one", "two"]


def it_says_that_a_compressed_file_breaks_off_and_reads_what_there_is(watched: Watched) -> None:
    data = "".join(reuse(str(number)) for number in range(900)).encode()
    whole = gzip.compress(data)
    (watched.folder / "trade.log.1.gz").write_bytes(whole[: len(whole) // 2])
    result = watched.scan()
    assert result.problem is not None
    assert result.problem.endswith("trade.log.1.gz cannot be read to its end: it breaks off before its end.")
    assert watched.found()[:3] == ["0", "1", "2"]
    (watched.folder / "trade.log.1.gz").write_bytes(whole)
    assert watched.scan().problem is None
    assert watched.found() == [str(number) for number in range(900)]


def it_starts_anew_in_a_file_that_took_over_name_and_inode(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.scan()
    os.truncate(watched.path, 0)  # the same inode, as if it had been used again
    watched.write(reuse("two") + reuse("three"))
    watched.scan()
    assert watched.found() == ["one", "two", "three"]
    assert [(gap.start_offset, gap.end_offset) for gap in watched.memory.gaps] == [(len(reuse("one")), None)]


def it_tells_files_with_equal_headers_apart(watched: Watched) -> None:
    watched.write(HEADER + reuse("one"))
    watched.scan()
    watched.rename()
    watched.write(HEADER + reuse("two"))
    watched.scan()
    watched.rename("trade.log.0")
    watched.write(HEADER + reuse("six") + reuse("seven"))  # longer than both
    watched.scan()
    assert watched.found() == ["one", "two", "six", "seven"]
    assert watched.memory.gaps == []


def it_waits_for_the_rest_of_a_torn_line(watched: Watched) -> None:
    event = reuse("one")
    for cut in range(0, len(event), 7):
        watched.write(event[cut : cut + 7])
        watched.scan()
        assert watched.found() == (["one"] if cut + 7 >= len(event) else [])


def it_says_that_a_program_stopped_in_the_middle_of_a_line(watched: Watched) -> None:
    watched.write(line("fine") + reuse("one").rstrip("\n"))
    assert watched.scan().notes == ()
    os.utime(watched.path, (watched.path.stat().st_atime, watched.path.stat().st_mtime - 120))
    for _ in range(2):
        (note,) = watched.scan().notes
        assert note.startswith(f"the last {len(reuse('one')) - 1} bytes of")
        assert "are a record in mid-line" in note
    watched.write("\n")
    watched.scan()
    assert watched.found() == ["one"]


def it_leaves_a_record_open_while_its_program_is_writing(watched: Watched) -> None:
    event = reuse("one")
    first_line = len(event.split("\n", 1)[0]) + 1
    watched.write(event[:first_line])
    assert watched.busy_scan().counts.records == 0
    watched.write(event[first_line:])
    assert watched.busy_scan().counts.records == 0
    watched.write(line("the next record begins"))
    assert watched.busy_scan().counts.records == 1
    assert watched.found() == ["one"]


def it_ends_a_record_when_the_log_is_quiet(watched: Watched) -> None:
    waited: list[float] = []
    watched.logs = watched.logs.model_copy(update={"idle_seconds": 30.0})
    watched.write(reuse("one"))
    from kronos_health.logs.scanner import Clocks

    watched.scan(clocks=Clocks(sleep=waited.append))
    assert watched.found() == ["one"]
    assert len(waited) == 1
    assert 25 < waited[0] <= 30


def it_reads_the_torn_last_line_of_a_rotated_file(watched: Watched) -> None:
    watched.write(line("fine") + reuse("one").rstrip("\n"))
    watched.scan()
    assert watched.found() == []
    watched.rename()
    watched.write(line("fine"))
    watched.scan()
    assert watched.found() == ["one"]


def it_reads_what_a_slow_writer_adds_to_a_rotated_file(watched: Watched) -> None:
    with watched.path.open("ab", buffering=0) as slow:
        slow.write(reuse("one").encode())
        watched.scan()
        watched.rename()
        watched.write(reuse("three"))
        watched.scan()
        slow.write(reuse("two").encode())
        watched.scan()
    assert watched.found() == ["one", "three", "two"]


def it_records_a_gap_when_a_rotated_file_vanishes_unread(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.scan()
    watched.logs = watched.logs.model_copy(update={"max_bytes": 1})
    old, middle, new = (line("quiet") * 50_000 + reuse(name) for name in ("two", "three", "four"))
    for text in (old, middle):
        watched.rename(f"trade.log-2025103{watched.now.minute % 10}{watched.now.hour}")
        watched.write(text)
    watched.write(new)
    watched.scan()
    unread = [item for item in watched.memory.generations.values() if item.offset < item.size_seen]
    assert unread
    for path in watched.folder.iterdir():
        path.unlink()
    watched.write(line("new"))
    watched.scan()
    gaps = {gap.generation: gap for gap in watched.memory.gaps}
    for generation in unread:
        assert gaps[generation.id].start_offset == generation.offset
    assert watched.scan().gaps == ()  # told once


def it_records_a_gap_once_when_all_that_was_written_is_gone_and_empty_files_are_left(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.scan()
    watched.write(reuse("two"))
    # Copied and truncated four times with room for three copies: what was written before the first is nowhere any more.
    for name in ("", ".1", ".2", ".3"):
        (watched.folder / f"trade.log{name}").write_bytes(b"")
    assert [gap.end_offset for gap in watched.scan().gaps] == [None]
    assert watched.scan().gaps == ()
    watched.write(reuse("three"))
    assert watched.scan().gaps == ()
    assert watched.found() == ["one", "three"]


def it_tells_again_what_comes_and_goes_after_a_file_that_had_been_gone(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.scan()
    content = watched.path.read_bytes()
    watched.path.write_bytes(b"")
    assert len(watched.scan().gaps) == 1
    watched.path.write_bytes(content)  # put back from a backup
    assert watched.scan().gaps == ()
    watched.path.write_bytes(b"")
    assert len(watched.scan().gaps) == 1
    assert watched.found() == ["one"]


def it_records_no_gap_for_a_rotated_file_that_was_read(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.scan()
    watched.rename()
    watched.write(line("new"))
    watched.scan()
    (watched.folder / "trade.log.1").unlink()
    assert watched.scan().gaps == ()


def it_does_not_call_a_file_vanished_that_it_may_not_open(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    from kronos_health.logs import looking
    from kronos_health.logs.errors import LogProblem

    watched.write(reuse("one"))
    watched.scan()
    watched.write(reuse("two"))

    def refuse(path: Path, **_: object) -> None:  # root may open everything, and these tests may run as root
        raise LogProblem(f"{path} cannot be opened (Permission denied).")

    with monkeypatch.context() as patch:
        patch.setattr(looking, "open_log", refuse)
        result = watched.scan()
    assert result.problem is not None
    assert "Permission denied" in result.problem
    assert result.gaps == ()
    watched.scan()
    assert watched.found() == ["one", "two"]


def it_follows_a_link_that_is_turned_to_the_next_file(watched: Watched) -> None:
    first, second = watched.folder / "app-a.txt", watched.folder / "app-b.txt"
    first.write_text(reuse("one"))
    watched.path.symlink_to(first)
    watched.scan()
    with first.open("a") as file:
        file.write(reuse("two"))
    second.write_text(reuse("three"))
    watched.path.unlink()
    watched.path.symlink_to(second)
    watched.scan()
    assert sorted(watched.found()) == ["one", "three", "two"]
    assert watched.memory.gaps == []


def it_looks_again_when_files_are_renamed_while_it_looks(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    from kronos_health.logs import looking

    watched.write(reuse("one"))
    watched.scan()
    watched.write(reuse("two"))
    discover, calls = looking.discover, []

    def rotating(log: Log, remembered: object) -> object:
        found = discover(log, remembered)  # type: ignore[arg-type]
        calls.append(len(found))
        if len(calls) == 1:
            watched.rename()
            watched.write(reuse("three"))
        return found

    monkeypatch.setattr(looking, "discover", rotating)
    watched.scan()
    assert sorted(watched.found()) == ["one", "three", "two"]
    assert watched.memory.gaps == []


def it_throws_away_what_it_read_of_a_file_that_was_truncated_meanwhile(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kronos_health.logs import scanner

    watched.write(reuse("one"))
    watched.scan()
    watched.write(reuse("two"))
    real = scanner.Reading.run

    def rotate_during(self: scanner.Reading, *arguments: object) -> None:
        real(self, *arguments)  # type: ignore[arg-type]
        shutil.copyfile(watched.path, watched.folder / "trade.log.1")
        os.truncate(watched.path, 0)
        watched.write(line("after") * 400)

    with monkeypatch.context() as patch:
        patch.setattr(scanner.Reading, "run", rotate_during)
        result = watched.scan()
    assert result.findings == ()
    assert "was truncated or replaced while it was read" in result.notes[0]
    watched.scan()
    assert watched.found() == ["one", "two"]
    assert watched.memory.gaps == []


@pytest.mark.parametrize(
    "name",
    [
        "trade.log.1", "trade.log.12.gz", "trade.log-20251030", "trade.log-20251030.zst", "trade.log.2025-10-30",
        "trade.log.2025-10-30_09-08-09.gz", "trade.log.gz", "trade.log.old", "trade.1.log", "trade-20251030.log",
        "trade.2025-10-30_09-08-09_123456.log.gz", "trade-20251030-1698000000.log.xz", "trade.log-20251030-1698000000",
    ],
)  # fmt: skip
def it_knows_the_names_of_rotated_files(name: str) -> None:
    assert is_sibling("trade.log", name)


@pytest.mark.parametrize(
    "name",
    ["trade.log", "trade2.log", "trade.log.lock", "trade-2.log", "other.log.1", "trade.logs", "trade_errors.log"],
)
def it_leaves_other_programs_logs_alone(name: str) -> None:
    assert not is_sibling("trade.log", name)
