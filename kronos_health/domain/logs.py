"""What is looked for in logs, what was seen, and how far each log was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """How urgent a finding or an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Finding:
    """A signature was seen in one record. Offsets are bytes of the generation's decompressed content."""

    signature: str
    severity: Severity
    start_offset: int
    end_offset: int
    line: int  # number of the record's first line within the generation, from 1
    seen_at: datetime | None  # the record's own time, UTC; None when the record carries none
    fingerprint: str
    fingerprint_version: int
    reason: str | None  # the grouping key of some signatures, e.g. why CUDA graphs were skipped
    record: str  # the record's text, secrets masked, cut to the stored limit
    truncated: bool = False
    subject: str | None = None  # what it is about, e.g. the model's name; None where the record names none


@dataclass(frozen=True, slots=True)
class Sample:
    """A number read from a log line: ``metric`` is e.g. ``kronos_inference_ms``; ``subject`` a symbol or model name."""

    metric: str
    subject: str | None
    value: float
    seen_at: datetime | None
    start_offset: int


@dataclass(frozen=True, slots=True)
class SampleBin:
    """Part of a quantile sketch: ``count`` values that ``value`` stands for. Bins are in the order of their values."""

    bin: int
    value: float
    count: int


@dataclass(frozen=True, slots=True)
class SampleWindow:
    """The samples of one metric and subject in one hour of their own time, to be added to what is stored of that hour.

    ``subject`` is ``""`` where the lines name none; ``hour_at`` the start of the hour, UTC.
    """

    metric: str
    subject: str
    hour_at: datetime
    count: int
    total: float  # sum of the values
    minimum: float
    maximum: float
    first_at: datetime
    last_at: datetime
    bins: tuple[SampleBin, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """How often an info signature was seen in one minute of the records' own time.

    What happens millions of times (a completed prediction) is counted, not stored line by line. ``subject`` is e.g. the
    model's name, ``""`` where the signature has none; ``bucket_at`` the start of the minute, UTC.
    """

    signature: str
    subject: str
    bucket_at: datetime
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """Records of level ERROR or above that no signature knows, of one fingerprint.

    ``message`` is what they say, with what varies named by its kind; ``record`` the first one's text, secrets masked.
    """

    fingerprint: str
    fingerprint_version: int
    raised: str | None  # type of the exception
    message: str
    record: str
    line: int  # of the first one, within its generation
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes of a generation that vanished unread; ``end_offset`` is ``None`` where the size was not known."""

    generation: str
    start_offset: int
    end_offset: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Generation:
    """One file of a log through its rotations, known by its content; path and inode are only hints.

    ``head_sha256`` is over the first ``head_length`` (at most 1024) decompressed bytes; ``tail_sha256`` over the
    ``tail_length`` bytes before ``offset``, the start of the first record not yet read to its end: 256 of them, and the
    whole record that ends there where it is longer.
    """

    id: str
    source: str
    path: str
    inode: int | None
    compression: str | None  # None, "gzip" or "zstd"
    head_sha256: str
    head_length: int
    tail_sha256: str
    tail_length: int
    offset: int
    line: int  # lines before ``offset``
    size_seen: int
    first_seen_at: datetime
    last_seen_at: datetime
    finished: bool = False  # rotated away and read to its end
    version: int = 0  # for compare-and-set of the cursor
    hint: str | None = None  # file (device, inode, size, mtime) it was last proven in; spares reading it again
    history_until: int = 0  # up to here it is history of the source's first scan, left over by that scan's budget
    live_path: str = ""  # the log's live file; beside it lie the rotated ones
    gone_at: datetime | None = None  # since when no file holds it and the gap behind it is told: it is told once


@dataclass(frozen=True, slots=True)
class ScanCounts:
    """How much a scan read. ``lag_bytes`` is what was there but left for the next run by the budget.

    ``records`` are those that were looked into, for a text of a signature, a sample or an error: the others are not
    even cut out. ``open_bytes`` are those of live files whose last record had not ended yet.
    """

    bytes: int = 0
    lines: int = 0
    records: int = 0
    undecodable: int = 0
    truncated: int = 0
    lag_bytes: int = 0
    open_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Everything one scan of one source wants to commit, in one transaction.

    ``previous`` holds, per generation id, the version the new cursor must replace (compare-and-set); a generation
    absent from it is new. ``first_run`` marks a source never read before: its findings are history, not news.
    """

    source: str
    started_at: datetime
    finished_at: datetime
    generations: tuple[Generation, ...]
    previous: dict[str, int]
    findings: tuple[tuple[str, Finding], ...]  # (generation id, finding)
    samples: tuple[tuple[str, Sample], ...]  # the newest of each metric and subject; all are in ``windows``
    gaps: tuple[Gap, ...]
    counts: ScanCounts
    first_run: bool
    problem: str | None = None  # why the source could not be read; unknown, never "clean"
    tallies: tuple[Tally, ...] = ()
    known: tuple[str, ...] = ()  # ids of the generations the scan knew: another scan's new one means it came second
    completed_since_reuse: int = 0  # predictions completed after this scan's last graph_reuse; all where there is none
    host: str = ""  # the machine it was read on
    windows: tuple[SampleWindow, ...] = ()
    errors: tuple[ErrorKind, ...] = ()
    notes: tuple[str, ...] = ()  # read all the same, but worth a line: bytes of another encoding, records over the cap

    @property
    def samples_read(self) -> int:
        """How many numbers were read, kept one by one or not."""
        return sum(window.count for window in self.windows)


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Stored findings of one signature and fingerprint. ``record`` and ``finding_id`` are those of the first one."""

    source: str
    signature: str
    severity: Severity
    fingerprint: str
    count: int
    first_at: datetime  # the records' own times; when they were found, where they carry none
    last_at: datetime
    finding_id: str
    line: int
    record: str
    reason: str | None
    log: str = ""  # live file or address of the log that the first one stands in


@dataclass(frozen=True, slots=True)
class TallySum:
    """How often an info signature was seen, and when first and last."""

    source: str
    signature: str
    subject: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ScanLag:
    """How much a stored scan read, and left for the next one."""

    started_at: datetime
    finished_at: datetime
    bytes: int
    lag_bytes: int


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source stands after its last scan; ``None`` where it was never scanned."""

    name: str
    path: str
    host: str
    last_scanned_at: datetime | None
    problem: str | None
    problem_since: datetime | None
    lag_bytes: int
