"""``scan --file``: one file from beginning to end, without settings or database."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from kronos_health.logs.errors import LogProblem
from kronos_health.logs.report import rank, scan_file
from tests.logs.support import REUSE, line, reuse

EXAMPLE = Path(__file__).parents[2] / "examples/production/logs/trade_stock_e2e.log"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "x.log"


def it_says_what_is_in_a_file(log: Path) -> None:
    text = (
        line("fine") + reuse("one") + line("ETHUSD MaxDiff 0.1043 Sharpe 18.24") * 3 + reuse("two") + line("password=x")
    )
    log.write_text(text)
    found = scan_file(log).as_json()
    assert set(found) == {"findings", "samples", "records", "lines", "bytes", "undecodable", "truncated"}
    (finding,) = json.loads(json.dumps(found))["findings"]
    assert set(finding) == {"signature", "count", "first_line", "fingerprint", "first_record"}
    assert (finding["signature"], finding["count"], finding["first_line"]) == ("graph_reuse", 2, 2)
    assert finding["first_record"].endswith("before each model invocation.")
    assert "\x1b" not in finding["first_record"]
    assert json.loads(json.dumps(found))["samples"] == [
        {"metric": "maxdiff_return", "symbol": "ETHUSD", "count": 3, "p50": 0.1043, "p95": 0.1043, "max": 0.1043}
    ]
    assert (found["records"], found["lines"], found["bytes"]) == (7, 23, len(text))
    assert (found["undecodable"], found["truncated"]) == (0, 0)


def it_reads_the_example_of_the_watched_production() -> None:
    report = scan_file(EXAMPLE)
    counts: dict[str, int] = {}
    for finding in report.findings:
        counts[finding.signature] = counts.get(finding.signature, 0) + finding.count
    assert counts == {
        "graph_reuse": 5, "prediction_failed": 5, "recompile_limit": 1, "cudagraph_skipped": 2,
        "prediction_completed": 55,
    }  # fmt: skip
    p50 = {(sample.metric, sample.symbol): sample.p50 for sample in report.samples}
    assert 3000 < p50["kronos_inference_ms", None] < 5000
    assert 450 < p50["toto_inference_ms", None] < 550
    assert p50["maxdiff_return", "ETHUSD"] == 0.1043
    assert p50["kronos_memory_mb", None] == 336


def it_groups_events_by_kind_the_worst_first(log: Path) -> None:
    log.write_text(
        line("Kronos prediction completed") * 9 + line("skipping cudagraphs due to dynamic shapes") * 2 + reuse("one")
        + reuse("two").replace("decode_s1", "decode_s2") + line("skipping cudagraphs due to cpu device (x)")
    )  # fmt: skip
    assert [(item.signature, item.count) for item in scan_file(log).findings] == [
        ("graph_reuse", 1), ("graph_reuse", 1), ("cudagraph_skipped", 2), ("cudagraph_skipped", 1),
        ("prediction_completed", 9),
    ]  # fmt: skip


def it_masks_secrets_in_what_it_shows(log: Path) -> None:
    log.write_text(line(f"postgresql://kronos:hunter2@db failed: {REUSE}", "ERROR"))
    (finding,) = scan_file(log).findings
    assert "hunter2" not in finding.first_record
    assert "postgresql://kronos:***@db" in finding.first_record


def it_reads_a_last_line_without_its_line_break(log: Path) -> None:
    log.write_text(line("fine") + REUSE)
    report = scan_file(log)
    assert [item.count for item in report.findings] == [1]
    assert report.lines == 2


def it_reads_a_compressed_file(log: Path) -> None:
    log.write_bytes(gzip.compress(reuse("one").encode()))
    report = scan_file(log)
    assert [item.count for item in report.findings] == [1]
    assert report.bytes == len(reuse("one"))


def it_counts_what_is_not_utf_8_and_reads_on(log: Path) -> None:
    log.write_bytes(b"caf\xe9 \xff\xfe caf\xc3\xa9\n" + reuse("one").encode() + b"\x80\n")
    report = scan_file(log)
    assert report.undecodable == 4
    assert [item.count for item in report.findings] == [1]
    assert scan_file(log, encoding="latin-1").undecodable == 0


def it_reads_ten_megabytes_on_one_line(log: Path) -> None:
    log.write_text("x" * 6_000_000 + REUSE + "y" * 4_000_000 + "\n" + reuse("two"))
    report = scan_file(log)
    assert sum(item.count for item in report.findings) == 2
    assert report.truncated == 9
    assert report.lines == 10
    assert max(len(item.first_record) for item in report.findings) < 9000


@pytest.mark.parametrize("before", range(0, 120, 7))
def it_finds_a_message_once_that_a_cut_goes_through(log: Path, before: int) -> None:
    filler = "x " * ((1024**2 - before) // 2)
    log.write_text(filler + REUSE + " y" * 10_000 + "\n")
    assert sum(item.count for item in scan_file(log).findings) == 1


def it_reads_an_empty_file(log: Path) -> None:
    log.write_bytes(b"")
    assert scan_file(log).as_json() == {
        "findings": (), "samples": (), "records": 0, "lines": 0, "bytes": 0, "undecodable": 0, "truncated": 0,
    }  # fmt: skip


BAD = {
    "a binary file": (bytes(range(256)) * 50, "is a binary file, not a text log"),
    "UTF-16 with a mark": (reuse("one").encode("utf-16"), "is UTF-16 text, which is not read here"),
    "UTF-16 without a mark": (reuse("one").encode("utf-16-le"), "is UTF-16 text, which is not read here"),
    "UTF-32": (reuse("one").encode("utf-32"), "is UTF-32 text"),
    "lz4": (b"\x04\x22\x4d\x18rest", "is compressed with lz4, which is not read here"),
    "a broken archive": (gzip.compress(b"x" * 100)[:20], "cannot be read to its end: it breaks off before its end"),
    "a damaged archive": (b"\x1f\x8b\x08\x00" + b"\xff" * 60, "cannot be read to its end: it is damaged"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def it_says_in_one_line_why_a_file_is_no_log(log: Path, content: bytes, message: str) -> None:
    log.write_bytes(content)
    with pytest.raises(LogProblem) as caught:
        scan_file(log)
    assert str(caught.value).startswith(f"{log} {message}")
    assert "\n" not in str(caught.value)


def it_says_that_a_path_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(LogProblem, match=r"is a directory\. Name the log file itself\."):
        scan_file(tmp_path)
    with pytest.raises(LogProblem, match=r"nothing\.log does not exist"):
        scan_file(tmp_path / "nothing.log")
    with pytest.raises(LogProblem, match="is no regular file"):
        scan_file(Path("/dev/null"))


def it_names_an_encoding_that_cannot_be_read(log: Path) -> None:
    log.write_text("x\n")
    with pytest.raises(LogProblem, match="encoding 'utf-16' is not an extension of ASCII"):
        scan_file(log, encoding="utf-16")
    with pytest.raises(LogProblem, match="encoding 'klingon' is no encoding known here"):
        scan_file(log, encoding="klingon")


def it_starts_without_torch_pandas_airflow_or_a_database() -> None:
    code = (
        "import sys; import kronos_health.logs.report; import kronos_health.logs.scanner;"
        "print([name for name in ('torch', 'pandas', 'airflow', 'scipy', 'sqlalchemy') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def it_ranks_percentiles_as_values_that_were_seen() -> None:
    assert rank([1.0, 2.0], 50) == 1.0
    assert rank([1.0, 2.0, 3.0], 50) == 2.0
    assert rank([float(number) for number in range(1, 101)], 95) == 95.0
    assert rank([7.0], 95) == 7.0
