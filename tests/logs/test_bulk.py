"""Reading plain lines many at once gives exactly what reading them one by one gives, whatever stands between them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kronos_health.domain.logs import ScanResult
from kronos_health.logs import bulk, reading
from kronos_health.logs.catalogue import Catalogue, built_in, load_catalogue
from kronos_health.logs.collecting import Collector, Kept
from kronos_health.logs.reading import RawRecord
from kronos_health.logs.scanner import scan_source
from kronos_health.logs.times import Clock
from kronos_health.settings.models import Logs, Source
from tests.logs.support import NOW, REUSE, line, reuse

NEVER = 1 << 40


@contextmanager
def many_hits_are(number: int) -> Iterator[None]:
    """From how many hits on the lines of a block are found all at once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bulk, "_DENSE", number)
        yield


def scanned(path: Path, catalogue: Catalogue, zone: str, **logs: object) -> ScanResult:
    return scan_source(
        "trade", Source(path=str(path), timezone=zone), Logs.model_validate({"idle_seconds": 0, **logs}), catalogue, (),
        NOW, host="here",
    )  # fmt: skip


def said(result: ScanResult) -> dict[str, object]:
    """All that a scan says of the log, but for the ids made anew and the rounding of sums."""
    windows = [asdict(window) | {"total": pytest.approx(window.total)} for window in result.windows]
    return {
        "findings": [finding for _, finding in result.findings],
        "samples": sorted((sample for _, sample in result.samples), key=lambda s: (s.start_offset, s.metric, s.value)),
        "tallies": sorted(result.tallies, key=lambda tally: (tally.signature, tally.subject, tally.bucket_at)),
        "windows": windows,
        "counts": result.counts,
        "cursors": [(item.offset, item.line, item.tail_sha256, item.finished) for item in result.generations],
        "errors": result.errors,
        "completed": result.completed_since_reuse,
        "notes": result.notes,
    }


def cut_whole(path: Path, catalogue: Catalogue, zone: str, **logs: object) -> ScanResult:
    """The scan without any short cut: every record cut out, every record with a hit looked at by itself."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "survey", lambda *_block, **_asked: None)
        return scanned(path, catalogue, zone, **logs)


SYMBOLS = st.sampled_from(["ETHUSD", "BTC-USD", "AAPL", "X0", "SOL2"])
NUMBERS = st.one_of(
    st.floats(0, 9999, allow_nan=False).map("{:.1f}".format),
    st.integers(0, 12).map(str),
    st.sampled_from(["3,021.5", "1e3", "-0.5", ".7", "0", "00.10", "1_000", "99999999999999999", "4012.3.1", "inf"]),
)
MESSAGES = st.one_of(
    st.builds("Kronos prediction completed for {} in {} ms".format, SYMBOLS, NUMBERS),
    st.builds("Toto forecast finished for {} in {} s".format, SYMBOLS, NUMBERS),
    st.builds("{} MaxDiff {} Sharpe {}".format, SYMBOLS, NUMBERS, NUMBERS),
    st.builds("{} MaxDiff return: {} %".format, SYMBOLS, NUMBERS),
    st.builds("Kronos GPU memory: {} MB, Toto memory: {} GB".format, NUMBERS, NUMBERS),
    st.builds("Kronos inference took {}ms and Toto inference took {} ms".format, NUMBERS, NUMBERS),
    st.builds("{} Kronos predictions completed".format, st.integers(0, 12)),
    st.builds("0 failed, {} Toto predictions failed".format, st.integers(0, 3)),
    st.builds("kronos_inference_ms={} kronos_memory_mb={}".format, NUMBERS, NUMBERS),
    st.sampled_from([
        "no Kronos prediction completed", "Fetched 12 bars", "Kronos failed", f'if "{REUSE}" in text:',
        "skipping cudagraphs due to cpu device (x)", "Vorhersage für Kronos: prediction completed in 3 ms", "memory",
        "Kronos prediction completed in 3 ms\r", "Kronos prediction\0completed in 3 ms", "ÿ Kronos prediction done",
    ]),
)  # fmt: skip
TIMES = st.builds(
    lambda seconds: datetime(2025, 10, 30, 9, tzinfo=UTC) + timedelta(seconds=seconds), st.integers(0, 7200)
)
STAMPS = [
    "%Y-%m-%d %H:%M:%S UTC | x | ", "%Y-%m-%d %H:%M:%S,123 - ", "%Y-%m-%d %H:%M:%S.04 NZDT ", "%Y-%m-%d %H:%M ",
    "%Y-%m-%dT%H:%M:%S+02:00 ", "[%Y-%m-%d %H:%M:%S] ", "%H:%M:%S,123 ", "INFO:root:", "%Y-%m-%d %H:%M:71 UTC ",
    "2025-13-45 10:00:00 ", "W1030 09:08:09.060000 ", "", "2025/10/30 %H:%M:%S ", "[rank0]:%Y-%m-%d %H:%M:%S ",
    "1999-01-01 %H:%M:%S ",
]  # fmt: skip
LINES = st.one_of(
    st.builds(lambda message, at: line(message, at=at).encode(), MESSAGES, TIMES),
    st.builds(
        lambda form, message, at: f"{at.strftime(form)}{message}\n".encode(), st.sampled_from(STAMPS), MESSAGES, TIMES
    ),
    st.builds(lambda name, at: reuse(name, at).encode(), st.sampled_from(["one", "two"]), TIMES),
    st.builds(lambda message, at: line(message, "ERROR", at).encode(), MESSAGES, TIMES),
    st.sampled_from([
        b"E1030 09:08:09.060000 x failed\n", b"F0101 09:08:09.060000 y failed\n", b"lvl=error msg=x\nE10 continued\n",
        b"2025-10-30 09:08:09 lvl=error z\nF1 goes on\n",
        b"E1030 09:08:09.060000 lvl=error\nE1030 09:08:09.060000   x\n",
        b"    continued Kronos prediction completed in 4 ms\n", b"Traceback (most recent call last):\n", b"\n",
        b"\xff\n",
        b"2025-10-30 09:08:09 \xff\xff Toto prediction completed in \xff ms\n", b"  File \"x.py\", line 3, in f\n",
        b"2025-10-30 09:08:09 Kronos prediction completed in 1 ms\x1b[0m \x1b[3m2\x1b[0m ms\n",
        b"2025-10-30 09:08:09 \x1b[31mKronos prediction completed in \x1b[32m15\x1b[0m0.5 ms\n",
    ]),
)  # fmt: skip
LOGS = st.lists(LINES, min_size=1, max_size=60)
ENDS = st.sampled_from([b"", b"2025-10-30 09:0", b"2025-10-30 09:08:09 Kronos prediction compl", b"  torn"])
CAPS = st.sampled_from([{}, {"max_record_lines": 3}, {"max_record_bytes": 900}])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bulk") / "trade.log"


# Making the logs smaller again would take minutes: what differs is told by the first difference anyway.
@settings(max_examples=150, phases=[Phase.explicit, Phase.reuse, Phase.generate], deadline=None)
@given(LOGS, ENDS, CAPS, st.sampled_from(["UTC", "America/New_York"]))
def it_says_what_reading_every_record_by_itself_says(
    path: Path, lines: list[bytes], end: bytes, caps: dict[str, int], zone: str
) -> None:
    path.write_bytes(b"".join(lines) + end)
    expected = said(cut_whole(path, built_in(), zone, **caps))
    with many_hits_are(NEVER):
        assert said(scanned(path, built_in(), zone, **caps)) == expected
    with many_hits_are(1):
        assert said(scanned(path, built_in(), zone, **caps)) == expected


def it_takes_most_lines_of_the_watched_program_in_bulk(path: Path) -> None:
    text = line("Kronos prediction completed for ETHUSD in 4012.3 ms") + line("ETHUSD MaxDiff 0.1043 Sharpe 18.24")
    path.write_text(text * 200 + reuse("one") + line("the end"))
    taken: list[bytes] = []
    with pytest.MonkeyPatch.context() as patched:
        take = Collector.take

        def noted(self: Collector, record: RawRecord, clock: Clock, kept: Kept) -> int:
            taken.append(record.raw)
            return take(self, record, clock, kept)

        patched.setattr(Collector, "take", noted)
        result = scanned(path, built_in(), "UTC")
    assert len(taken) == 1
    assert result.samples_read == 400
    assert [(tally.signature, tally.count) for tally in result.tallies] == [("prediction_completed", 200)]


def it_reads_one_by_one_where_a_pattern_of_the_user_tells_digits_apart(path: Path) -> None:
    path.write_text("".join(line(f"model v{number} took {number}.5 ms") for number in (1, 2, 3, 2)) + line("the end"))
    catalogue = load_catalogue(None, {"kronos_inference_ms": r"model v2 took (?P<value>[\d.]+) ms"})
    assert [sample.value for _, sample in scanned(path, catalogue, "UTC").samples] == [2.5, 2.5]


def it_counts_predictions_since_the_last_reuse_whichever_way_they_were_read(path: Path) -> None:
    done = line("Kronos prediction completed in 3 ms")
    path.write_text(done * 5 + reuse("one") + done * 3 + line("the end"))
    assert scanned(path, built_in(), "UTC").completed_since_reuse == 3


def it_says_the_same_over_the_borders_of_blocks(path: Path) -> None:
    chance = random.Random(20251030)
    done = [line(f"Kronos prediction completed in {number}.5 ms").encode() for number in (9, 4012)]
    others = [
        b"E1030 09:08:09.060000 x failed\n", reuse("one").encode(), b"F1 goes on\n", b"2025-10-30 09:08:09 \xff\n",
        line("Toto forecast failed", "ERROR").encode(), "2025-10-30 09:08:09 Vorhersage für Kronos\n".encode(),
    ]  # fmt: skip
    quiet = [line(f"Fetched {number} bars").encode() * 4 for number in (1, 12)]
    kinds = [*[*done, *quiet] * 80, *others]
    path.write_bytes(b"".join(chance.choices(kinds, k=26_000)) + b"2025-10-30 09:08:09 torn")
    whole = cut_whole(path, built_in(), "UTC")
    assert whole.counts.bytes > 2 * 4 * 1024**2
    assert said(scanned(path, built_in(), "UTC")) == said(whole)
