"""What a scan hands over to be stored, and its lines for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from kronos_health.domain.logs import Generation, Sample, SampleWindow, ScanCounts, ScanResult, Tally
from kronos_health.logs import unknown
from kronos_health.logs.collecting import Kept
from kronos_health.logs.engines import note_on
from kronos_health.logs.places import Places
from kronos_health.logs.scan_state import Scan
from kronos_health.logs.windows import Windows

_TOLD = 5


def judge(scan: Scan, found: Places) -> None:
    """Lines for people about what could not be read, and what was read with reservations."""
    if not scan.candidates and not scan.problems:
        missing = f"no file matches {scan.path}" if found.several else f"{scan.live} does not exist"
        scan.problems.append(f"{missing}. Check the path, or wait until the program writes it.")
    elif not scan.known_before and not scan.changed and not scan.problems and not scan.notes:
        empty = f"every file that matches {scan.path}" if found.several else str(scan.live)
        scan.problems.append(f"{empty} is empty: nothing has been written to it yet.")
    slow = note_on(scan.logs.engine)
    if slow is not None:
        scan.notes.append(slow)
    counts = scan.counts
    if counts.undecodable:
        scan.notes.append(
            f"{_counted(counts.undecodable, 'byte is', 'bytes are')} not {scan.encoding} and replaced. "
            f"Set sources.{scan.name}.encoding to what the program writes."
        )
    if counts.truncated:
        scan.notes.append(
            f"{_counted(counts.truncated, 'record was', 'records were')} longer than logs.max_record_bytes or "
            "logs.max_record_lines and cut; the parts were read as records of their own."
        )


def _counted(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def result_of(scan: Scan, took: timedelta) -> ScanResult:
    """All that one transaction has to commit."""
    completed = 0
    for _, kept in scan.kept:
        completed = kept.completed if kept.reused_at is not None else completed + kept.completed
    return ScanResult(
        source=scan.name,
        started_at=scan.now,
        finished_at=scan.now + took,
        generations=tuple(new for new, _ in scan.changed),
        previous={old.id: old.version for _, old in scan.changed if old is not None},
        findings=tuple((identifier, finding) for identifier, kept in scan.kept for finding in kept.findings),
        samples=tuple((identifier, sample) for identifier, kept in scan.kept for sample in _newest(kept)),
        errors=unknown.merged(error for _, kept in scan.kept for error in kept.errors.values()),
        windows=_merged_windows(kept for _, kept in scan.kept),
        gaps=tuple(scan.gaps),
        counts=scan.counts,
        first_run=scan.first_run,
        problem=_told(scan.problems),
        tallies=_merged_tallies(kept for _, kept in scan.kept),
        known=tuple(item.id for item in scan.known_before),
        completed_since_reuse=completed,
        host=scan.host,
        notes=tuple(scan.notes),
    )


def _told(problems: list[str]) -> str | None:
    """The problems in one line; of a folder that went wrong as a whole, some will do."""
    more = len(problems) - _TOLD
    shown = [*problems[:_TOLD], *([f"And {more} more like this."] if more > 0 else [])]
    return " ".join(shown) or None


def _newest(kept: Kept) -> list[Sample]:
    """The samples that are kept one by one, in the order they stand in the file."""
    return sorted((item for part in kept.samples.values() for item in part), key=lambda item: item.start_offset)


def _merged_windows(kept: Iterable[Kept]) -> tuple[SampleWindow, ...]:
    merged = Windows()
    for item in kept:
        merged.merge(item.windows)
    return merged.frozen()


def _merged_tallies(kept: Iterable[Kept]) -> tuple[Tally, ...]:
    merged: dict[tuple[str, str, datetime], Tally] = {}
    for item in kept:
        for key, tally in item.tallies.items():
            other = merged.get(key, tally)
            count = tally.count + (other.count if key in merged else 0)
            merged[key] = Tally(*key, count, min(tally.first_at, other.first_at), max(tally.last_at, other.last_at))
    return tuple(merged.values())


def result_of_problem(name: str, known: tuple[Generation, ...], now: datetime, host: str, problem: str) -> ScanResult:
    """The result of a scan that could not begin: nothing of it is stored but the reason."""
    return ScanResult(
        name, now, now, (), {}, (), (), (), ScanCounts(), first_run=not known, problem=problem,
        known=tuple(item.id for item in known), host=host,
    )  # fmt: skip
