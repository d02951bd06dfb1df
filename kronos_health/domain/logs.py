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


@dataclass(frozen=True, slots=True)
class Sample:
    """A number read from a log line: ``metric`` is e.g. ``kronos_inference_ms``; ``subject`` a symbol or model name."""

    metric: str
    subject: str | None
    value: float
    seen_at: datetime | None
    start_offset: int


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
    ``tail_length`` (at most 256) bytes before ``offset``, the start of the first record not yet read to its end.
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


@dataclass(frozen=True, slots=True)
class ScanCounts:
    """How much a scan read. ``lag_bytes`` is what was there but left for the next run by the budget."""

    bytes: int = 0
    lines: int = 0
    records: int = 0
    undecodable: int = 0
    truncated: int = 0
    lag_bytes: int = 0


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
    samples: tuple[tuple[str, Sample], ...]
    gaps: tuple[Gap, ...]
    counts: ScanCounts
    first_run: bool
    problem: str | None = None  # why the source could not be read; unknown, never "clean"
