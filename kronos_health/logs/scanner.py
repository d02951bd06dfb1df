"""Scans one log from where the last scan stopped, through all its rotations. Reads files, stores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uuid6

from kronos_health.domain.logs import Gap, Generation, ScanCounts, ScanResult
from kronos_health.logs.bulk import BulkReader
from kronos_health.logs.catalogue import Catalogue
from kronos_health.logs.collecting import Collector, Kept
from kronos_health.logs.content import Content
from kronos_health.logs.errors import LogProblem, NoLog
from kronos_health.logs.generation import (
    Assignment,
    assign,
    fits,
    hint_of,
    new_generation,
    proves,
    seen_in,
    sha256,
)
from kronos_health.logs.journald import JournalText, check_journal, is_enveloped
from kronos_health.logs.keeping import BulkKeeper
from kronos_health.logs.looking import Look, looked
from kronos_health.logs.matcher import Matcher
from kronos_health.logs.naming import is_sibling
from kronos_health.logs.objects import OpenStorage, StoredLogs, fsspec_filesystem, is_address
from kronos_health.logs.opening import OpenLog, check_encoding, check_text
from kronos_health.logs.places import Log, Places, belongings, places
from kronos_health.logs.reading import Budget, Progress, Reading
from kronos_health.logs.records import Caps
from kronos_health.logs.scan_result import judge, result_of, result_of_problem
from kronos_health.logs.scan_state import Clocks, Scan
from kronos_health.logs.times import Clock, zone_named
from kronos_health.settings.models import Logs, Source

# A file changed so lately may change again within the same tick of its clock: its looks prove nothing yet.
_RACY_SECONDS = 2.0
_TORN_SECONDS = 60.0  # a program that writes half a line and nothing more for as long has stopped
_UNKNOWN_SIZE = 1 << 62
# A finished generation is remembered while its file is seen, and that is written down this often.
_REMEMBER = timedelta(days=1)


def scan_source(
    name: str,
    source: Source,
    logs: Logs,
    catalogue: Catalogue,
    known: Sequence[Generation],
    now: datetime,
    *,
    host: str = "",
    clocks: Clocks | None = None,
    open_storage: OpenStorage = fsspec_filesystem,
) -> ScanResult:
    """Read what is new in the logs of ``source`` called ``name``, given its ``known`` generations.

    Nothing is stored: the result holds all that one transaction has to commit. A log that cannot be read gives a result
    with ``problem``; whatever could be read beside it is in the result all the same. ``now`` is aware UTC.
    ``open_storage`` gives the file system of an address.
    """
    clocks = clocks or Clocks()
    started = clocks.monotonic()
    try:
        scan = _begin(name, source, logs, catalogue, tuple(known), now, host, clocks)
    except LogProblem as problem:
        return result_of_problem(name, tuple(known), now, host, f"sources.{name}: {problem}")
    try:
        stored = StoredLogs(source, scan.known_before, open_storage) if is_address(source.path) else None
        found = stored.places if stored else places(source.path, scan.known_before)
    except LogProblem as problem:
        stored, found = None, Places((), True, str(problem))
    scan.problems += [found.problem] if found.problem else []
    for log, own in belongings(found, scan.known_before):
        looking = stored.looked(log, own) if stored else looked(log, own, scan.host)
        _scan_log(scan, log, own, looking, found.several)
    judge(scan, found)
    return result_of(scan, timedelta(seconds=clocks.monotonic() - started))


def _scan_log(
    scan: Scan, log: Log, known: tuple[Generation, ...], looking: AbstractContextManager[Look], several: bool
) -> None:
    """Read what is new in one log of the source; one whose storage fails meanwhile is left to the next scan."""
    scan.live, scan.live_path, scan.known = log.live, log.address or str(log.live), known
    with looking as look:
        scan.candidates += look.candidates
        scan.problems += look.problems
        try:
            assignments = _assignments(scan, look)
            for assignment in assignments:
                _read(scan, assignment, several)
            _note_vanished(scan, look, assignments)
        except LogProblem as problem:
            scan.problems.append(str(problem))


def _begin(
    name: str,
    source: Source,
    logs: Logs,
    catalogue: Catalogue,
    known: tuple[Generation, ...],
    now: datetime,
    host: str,
    clocks: Clocks,
) -> Scan:
    check_encoding(source.encoding)
    zone = zone_named(source.timezone)
    matcher = Matcher(catalogue, source.encoding, errors=True, wanted=logs.engine)
    return Scan(
        name=name,
        path=source.path,
        live=Path(source.path).absolute(),
        logs=logs,
        known=(),
        known_before=known,
        now=now,
        host=host,
        clocks=clocks,
        encoding=source.encoding,
        journal=source.format == "journald",
        collector=Collector(
            matcher,
            source.encoding,
            logs.stored_record_chars,
            logs.findings_per_fingerprint,
            logs.samples_per_metric,
            logs.error_kinds,
            now,
        ),
        budget=Budget(logs.max_bytes, clocks.monotonic() + logs.max_seconds, logs.max_events, clocks.monotonic),
        clock_of=lambda log: Clock(zone, datetime.fromtimestamp(log.modified_ns / 1e9, UTC), now),
        first_run=not known or any(not item.finished and item.offset < item.history_until for item in known),
    )


def _assignments(scan: Scan, look: Look) -> list[Assignment]:
    """Which generation each file is, oldest file first; copies of files that were not opened are left out."""
    unchanged = {item.id for item in look.unchanged}
    found = assign(look.logs, [item for item in scan.known if item.id not in unchanged])
    kept = [
        item
        for item in found
        if item.generation is not None
        or item.log.live
        or not any(fits(generation, item.log) for generation in look.unchanged)
    ]
    return sorted(kept, key=lambda item: (item.log.live, item.log.modified_ns, str(item.log.path)))


def _read(scan: Scan, assignment: Assignment, several: bool) -> None:
    """Read one file on and gather what it says; a file that changed under the reading is left to the next scan."""
    log, old = assignment.log, assignment.generation
    if old is None:
        try:
            (check_journal if scan.journal else check_text)(log)
        except LogProblem as problem:
            (scan.notes if several and isinstance(problem, NoLog) else scan.problems).append(str(problem))
            return
    generation = old or new_generation(str(uuid6.uuid7()), scan.name, log, scan.now)
    progress = Progress(generation.offset, generation.line, _tail_of(generation, log))
    whole = log.live and (log.grows or _age(scan, log) < _TORN_SECONDS)
    journal = (
        JournalText(log.content, progress.tail, whole_entries=whole) if scan.journal or is_enveloped(log) else None
    )
    kept = Kept()
    if scan.budget.spent() and scan.counts.bytes:
        progress.stopped = True
    else:
        keeper = BulkKeeper(kept, scan.logs.samples_per_metric)
        _reading(scan, log, journal or log.content, kept, keeper, whole).run(progress, scan.budget)
        scan.budget.events -= keeper.close()
    if journal:
        progress.tail = journal.before(progress.offset, len(progress.tail))
    if not proves(log, log.head, progress.tail, progress.offset):
        scan.notes.append(f"{log.path} was truncated or replaced while it was read; the next scan reads it again.")
        return
    if log.content.damage and log.unchanged() and _age(scan, log) >= scan.logs.idle_seconds:
        scan.problems.append(f"{log.path} cannot be read to its end: {log.content.damage}.")
    _keep(scan, log, generation, old, progress, kept)


def _tail_of(generation: Generation, log: OpenLog) -> bytes:
    return bytes(log.content.read(generation.offset - generation.tail_length, generation.tail_length))


def _reading(scan: Scan, log: OpenLog, content: Content, kept: Kept, keeper: BulkKeeper, whole_lines: bool) -> Reading:
    clock = scan.clock_of(log)
    return Reading(
        content=content,
        matcher=scan.collector.matcher,
        caps=Caps(scan.logs.max_record_bytes, scan.logs.max_record_lines),
        encoding=scan.encoding,
        take=lambda record: scan.collector.take(record, clock, kept),
        closes=lambda: _is_quiet(scan, log),
        whole_lines=whole_lines,
        counts_records=False,
        bulk=BulkReader(scan.collector.matcher, clock, keeper.add),
    )


def _age(scan: Scan, log: OpenLog) -> float:
    return scan.clocks.wall() - log.modified_ns / 1e9


def _is_quiet(scan: Scan, log: OpenLog) -> bool:
    """Whether the file has ended, for now: nothing was written for a moment, which is waited for if need be."""
    if log.content.damage or not log.unchanged():
        return False
    missing = scan.logs.idle_seconds - _age(scan, log)
    if missing <= 0:
        return True
    scan.clocks.sleep(min(missing, scan.logs.idle_seconds))
    return log.unchanged()


def _keep(
    scan: Scan, log: OpenLog, generation: Generation, old: Generation | None, progress: Progress, kept: Kept
) -> None:
    size = log.content.known_size
    unread = (log.size if size is None else size) - progress.offset
    racy = _age(scan, log) < _RACY_SECONDS
    torn = unread > 0 and not progress.stopped
    if torn and log.live and _age(scan, log) >= _TORN_SECONDS:
        scan.notes.append(
            f"the last {unread:,} bytes of {log.path} are a record in mid-line; it is read when the line ends."
        )
    new = replace(
        seen_in(generation, log),
        offset=progress.offset,
        line=progress.line,
        tail_sha256=sha256(progress.tail),
        tail_length=len(progress.tail),
        size_seen=size if size is not None else max(progress.offset, generation.size_seen),
        finished=progress.ended and not (log.live and log.grows),
        hint=None if racy or torn else log.mark or hint_of(scan.host, log.device, log.inode, log.size, log.modified_ns),
        live_path=scan.live_path,
        history_until=(_UNKNOWN_SIZE if size is None else size) if scan.first_run and progress.stopped else 0,
    )
    if old is None or new != old or scan.now - old.last_seen_at > _REMEMBER:
        version = 0 if old is None else old.version + 1
        scan.changed.append((replace(new, version=version, last_seen_at=scan.now), old))
        scan.kept.append((new.id, kept))
    counts = scan.counts
    scan.counts = ScanCounts(
        bytes=counts.bytes + progress.bytes,
        lines=counts.lines + progress.lines,
        records=counts.records + progress.records,
        undecodable=counts.undecodable + progress.undecodable,
        truncated=counts.truncated + progress.truncated,
        lag_bytes=counts.lag_bytes + (max(unread, 1) if progress.stopped else 0),
        open_bytes=counts.open_bytes + (unread if torn and log.live else 0),
    )


def _note_vanished(scan: Scan, look: Look, assignments: Sequence[Assignment]) -> None:
    """Known generations that no file holds any more: what was not read of them is a gap."""
    if not look.certain:
        return
    for item in look.unchanged:
        if scan.now - item.last_seen_at > _REMEMBER:
            scan.changed.append((replace(item, version=item.version + 1, last_seen_at=scan.now), item))
    present = {item.id for item in look.unchanged} | {item.generation.id for item in assignments if item.generation}
    written = _last_written(scan.known)
    # With what was written last gone and files there all the same, others may have come and gone in between.
    broken = written.isdisjoint(present) and look.candidates > 0
    for generation in scan.known:
        last = broken and generation.id in written
        if generation.id in present or (generation.finished and not last):
            continue
        gap = None if _is_contained(generation, look) else _gap_of(scan, generation, last)
        if gap is not None:
            scan.gaps.append(gap)
        _mark_gone(scan, generation, told=last and gap is not None)


def _mark_gone(scan: Scan, generation: Generation, told: bool) -> None:
    """Keep that no file holds ``generation``, and whether people were told what may have been lost behind it."""
    gone = replace(
        generation,
        finished=True,
        hint=None,
        gone_at=scan.now if told else generation.gone_at,
        version=generation.version + 1,
    )
    if replace(gone, version=generation.version) != generation:
        scan.changed.append((gone, generation))


def _last_written(known: Sequence[Generation]) -> frozenset[str]:
    """The generations that the program may have gone on writing after the last scan.

    The unfinished ones; without any, the program had not noticed a rotation and wrote on into one of the renamed files.
    Which one, neither ids nor names tell: a file that begins with all of an older one takes over its generation. Those
    that are gone with their gap told are none.
    """
    unfinished = frozenset(item.id for item in known if not item.finished)
    seen_at = max((item.last_seen_at for item in known), default=None)
    if unfinished or seen_at is None:
        return unfinished
    return frozenset(item.id for item in known if item.gone_at is None and item.last_seen_at >= seen_at - _REMEMBER)


def _is_contained(generation: Generation, look: Look) -> bool:
    """Whether all that was ever seen of it stands in another file, too: the first bytes of a line, a header."""
    seen = generation.size_seen <= max(generation.offset, generation.head_length)
    return seen and any(fits(generation, log) for log in look.logs)


def _gap_of(scan: Scan, generation: Generation, last: bool) -> Gap | None:
    """What is lost of a vanished generation; ``last``: perhaps also what came after it. ``None``: nothing."""
    rotated = is_sibling(scan.live.name, Path(generation.path).name) and not last
    if rotated and generation.size_seen <= generation.offset:
        return None
    end = generation.size_seen if rotated else None
    return Gap(generation.id, generation.offset, end, _loss(generation, rotated))


def _loss(generation: Generation, rotated: bool) -> str:
    if rotated:
        return f"{generation.path} was removed before it was read to its end."
    return (
        f"{generation.path} was removed, replaced or truncated, and no rotated file continues it: "
        f"what was written after {generation.last_seen_at:%Y-%m-%d %H:%M:%S} UTC may be lost."
    )
