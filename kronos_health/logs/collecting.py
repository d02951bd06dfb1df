"""Turns records with a hit into findings, samples and tallies, ready to be stored."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from kronos_health.domain.logs import ErrorKind, Finding, Sample, Severity, Tally
from kronos_health.logs.fingerprint import VERSION, fingerprint
from kronos_health.logs.levels import is_error
from kronos_health.logs.masking import mask
from kronos_health.logs.matcher import Match, Matcher
from kronos_health.logs.reading import RawRecord
from kronos_health.logs.text import RecordText
from kronos_health.logs.times import Clock
from kronos_health.logs.unknown import MORE_KINDS, UNKNOWN, kind_of, new_kind, seen_again
from kronos_health.logs.windows import Windows

REUSE = "graph_reuse"
COMPLETED = "prediction_completed"
_MARGIN = 4096  # text beside a cut is masked with the rest, so that no half of a secret shows
_REASON_CHARS = 500
_EXAMPLE_CHARS = 4000
SUBJECT_CHARS = 64
TallyKey = tuple[str, str, datetime]


@dataclass(slots=True)
class Kept:
    """What was collected of one generation."""

    findings: list[Finding] = field(default_factory=list)
    samples: dict[tuple[str, str | None], deque[Sample]] = field(default_factory=dict)  # the newest of each
    windows: Windows = field(default_factory=Windows)  # all of them
    errors: dict[str, ErrorKind] = field(default_factory=dict)  # by fingerprint
    tallies: dict[TallyKey, Tally] = field(default_factory=dict)
    completed: int = 0  # predictions since the last graph reuse, or since the beginning
    reused_at: int | None = None  # where the record of the last graph reuse begins

    def newest(self, metric: str, subject: str | None, most: int) -> deque[Sample]:
        """The samples of one metric and subject that are kept one by one, in the order of the file."""
        return self.samples.setdefault((metric, subject), deque(maxlen=most))

    def count(self, tally: Tally) -> int:
        """Add ``tally`` to those of its minute; returns how many rows more that makes."""
        key = (tally.signature, tally.subject, tally.bucket_at)
        known = self.tallies.get(key)
        if known is None:
            self.tallies[key] = tally
            return 1
        first, last = min(known.first_at, tally.first_at), max(known.last_at, tally.last_at)
        self.tallies[key] = Tally(*key, known.count + tally.count, first, last)
        return 0


@dataclass(slots=True)
class Collector:
    """Collects what ``matcher`` finds. ``counts`` holds the findings so far per fingerprint, over the whole scan."""

    matcher: Matcher
    encoding: str
    stored_chars: int
    per_fingerprint: int
    per_metric: int
    error_kinds: int
    now: datetime
    counts: Counter[str] = field(default_factory=Counter)
    masked: dict[str, str] = field(default_factory=dict)  # messages of unknown errors

    def take(self, record: RawRecord, clock: Clock, kept: Kept) -> int:
        """Add what ``record`` says to ``kept``; returns how many rows that will be: what is only counted is none."""
        text, within = decoded(record, self.encoding)
        matches = self.matcher.signatures(record.raw, text, within)
        samples = list(self.matcher.samples(record.raw, text, within))
        unknown = not matches and self.matcher.errors and is_error(text.opened)
        if not matches and not samples and not unknown:
            return 0
        seen_at = clock.time_of(text.shown, lambda: [head.decode(self.encoding, "replace") for head in record.before()])
        rows = self._unknown(record, text, seen_at or self.now, kept) if unknown else 0
        for match in matches:
            if match.signature.severity is Severity.INFO:
                rows += self._tally(match, seen_at or self.now, kept)
            else:
                self._finding(match, record, text, seen_at, kept)
                rows += 1
        for metric, subject, value in samples:
            cut = subject[:SUBJECT_CHARS] if subject else None
            rows += self._sample(Sample(metric, cut, value, seen_at, record.start), kept)
        return rows

    def _sample(self, sample: Sample, kept: Kept) -> int:
        kept.windows.add(sample.metric, sample.subject, sample.seen_at or self.now, sample.value)
        newest = kept.newest(sample.metric, sample.subject, self.per_metric)
        more = len(newest) < self.per_metric
        newest.append(sample)
        return int(more)

    def _unknown(self, record: RawRecord, text: RecordText, at: datetime, kept: Kept) -> int:
        key, message = kind_of(text, self.masked)
        known = kept.errors.get(key)
        if known is None:
            shown = stored_text(text.shown, min(self.stored_chars, _EXAMPLE_CHARS))
            if len(kept.errors) >= self.error_kinds:
                key, message, shown = fingerprint(UNKNOWN, "", MORE_KINDS), MORE_KINDS, ""
            known = kept.errors.get(key) or new_kind(key, message, text, shown, record.line, at)
        new = key not in kept.errors
        kept.errors[key] = seen_again(known, at)
        bucket = (UNKNOWN, key, at.replace(minute=0, second=0, microsecond=0))
        return int(new) + kept.count(Tally(*bucket, 1, at, at))

    def _tally(self, match: Match, at: datetime, kept: Kept) -> int:
        if match.signature.name == COMPLETED:
            kept.completed += 1
        subject = (match.subject or "")[:SUBJECT_CHARS]
        bucket = at.replace(second=0, microsecond=0)
        return kept.count(Tally(match.signature.name, subject, bucket, 1, at, at))

    def _finding(self, match: Match, record: RawRecord, text: RecordText, at: datetime | None, kept: Kept) -> None:
        name = match.signature.name
        if name == REUSE:
            kept.reused_at, kept.completed = record.start, 0
        key = fingerprint(name, text.unprefixed, match.reason or match.message)
        self.counts[key] += 1
        shown = self.counts[key] <= self.per_fingerprint
        kept.findings.append(
            Finding(
                signature=name,
                severity=match.signature.severity,
                start_offset=record.start,
                end_offset=record.end,
                line=record.line,
                seen_at=at,
                fingerprint=key,
                fingerprint_version=VERSION,
                reason=mask(match.reason[:_REASON_CHARS]) if match.reason else None,
                record=stored_text(text.shown, self.stored_chars) if shown else "",
                truncated=record.truncated,
                subject=match.subject[:SUBJECT_CHARS] if match.subject else None,
            )
        )


def decoded(record: RawRecord, encoding: str) -> tuple[RecordText, int | None]:
    """The record's text; where it was cut, also how much of ``searched`` is its own: the rest is the next record's."""
    text = RecordText(record.raw.decode(encoding, errors="replace"))
    if not record.truncated:
        return text, None
    return text, len(RecordText(record.raw[: record.own].decode(encoding, errors="replace")).searched)


def stored_text(text: str, limit: int) -> str:
    """``text`` with secrets masked, in at most about ``limit`` characters: beginning and end, the middle left out."""
    if len(text) <= limit + 2 * _MARGIN:
        masked = mask(text)
        return masked if len(masked) <= limit else _without_middle(masked, masked, len(masked), limit)
    half = limit // 2
    return _without_middle(mask(text[: half + _MARGIN]), mask(text[-half - _MARGIN :]), len(text), limit)


def _without_middle(beginning: str, end: str, length: int, limit: int) -> str:
    half = limit // 2
    return f"{beginning[:half]}\n… {length - 2 * half:,} characters left out …\n{end[-half:]}"
