"""Reads one file from beginning to end and says what is in it; needs no settings and stores nothing."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kronos_health.domain.logs import Severity
from kronos_health.logs.catalogue import Catalogue, built_in
from kronos_health.logs.collecting import decoded, stored_text
from kronos_health.logs.errors import LogProblem
from kronos_health.logs.fingerprint import fingerprint
from kronos_health.logs.journald import JournalText, is_enveloped
from kronos_health.logs.matcher import Match, Matcher
from kronos_health.logs.opening import check_encoding, check_text, opened
from kronos_health.logs.reading import Budget, Progress, RawRecord, Reading
from kronos_health.logs.records import Caps
from kronos_health.logs.text import RecordText
from kronos_health.settings.models import Logs

_UNLIMITED = 1 << 62
_ORDER = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(slots=True)
class FileFinding:
    """A kind of event in a file: ``first_line`` is a line number from 1, ``first_record`` has its secrets masked."""

    signature: str
    count: int
    first_line: int
    fingerprint: str
    first_record: str


@dataclass(frozen=True, slots=True)
class FileSamples:
    """Numbers of one metric; percentiles by nearest rank. ``symbol`` is ``None`` where the lines name none."""

    metric: str
    symbol: str | None
    count: int
    p50: float
    p95: float
    max: float


@dataclass(frozen=True, slots=True)
class FileReport:
    """What one file says. ``undecodable`` counts bytes, ``truncated`` records cut at a cap."""

    findings: tuple[FileFinding, ...]
    samples: tuple[FileSamples, ...]
    records: int
    lines: int
    bytes: int
    undecodable: int
    truncated: int

    def as_json(self) -> dict[str, object]:
        """The report as a JSON object with exactly these keys."""
        return asdict(self)


@dataclass(slots=True)
class _Gathered:
    matcher: Matcher
    encoding: str
    stored_chars: int
    findings: dict[tuple[str, str], tuple[FileFinding, Severity]] = field(default_factory=dict)
    samples: dict[tuple[str, str | None], list[float]] = field(default_factory=lambda: defaultdict(list))

    def take(self, record: RawRecord) -> int:
        text, within = decoded(record, self.encoding)
        for match in self.matcher.signatures(record.raw, text, within):
            self._count(match, record, text)
        for metric, symbol, value in self.matcher.samples(record.raw, text, within):
            self.samples[metric, symbol].append(value)
        return 0

    def _count(self, match: Match, record: RawRecord, text: RecordText) -> None:
        signature = match.signature
        # Of what happens all the time, one kind is enough; errors are told apart by cause and place.
        key = signature.name
        if signature.severity is not Severity.INFO:
            key = fingerprint(signature.name, text.unprefixed, match.reason or match.message)
        known = self.findings.get((signature.name, key))
        if known is not None:
            known[0].count += 1
            return
        shown = stored_text(text.shown, self.stored_chars)
        identity = key if key != signature.name else fingerprint(signature.name, "", "")
        finding = FileFinding(signature.name, 1, record.line, identity, shown)
        self.findings[signature.name, key] = (finding, signature.severity)


def scan_file(
    path: Path,
    catalogue: Catalogue | None = None,
    *,
    encoding: str = "utf-8",
    logs: Logs | None = None,
) -> FileReport:
    """Everything in the file ``path``, compressed or not, a last line without its line break included.

    Raises :class:`LogProblem` with one line when it cannot be read as a text log.
    """
    logs = logs or Logs()
    check_encoding(encoding)
    try:
        with opened(Path(path)) as log:
            check_text(log)
            gathered = _Gathered(
                Matcher(catalogue or built_in(), encoding, wanted=logs.engine), encoding, logs.stored_record_chars
            )
            progress = Progress(0, 0)
            caps = Caps(logs.max_record_bytes, logs.max_record_lines)
            content = JournalText(log.content, b"", whole_entries=False) if is_enveloped(log) else log.content
            reading = Reading(content, gathered.matcher, caps, encoding, gathered.take, lambda: True, False)
            reading.run(progress, Budget(_UNLIMITED, float("inf"), _UNLIMITED, time.monotonic))
            if log.content.damage:
                raise LogProblem(f"{path} cannot be read to its end: {log.content.damage}.")
    except FileNotFoundError as error:
        raise LogProblem(f"{path} does not exist.") from error
    return _report(gathered, progress)


def _report(gathered: _Gathered, progress: Progress) -> FileReport:
    found = sorted(gathered.findings.values(), key=lambda item: (_ORDER[item[1]], -item[0].count, item[0].first_line))
    return FileReport(
        findings=tuple(finding for finding, _ in found),
        samples=tuple(
            _statistics(metric, symbol, values)
            for (metric, symbol), values in sorted(
                gathered.samples.items(), key=lambda item: (item[0][0], item[0][1] or "")
            )
        ),
        records=progress.records,
        lines=progress.lines,
        bytes=progress.bytes,
        undecodable=progress.undecodable,
        truncated=progress.truncated,
    )


def _statistics(metric: str, symbol: str | None, values: list[float]) -> FileSamples:
    values.sort()
    return FileSamples(metric, symbol, len(values), rank(values, 50), rank(values, 95), values[-1])


def rank(ordered: list[float], percent: int) -> float:
    """The percentile of ascending values by nearest rank: a value that was really seen."""
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]
