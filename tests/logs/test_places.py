"""A source may be a folder or a pattern: each live file in it is a log of its own, with its own rotations."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.logs import looking
from kronos_health.logs.naming import ancestors, descends, is_sibling
from kronos_health.logs.places import live_files, places
from tests.logs.support import Watched, line, reuse


@pytest.fixture
def folder(watched: Watched) -> Watched:
    """A watched folder; ``write_to`` writes one of its logs."""
    watched.source = watched.source.model_copy(update={"path": str(watched.folder / "*.log")})
    return watched


def write(watched: Watched, name: str, text: str) -> Path:
    path = watched.folder / name
    with path.open("a") as file:
        file.write(text)
    return path


def names(watched: Watched) -> list[str]:
    return [path.name for path in live_files(watched.source.path)]


def where(watched: Watched) -> dict[str, str]:
    """Per event the live file that its record belongs to."""
    lives = {key: Path(item.live_path).name for key, item in watched.memory.generations.items()}
    return {
        item.record.split("\n", 1)[0].rsplit(" ", 1)[-1]: lives[generation]
        for generation, item in watched.memory.findings
    }


def it_follows_every_file_that_matches_and_says_which_one_a_finding_is_from(folder: Watched) -> None:
    write(folder, "trade.log", reuse("one"))
    write(folder, "backtest.log", reuse("two"))
    write(folder, "notes.txt", reuse("not asked for"))
    assert folder.scan().problem is None
    assert where(folder) == {"one": "trade.log", "two": "backtest.log"}


def it_takes_all_visible_files_of_a_folder(folder: Watched) -> None:
    folder.source = folder.source.model_copy(update={"path": str(folder.folder)})
    write(folder, "trade.log", reuse("one"))
    write(folder, "out", reuse("two"))
    write(folder, ".hidden", reuse("not asked for"))
    (folder.folder / "below").mkdir()
    folder.scan()
    assert where(folder) == {"one": "trade.log", "two": "out"}


def it_looks_into_folders_below_where_the_pattern_says_so(folder: Watched) -> None:
    folder.source = folder.source.model_copy(update={"path": str(folder.folder / "**" / "*.log")})
    (folder.folder / "a" / "b").mkdir(parents=True)
    for number, name in enumerate(("x.log", "a/x.log", "a/b/x.log")):
        write(folder, name, reuse(str(number)))
    folder.scan()
    assert len(folder.found()) == 3


def it_sees_new_files_by_itself_and_takes_what_they_say_for_news(folder: Watched) -> None:
    write(folder, "trade.log", reuse("one"))
    assert folder.scan().first_run
    write(folder, "later.log", reuse("two"))
    result = folder.scan()
    assert not result.first_run
    assert [item.record.split("\n")[0][-3:] for _, item in result.findings] == ["two"]


@pytest.mark.parametrize("pattern", ["*.log", "*", "*.log*"])
def it_follows_each_log_through_its_own_rotations(folder: Watched, pattern: str) -> None:
    folder.source = folder.source.model_copy(update={"path": str(folder.folder / pattern)})
    for name in ("trade.log", "backtest.log"):
        write(folder, name, reuse(f"{name}-1"))
    folder.scan()
    write(folder, "trade.log", reuse("trade.log-2"))
    (folder.folder / "trade.log").rename(folder.folder / "trade.log.1")
    write(folder, "trade.log", reuse("trade.log-3"))
    data = (folder.folder / "backtest.log").read_bytes() + reuse("backtest.log-2").encode()
    (folder.folder / "backtest-20251030.log.gz").write_bytes(gzip.compress(data))
    (folder.folder / "backtest.log").unlink()
    write(folder, "backtest.log", reuse("backtest.log-3"))
    folder.scan()
    assert where(folder) == {f"{name}-{number}": name for name in ("trade.log", "backtest.log") for number in (1, 2, 3)}
    assert len(folder.found()) == 6
    assert folder.memory.gaps == []


def it_reads_a_rotated_file_whose_log_has_not_begun_again(folder: Watched) -> None:
    write(folder, "trade.log", reuse("one"))
    folder.scan()
    write(folder, "trade.log", reuse("two"))
    (folder.folder / "trade.log").rename(folder.folder / "trade.log.1")
    assert folder.scan().problem is None
    assert folder.found() == ["one", "two"]
    write(folder, "trade.log", reuse("three"))
    folder.scan()
    assert folder.found() == ["one", "two", "three"]
    assert folder.memory.gaps == []


def it_takes_dated_files_without_a_common_name_for_logs_of_their_own(folder: Watched) -> None:
    for day in (29, 30):
        write(folder, f"trade-202510{day}.log", reuse(str(day)))
    folder.scan()
    assert names(folder) == ["trade-20251029.log", "trade-20251030.log"]
    assert folder.found() == ["29", "30"]


def it_gives_rotated_files_back_to_the_log_they_came_from_when_that_appears(folder: Watched) -> None:
    folder.source = folder.source.model_copy(update={"path": str(folder.folder / "*")})
    write(folder, "trade.log.1", reuse("one"))
    folder.scan()
    write(folder, "trade.log.1", reuse("two"))
    write(folder, "trade.log", reuse("three"))
    folder.scan()
    assert folder.found() == ["one", "two", "three"]
    assert folder.memory.gaps == []


def it_goes_on_in_a_log_that_was_renamed_to_another_name_that_matches(folder: Watched) -> None:
    write(folder, "current.log", reuse("one"))
    folder.scan()
    write(folder, "current.log", reuse("two"))
    (folder.folder / "current.log").rename(folder.folder / "monday.log")
    write(folder, "current.log", reuse("three"))
    folder.scan()
    assert sorted(folder.found()) == ["one", "three", "two"]
    assert folder.memory.gaps == []


def it_reads_a_file_once_however_many_links_lead_to_it(folder: Watched) -> None:
    path = write(folder, "trade.log", reuse("one"))
    (folder.folder / "current.log").symlink_to(path)
    os.link(path, folder.folder / "zweit.log")
    folder.scan()
    assert names(folder) == ["trade.log"]
    assert folder.found() == ["one"]


def it_records_a_gap_for_each_log_that_vanished_and_leaves_the_others_alone(folder: Watched) -> None:
    for name in ("a", "b", "c"):
        write(folder, f"{name}.log", reuse(name))
    folder.scan()
    (folder.folder / "b.log").unlink()
    write(folder, "c.log", reuse("more"))
    result = folder.scan()
    assert [gap.reason.split(" was ")[0] for gap in result.gaps] == [str(folder.folder / "b.log")]
    assert result.problem is None
    assert folder.scan().gaps == ()


def it_calls_nothing_vanished_while_the_folder_cannot_be_listed(folder: Watched) -> None:
    write(folder, "trade.log", reuse("one"))
    folder.scan()
    aside = folder.folder.with_name("aside")
    folder.folder.rename(aside)
    result = folder.scan()
    assert result.problem is not None
    assert result.problem.endswith("cannot be listed (No such file or directory). Nothing was skipped.")
    assert result.gaps == ()
    aside.rename(folder.folder)
    write(folder, "trade.log", reuse("two"))
    assert folder.scan().problem is None
    assert folder.found() == ["one", "two"]


def it_notes_binary_files_in_a_folder_and_reads_the_rest(folder: Watched) -> None:
    folder.source = folder.source.model_copy(update={"path": str(folder.folder)})
    write(folder, "trade.log", reuse("one"))
    (folder.folder / "core").write_bytes(bytes(range(256)) * 50)
    result = folder.scan()
    assert result.problem is None
    assert "core is a binary file" in result.notes[0]
    assert folder.found() == ["one"]


def it_says_that_nothing_matches(folder: Watched) -> None:
    assert folder.scan().problem == (
        f"no file matches {folder.source.path}. Check the path, or wait until the program writes it."
    )


def it_shares_its_budget_among_the_logs_and_starves_none(folder: Watched) -> None:
    folder.logs = folder.logs.model_copy(update={"max_bytes": 1})
    noise = line("fine") * 40_000
    for name in ("a", "b", "c"):
        write(folder, f"{name}.log", noise + reuse(name))
    assert folder.scan().counts.lag_bytes > 0
    folder.wait_for(lambda: len(folder.found()) == 3)
    assert folder.scan().counts.lag_bytes == 0


def it_loses_nothing_when_one_file_becomes_a_folder_of_them(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.scan()
    watched.source = watched.source.model_copy(update={"path": str(watched.folder / "*.log")})
    watched.write(reuse("two"))
    write(watched, "other.log", reuse("three"))
    watched.scan()
    watched.source = watched.source.model_copy(update={"path": str(watched.path)})
    watched.write(reuse("four"))
    watched.scan()
    assert sorted(watched.found()) == ["four", "one", "three", "two"]
    assert watched.memory.gaps == []


def it_opens_none_of_a_thousand_unchanged_files(folder: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1000):
        path = write(folder, f"run-{number}-a.log", line(f"fine {number}"))
        os.utime(path, (1_700_000_000, 1_700_000_000))
    folder.scan()
    opened, open_one = [], looking.open_log
    monkeypatch.setattr(looking, "open_log", lambda path, **how: opened.append(path.name) or open_one(path, **how))
    assert folder.scan().generations == ()
    assert opened == []
    write(folder, "run-7-a.log", reuse("new"))
    assert len(folder.scan().generations) == 1
    assert opened == ["run-7-a.log"]
    assert folder.found() == ["new"]


def it_passes_over_a_thousand_unchanged_files_in_well_under_a_second(folder: Watched) -> None:
    for number in range(1000):
        path = write(folder, f"run-{number}-a.log", line(f"fine {number}"))
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert folder.scan().counts.lines == 1000
    best = 9.0
    for _ in range(3):
        started = time.process_time()
        assert folder.scan().generations == ()
        best = min(best, time.process_time() - started)
    assert best < 0.9


def it_reads_a_copy_that_is_truncated_as_one_log(folder: Watched) -> None:
    folder.source = folder.source.model_copy(update={"path": str(folder.folder / "*")})
    path = write(folder, "trade.log", reuse("one"))
    folder.scan()
    write(folder, "trade.log", reuse("two"))
    shutil.copyfile(path, folder.folder / "trade.log.1")
    os.truncate(path, 0)
    write(folder, "trade.log", reuse("three"))
    folder.scan()
    assert sorted(folder.found()) == ["one", "three", "two"]
    assert folder.memory.gaps == []


NAMES = st.lists(
    st.sampled_from(["trade", ".log", "-20251030", ".1", ".gz", ".old", "_2025-10-30", ".", "12", ".zst"]),
    min_size=1,
    max_size=5,
).map("".join)


@given(NAMES, NAMES)
def it_knows_ancestors_through_any_number_of_rotations(live: str, name: str) -> None:
    assert descends(live, name) == (live in ancestors(name))
    assert live not in ancestors(live)
    assert all(len(older) < len(name) for older in ancestors(name))
    if is_sibling(live, name):
        assert ancestors(live) <= ancestors(name)


def it_asks_nobody_for_the_files_of_a_single_log(watched: Watched) -> None:
    watched.write(reuse("one"))
    assert live_files(str(watched.path)) == (watched.path,)
    (log,) = places(str(watched.path)).logs
    assert log.siblings is None
    assert live_files(str(watched.folder / "missing.log")) == ()
