"""Anything at all may stand in a log: nothing crashes, hangs or grows with it, and what is found is where it says."""

from __future__ import annotations

import os
import random
import resource
import time
from datetime import UTC, datetime

import pytest

from kronos_health.logs.bulk import BulkReader, Plain
from kronos_health.logs.catalogue import built_in
from kronos_health.logs.collecting import decoded
from kronos_health.logs.matcher import Matcher
from kronos_health.logs.reading import Budget, Progress, RawRecord, Reading
from kronos_health.logs.records import Caps, split
from kronos_health.logs.times import Clock
from tests.logs.support import NOW, line, reuse

MATCHER = Matcher(built_in(), errors=True)
CLOCK = Clock(UTC, datetime(2025, 10, 30, 12, tzinfo=UTC), NOW)
SMALL = Caps(bytes=2048, lines=12)
# What the code looks at: the mutator puts these together, cuts them, and strews bytes over them.
SEEDS = (
    line("Kronos prediction completed for ETHUSD in 4012.3 ms").encode(), reuse("one").encode(), b"\n", b"\r\n",
    line("ETHUSD MaxDiff 0.1043 Sharpe 18.24", "ERROR").encode(), b"Traceback (most recent call last):\n", b"\xff\xfe",
    b"W1030 09:08:09.060000 7 torch/x.py:3] [0/1] torch._dynamo hit config.recompile_limit (8)\n",
    b"\0" * 9, b"  + Exception Group",
    b"E1030 09:08:09.060000 x failed\n", b'{"level": "error", "ts": 1761815289.5, "msg": "CUDA out of memory."}\n',
    b"\x1b[31m", b"2025-10-30 09:08",
    b"skipping cudagraphs due to skipping cudagraphs due to mutated inputs (2 instances)\n", b"[rank0]: ",
    b"During handling of the above exception, another exception occurred:\n", b"    ~~~^^^\n", b"RuntimeError: ",
    b"\x1b]0;",
    "Vorhersage für Kronos\n".encode(), b"x" * 500, b" " * 300, b"9" * 120, b"\\n" * 40, b'"' * 60, b"Kronos " * 30,
)  # fmt: skip


class Memory:
    """The content of a file that is not one."""

    compression, damage = None, None

    def __init__(self, data: bytes) -> None:
        self.data, self.known_size = data, len(data)

    def read(self, offset: int, length: int) -> memoryview:
        return memoryview(self.data)[offset : offset + length]


def mutated(chance: random.Random) -> bytes:
    data = bytearray(b"".join(chance.choices(SEEDS, k=chance.randrange(1, 7))))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            data[at:at] = chance.randbytes(chance.randrange(1, 5))
        elif kind == 1:
            del data[at : at + chance.randrange(1, 40)]
        elif kind == 2:
            data[at:at] = chance.choice(SEEDS)[: chance.randrange(1, 30)]
        elif at < len(data):
            data[at] ^= 1 << chance.randrange(8)
    return bytes(data)


def check_records(data: bytes) -> None:
    """Records are whole, in order, and nothing is left out or read twice; every hit lies in one."""
    for final in (True, False):
        pieces = split(data, final=final, caps=SMALL)
        starts, ends = pieces.starts.tolist(), pieces.ends.tolist()
        assert starts[:1] in ([], [0])
        assert ends[:-1] == starts[1:]
        assert (ends[-1] if ends else 0) == pieces.consumed <= len(data)
        assert all(end - start <= SMALL.bytes for start, end in zip(starts, ends, strict=True))
    hits = MATCHER.hits(memoryview(data)).tolist()
    assert hits == sorted(set(hits))
    assert all(0 <= hit < len(data) for hit in hits)


def check_reading(data: bytes) -> None:
    """Reader and matcher together: every record lies in the file, and what it says can be told."""
    taken: list[RawRecord] = []

    def take(record: RawRecord) -> int:
        taken.append(record)
        text, within = decoded(record, "utf-8")
        for match in MATCHER.signatures(record.raw, text, within):
            assert match.message
        for _metric, _symbol, value in MATCHER.samples(record.raw, text, within):
            assert abs(value) < 1e200
        CLOCK.time_of(text.shown, lambda: [head.decode("utf-8", "replace") for head in record.before()])
        return 1

    def store(numbers: Plain, tallies: Plain) -> int:
        assert len(numbers.values) == len(numbers.times) == len(numbers.offsets)
        assert all(0 <= offset < len(data) for offset in (*numbers.offsets.tolist(), *tallies.offsets.tolist()))
        return 0

    progress = Progress(0, 0)
    bulk = BulkReader(MATCHER, CLOCK, store)
    reading = Reading(Memory(data), MATCHER, SMALL, "utf-8", take, lambda: True, False, False, bulk)
    reading.run(progress, Budget(1 << 40, float("inf"), 1 << 40, time.monotonic))
    assert progress.offset == progress.bytes == len(data)
    assert all(data[record.start : record.end] == record.raw[: record.own] for record in taken)
    assert [record.start for record in taken] == sorted({record.start for record in taken})


def fuzz(seed: int, inputs: int, every: int) -> float:
    """Checks ``inputs`` of them, ``every`` so many with the whole reader; returns inputs a second."""
    chance, begun = random.Random(seed), time.perf_counter()
    for number in range(inputs):
        data = mutated(chance)
        started = time.process_time()
        try:
            check_records(data)
            if number % every == 0:
                check_reading(data)
        except Exception as error:
            error.add_note(f"input {number} of seed {seed}: {data!r}")
            raise
        assert time.process_time() - started < 5, f"input {number} of seed {seed} took too long: {data!r}"
    return inputs / (time.perf_counter() - begun)


def it_survives_thousands_of_inputs() -> None:
    fuzz(seed=20251030, inputs=3000, every=4)


@pytest.mark.slow
def it_survives_a_million_inputs_in_bounded_memory() -> None:
    seed = int(os.environ.get("FUZZ_SEED", "1"))
    fuzz(seed, 5000, 10)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rate = fuzz(seed + 1, 1_000_000, 10)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"1,000,000 inputs, every tenth through the whole reader: {rate:,.0f} a second, {grown:.0f} MB more memory")
    assert grown < 100
