"""A program that writes, a rotation that does as it likes, and scans at any moment.

Whatever the order: an event is stored at most once and whole; every event whose bytes are still in some file is stored
in the end; and every event that is not stored stood in a range that is recorded as a gap. Four things nobody can see
are left out: a file that came and went between two scans while files around it stayed, a file that vanished when
nothing but the header that all files share was read of it, a program that stops in the middle of a record for longer
than the log counts as quiet, and halves of a record in two files.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kronos_health.domain.logs import Gap, Generation
from kronos_health.logs.generation import sha256
from kronos_health.logs.text import RecordText
from tests.logs.support import THEN, Watched, line, reuse

HEADER = "# trade_stock_e2e log, format 3\n" * 40
KEEP = 3


def at(number: int) -> datetime:
    """When the program wrote its event ``number``."""
    return THEN + timedelta(seconds=11 * number)


def event(number: int) -> str:
    return reuse(str(number), at(number))


@dataclass
class Written:
    """What was written into one file, through all its names: the content it has, or had when it vanished."""

    content: bytearray = field(default_factory=bytearray)
    events: dict[str, int] = field(default_factory=dict)  # name and where it begins
    seen: bool = False  # an event of it was stored: it can be told from every other file
    gone: bool = False
    watched: bool = True  # there had been a scan before it vanished


class Rotation(RuleBasedStateMachine):
    """The program has ``handle`` open on ``current``; ``files`` are the names there are, the live one's is empty."""

    @initialize(header=st.booleans(), stale=st.booleans(), dated=st.booleans())
    def begin(self, header: bool, stale: bool, dated: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rotation-"))
        self.watched = Watched(self.folder)
        self.header, self.stale, self.dated = header, stale, dated
        self.files: dict[str, Written] = {}
        self.all: list[Written] = []
        self.number = self.rotations = 0
        self.pending = b""
        self.handle: BinaryIO | None = None
        self.open()

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        try:
            self.check_in_the_end()
        finally:
            if self.handle:
                self.handle.close()
            shutil.rmtree(self.folder)

    # --- the program ------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the live file, as programs do at start and after a rotation."""
        if self.handle:
            self.handle.close()
        fresh = not self.watched.path.exists()
        # One that appends finds the end again after a truncation; the other writes on at its old position.
        mode = "ab" if not self.stale else "wb" if fresh else "r+b"
        self.handle = self.watched.path.open(mode, buffering=0)
        self.handle.seek(0, os.SEEK_END)
        if fresh:
            self.current = self.files[""] = Written()
            self.all.append(self.current)
            if self.header:
                self.put(HEADER.encode())
        else:
            self.current = self.files[""]

    def put(self, data: bytes) -> None:
        assert self.handle is not None
        position = self.handle.tell() if self.stale else len(self.current.content)
        self.current.content.extend(b"\0" * (position - len(self.current.content)))
        self.current.content.extend(data)
        self.handle.write(data)

    @rule(count=st.integers(1, 3), noise=st.integers(0, 2))
    def write(self, count: int, noise: int) -> None:
        self.finish()
        for _ in range(count):
            self.put((self.event() + line("all is well", at=at(self.number)) * noise).encode())

    def event(self) -> str:
        self.number += 1
        assert self.handle is not None
        where = self.handle.tell() if self.stale else len(self.current.content)
        self.current.events[str(self.number)] = where
        return event(self.number)

    @rule(share=st.floats(0, 1))
    def write_half(self, share: float) -> None:
        self.finish()
        whole = self.event().encode()
        cut = int(len(whole) * share)
        self.put(whole[:cut])
        self.pending = whole[cut:]

    @rule()
    def finish(self) -> None:
        if self.pending:
            self.put(self.pending)
            self.pending = b""

    @precondition(lambda self: self.current is not self.files.get(""))
    @rule()
    def reopen(self) -> None:
        self.finish()
        self.open()

    # --- the rotation -----------------------------------------------------------------------------------------------

    def shift(self) -> str:
        """Make room for the newest rotated file: numbers go up, and what is too old is removed."""
        self.rotations += 1
        if self.dated:
            while len(self.rotated()) >= KEEP:
                self.remove(min(self.rotated()))
            return f"-{20251030 + self.rotations}"
        for number in range(KEEP, 0, -1):
            for name in [name for name in self.rotated() if name.split(".")[1] == str(number)]:
                if number == KEEP:
                    self.remove(name)
                else:
                    self.rename(name, name.replace(f".{number}", f".{number + 1}", 1))
        return ".1"

    def rotated(self) -> list[str]:
        return [name for name in self.files if name]

    def path(self, name: str) -> Path:
        return self.folder / f"trade.log{name}"

    def rename(self, old: str, new: str) -> None:
        self.path(old).rename(self.path(new))
        self.files[new] = self.files.pop(old)

    def remove(self, name: str) -> None:
        self.path(name).unlink()
        written = self.files.pop(name)
        written.gone, written.watched = True, bool(self.watched.memory.generations)

    @precondition(lambda self: "" in self.files)
    @rule(reopens=st.booleans())
    def rotate_by_renaming(self, reopens: bool) -> None:
        """The program may take a while to notice; until then it writes on into the renamed file."""
        self.rename("", self.shift())
        if reopens:
            self.finish()
            self.open()

    @precondition(lambda self: self.files.get("") is self.current)
    @rule(scans_between=st.booleans())
    def rotate_by_copying(self, scans_between: bool) -> None:
        self.finish()
        name = self.shift()
        shutil.copyfile(self.path(""), self.path(name))
        if scans_between:
            self.scan()
        self.files[name] = self.current
        self.truncate_live()

    def truncate_live(self) -> None:
        os.truncate(self.path(""), 0)
        self.current = self.files[""] = Written()
        self.all.append(self.current)

    @precondition(lambda self: self.files.get("") is self.current and self.current.seen)
    @rule(whole=st.booleans())
    def lose_the_live_file(self, whole: bool) -> None:
        """Truncated without a copy, or deleted and made again: what was not read is lost."""
        self.finish()
        self.current.gone = True
        if whole:
            self.path("").unlink()
            del self.files[""]
            self.open()
        else:
            self.truncate_live()

    @precondition(lambda self: any(not name.endswith(("gz", "zst")) for name in self.rotated()))
    @rule(data=st.data(), keeps=st.booleans())
    def compress(self, data: st.DataObject, keeps: bool) -> None:
        plain = sorted(name for name in self.rotated() if not name.endswith(("gz", "zst")))
        name = data.draw(st.sampled_from(plain))
        if self.files[name] is self.current:
            return  # still written to: a rotation with delaycompress
        suffix = data.draw(st.sampled_from([".gz", ".zst"]))
        content, target = self.path(name).read_bytes(), self.path(name + suffix)
        packed = gzip.compress(content) if suffix == ".gz" else zstandard.ZstdCompressor().compress(content)
        if keeps:  # a scan in the middle of it sees both, the new one broken off
            target.write_bytes(packed[: len(packed) // 2])
            self.scan()
        target.write_bytes(packed)
        self.path(name).unlink()
        self.files[name + suffix] = self.files.pop(name)

    # --- the scans --------------------------------------------------------------------------------------------------

    @rule()
    def scan(self) -> None:
        if self.pending:
            self.watched.busy_scan()
        else:
            self.watched.scan()
        self.mark_seen()

    @rule()
    def scan_while_busy(self) -> None:
        self.watched.busy_scan()
        self.mark_seen()

    @rule(events=st.integers(1, 3))
    def scan_on_a_budget(self, events: int) -> None:
        normal = self.watched.logs
        self.watched.logs = normal.model_copy(update={"max_bytes": 1, "max_events": events})
        self.scan()
        self.watched.logs = normal

    def mark_seen(self) -> None:
        found = set(self.watched.found())
        for written in self.files.values():
            written.seen = written.seen or not found.isdisjoint(written.events)

    # --- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def stores_no_event_twice_and_each_one_whole(self) -> None:
        if not hasattr(self, "watched"):
            return
        found = self.watched.found()
        assert len(set(found)) == len(found)
        for _, finding in self.watched.memory.findings:
            name = finding.record.split("\n", 1)[0].rsplit(" ", 1)[-1]
            assert finding.record == RecordText(event(int(name))).shown

    def check_in_the_end(self) -> None:
        self.finish()
        self.watched.scan()
        self.watched.scan()
        stored = set(self.watched.found())
        lost = [(item, name, at) for item in self.all for name, at in item.events.items() if name not in stored]
        for written, name, start in lost:
            assert written.gone, f"event {name} is in a file and was not found"
            if written.watched and (written.seen or not self.header):
                assert any(self.covers(gap, written, start) for gap in self.watched.memory.gaps), name

    def covers(self, gap: Gap, written: Written, start: int) -> bool:
        """Whether ``gap`` says that the event that begins at ``start`` may be lost."""
        generation = self.watched.memory.generations[gap.generation]
        ends = gap.end_offset is None or gap.end_offset > start
        if written.seen:
            return ends and self.is_of(generation, written)
        # No scan knew it, and the file before it vanished with it, its end unknown; or one knew it and read nothing.
        return gap.end_offset is None or (
            ends and [item for item in self.all if self.is_of(generation, item)] == [written]
        )

    @staticmethod
    def is_of(generation: Generation, written: Written) -> bool:
        content = bytes(written.content)
        tail = content[generation.offset - generation.tail_length : generation.offset]
        return (
            sha256(content[: generation.head_length]) == generation.head_sha256
            and sha256(tail) == generation.tail_sha256
        )


class Counted(Rotation):
    """Counts its steps, over all examples."""

    steps = 0

    def check_invariants(self, *arguments: object, **options: object) -> None:
        Counted.steps += 1
        super().check_invariants(*arguments, **options)


MACHINE = settings(
    max_examples=100, stateful_step_count=40, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)  # fmt: skip


def run_until(steps: int) -> None:
    """Run the machine until it has taken so many steps."""
    Counted.steps = 0
    while Counted.steps < steps:
        run_state_machine_as_test(Counted, settings=MACHINE)


@pytest.mark.timeout(900)
def it_loses_doubles_and_tears_nothing_in_ten_thousand_steps() -> None:
    run_until(10_000)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def it_loses_doubles_and_tears_nothing_in_a_hundred_thousand_steps() -> None:
    run_until(100_000)
