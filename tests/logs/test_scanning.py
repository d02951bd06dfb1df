"""What one scan of a source says: its counts, budgets, history, tallies, and why a log could not be read."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kronos_health.domain.logs import Severity
from tests.logs.support import REUSE, Watched, line, reuse


def it_counts_what_it_read(watched: Watched) -> None:
    text = line("fine") * 3 + reuse("one")
    watched.write(text)
    counts = watched.scan().counts
    assert (counts.bytes, counts.lines, counts.records, counts.lag_bytes) == (
        len(text),
        12,
        1,
        0,
    )  # three records held nothing


def it_describes_a_finding_in_full(watched: Watched) -> None:
    watched.write(line("fine") + reuse("one") + line("fine"))
    ((identifier, finding),) = watched.scan().findings
    assert identifier in watched.memory.generations
    assert finding.severity is Severity.CRITICAL
    assert finding.seen_at == datetime(2025, 10, 30, 9, 8, 9, tzinfo=UTC)
    assert (finding.start_offset, finding.end_offset) == (len(line("fine")), len(line("fine") + reuse("one")))
    assert finding.line == 2
    assert len(finding.fingerprint) == 32
    assert finding.record.startswith("2025-10-30 09:08:09 UTC | ")
    assert finding.record.endswith("before each model invocation.")


def it_counts_completed_predictions_by_minute_and_model_and_stores_none_of_their_lines(watched: Watched) -> None:
    start = datetime(2025, 10, 30, 9, 8, 50, tzinfo=UTC)
    for second in range(20):
        watched.write(line("Kronos prediction completed", at=start + timedelta(seconds=second)))
    watched.write(line("Toto prediction completed", at=start))
    result = watched.scan()
    assert result.findings == ()
    minute = start.replace(second=0)
    found = {(tally.subject, tally.bucket_at): (tally.count, tally.first_at, tally.last_at) for tally in result.tallies}
    assert found == {
        ("kronos", minute): (10, start, start + timedelta(seconds=9)),
        ("kronos", minute + timedelta(minutes=1)): (10, start + timedelta(seconds=10), start + timedelta(seconds=19)),
        ("toto", minute): (1, start, start),
    }


def it_counts_predictions_completed_since_the_last_reuse(watched: Watched) -> None:
    done = line("Kronos prediction completed")
    watched.write(done * 2)
    assert watched.scan().completed_since_reuse == 2
    watched.write(done * 3 + reuse("one") + done)
    watched.rename()
    watched.write(done * 2)
    assert watched.scan().completed_since_reuse == 3
    watched.write(done + reuse("two"))
    assert watched.scan().completed_since_reuse == 0


def it_reads_samples_with_their_symbol(watched: Watched) -> None:
    watched.write(line("ETHUSD MaxDiff 0.1043 Sharpe 18.24") + line("Kronos inference took 3.1 s"))
    watched.scan()
    assert [(item.metric, item.subject, item.value) for _, item in watched.memory.samples] == [
        ("maxdiff_return", "ETHUSD", 0.1043),
        ("kronos_inference_ms", None, 3100.0),
    ]


def it_keeps_the_text_of_so_many_records_of_a_kind_and_counts_the_rest(watched: Watched) -> None:
    watched.logs = watched.logs.model_copy(update={"findings_per_fingerprint": 2})
    watched.write("".join(reuse(str(number)) for number in range(5)))
    found = [item for _, item in watched.scan().findings]
    assert [bool(item.record) for item in found] == [True, True, False, False, False]
    assert len({item.fingerprint for item in found}) == 1


@pytest.mark.parametrize("budget", [{"max_bytes": 1}, {"max_events": 1}, {"max_seconds": 0.000001}])
def it_stops_at_its_budget_shows_the_lag_and_loses_nothing(watched: Watched, budget: dict[str, float]) -> None:
    watched.logs = watched.logs.model_copy(update=budget)
    noise = line("fine") * 40_000  # more than one block
    watched.write(noise + reuse("one") + noise + reuse("two") + reuse("three"))
    watched.rename()
    watched.write(reuse("four") + noise + line("ETHUSD MaxDiff 0.1"))
    first = watched.scan()
    assert first.counts.lag_bytes > 0
    assert first.counts.bytes > 0
    watched.wait_for(lambda: len(watched.memory.samples) == 1)
    last = watched.scan()
    assert last.counts.lag_bytes == 0
    assert watched.found() == ["one", "two", "three", "four"]
    assert watched.memory.gaps == []


def it_takes_all_that_was_there_at_first_for_history_however_many_scans_it_takes(watched: Watched) -> None:
    watched.logs = watched.logs.model_copy(update={"max_bytes": 1})
    noise = line("fine") * 40_000
    watched.write(noise + reuse("one") + noise + reuse("two"))
    assert watched.scan().first_run
    while True:
        result = watched.scan()
        if len(watched.found()) == 2:
            break
        assert result.first_run
    assert result.first_run
    watched.write(reuse("three"))
    assert not watched.scan().first_run


def it_leaves_a_finding_out_that_another_one_says_better(watched: Watched) -> None:
    watched.write(line(f"torch._dynamo.exc.InternalTorchDynamoError: RuntimeError: {REUSE}", "ERROR"))
    assert [item.signature for _, item in watched.scan().findings] == ["graph_reuse"]


def it_cuts_a_record_at_its_caps_and_says_so(watched: Watched) -> None:
    watched.logs = watched.logs.model_copy(update={"max_record_lines": 20})
    watched.write(line("dump") + "  more\n" * 50 + reuse("one"))
    result = watched.scan()
    assert result.counts.truncated == 2
    assert "2 records were longer than logs.max_record_bytes or logs.max_record_lines and cut" in result.notes[0]
    assert watched.found() == ["one"]


def it_reads_a_line_of_ten_megabytes_while_it_grows(watched: Watched) -> None:
    for part in ("x" * 3_000_000, REUSE, "y" * 7_000_000, "\n"):
        watched.write(part)
        watched.scan()
    watched.write(reuse("two"))
    watched.scan()
    assert len(watched.found()) == 2
    assert watched.memory.gaps == []


def it_replaces_what_is_not_in_its_encoding_and_says_which_setting_helps(watched: Watched) -> None:
    watched.write(b"2025-10-30 09:08:09 UTC | caf\xe9\n" + reuse("one").encode())
    result = watched.scan()
    assert result.problem is None
    assert result.counts.undecodable == 1
    assert result.notes == ("1 byte is not utf-8 and replaced. Set sources.trade.encoding to what the program writes.",)
    assert watched.found() == ["one"]


def it_never_hands_on_a_nul_which_no_database_stores(watched: Watched) -> None:
    watched.write(reuse("one").replace("Traceback", "\0\0Traceback"))
    ((_, finding),) = watched.scan().findings
    assert "\0" not in finding.record


PROBLEMS = {
    "binary": (bytes(range(256)) * 50, "trade.log is a binary file, not a text log. Name the log file itself."),
    "UTF-16": (reuse("one").encode("utf-16"), "trade.log is UTF-16 text, which is not read here. Let the program"),
    "empty": (b"", "trade.log is empty: nothing has been written to it yet."),
}


@pytest.mark.parametrize(("content", "message"), PROBLEMS.values(), ids=PROBLEMS)
def it_says_why_a_log_cannot_be_read_and_reads_it_when_it_can(watched: Watched, content: bytes, message: str) -> None:
    watched.write(content)
    result = watched.scan()
    assert result.problem is not None
    assert message in result.problem
    assert result.findings == result.gaps == ()
    watched.path.write_text(reuse("one"))
    assert watched.scan().problem is None
    assert watched.found() == ["one"]


def it_says_that_a_log_is_not_there(watched: Watched) -> None:
    result = watched.scan()
    assert result.problem == f"{watched.path} does not exist. Check the path, or wait until the program writes it."
    watched.folder.rmdir()
    assert watched.scan().problem == result.problem


def it_says_that_a_log_is_a_pipe(watched: Watched) -> None:
    os.mkfifo(watched.path)
    assert stat.S_ISFIFO(watched.path.stat().st_mode)
    assert watched.scan().problem == f"{watched.path} is no regular file (a pipe or a device). Name a log file."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything; see the next test")
def it_says_that_a_log_may_not_be_read(watched: Watched) -> None:
    watched.write(reuse("one"))
    watched.path.chmod(0)
    problem = watched.scan().problem
    assert problem is not None
    assert "cannot be opened (Permission denied)" in problem


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def it_says_to_root_become_nobody_that_a_log_may_not_be_read(watched: Watched, tmp_path: Path) -> None:
    watched.write(reuse("one"))
    watched.path.chmod(0)
    for folder in (
        path for path in (tmp_path, *tmp_path.parents) if path.name.startswith(("it_", "popen-", "pytest-"))
    ):
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        problem = watched.scan().problem
    finally:
        os.seteuid(0)
    assert problem is not None
    assert f"{watched.path} cannot be opened (Permission denied). Let user id 65534 read it" in problem
    watched.path.chmod(0o644)
    watched.scan()
    assert watched.found() == ["one"]


def it_reads_the_other_files_beside_one_that_it_cannot(watched: Watched) -> None:
    watched.write(reuse("one"))
    (watched.folder / "trade.log.1").write_bytes(bytes(range(256)) * 50)
    result = watched.scan()
    assert "trade.log.1 is a binary file" in str(result.problem)
    assert watched.found() == ["one"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"encoding": "utf-16"},
            "sources.trade: encoding 'utf-16' is not an extension of ASCII; have the program write",
        ),
        ({"timezone": "Mars/Olympus"}, "sources.trade: time zone 'Mars/Olympus' is not known here."),
    ],
)
def it_names_a_setting_that_cannot_be_used(watched: Watched, settings: dict[str, str], message: str) -> None:
    watched.write(reuse("one"))
    watched.source = watched.source.model_copy(update=settings)
    result = watched.scan()
    assert str(result.problem).startswith(message)
    assert result.generations == ()
