"""What journalctl exports is read like the log it was made from, with time, host and unit, at the export's own offsets.

``journal/systemd-252.*`` is what ``journalctl`` of systemd 252 wrote of a journal that a program's standard error and
systemd's native protocol had filled.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_health.logs.journald import JournalText
from tests.logs.support import Watched, line, reuse

REAL = Path(__file__).parent / "journal"
FORMATS = ("export", "json")


def entry(message: str | bytes, number: int = 0, form: str = "export", **fields: str) -> bytes:
    """One entry, with the fields that journald itself writes."""
    raw = message.encode() if isinstance(message, str) else message
    values: dict[str, str] = {
        "__CURSOR": f"s=f85b14d6e3e74944b439cea5ef370af7;i={number:x}",
        "__REALTIME_TIMESTAMP": str(1_761_815_289_000_000 + number),
        "_BOOT_ID": "443f758957044a97b661a6282277d4a9",
        "_HOSTNAME": "trader",
        "_SYSTEMD_UNIT": "trading.service",
        "_PID": "7",
        "_TRANSPORT": "stdout",
        "_STREAM_ID": "cac2d48a82c041c28dfe0ca65816caa2",
        **fields,
    }
    if form == "json":
        try:
            shown: object = raw.decode()
        except UnicodeDecodeError:
            shown = list(raw)
        return json.dumps({**values, "MESSAGE": shown}).encode() + b"\n"
    text = b"".join(f"{name}={value}\n".encode() for name, value in values.items())
    if any(byte < 32 and byte != 9 for byte in raw):
        return text + b"MESSAGE\n" + len(raw).to_bytes(8, "little") + raw + b"\n\n"
    return text + b"MESSAGE=" + raw + b"\n\n"


def by_line(text: str, form: str = "export", start: int = 0) -> bytes:
    """What journald stores of a program's standard output: one entry per line."""
    return b"".join(entry(one, start + number, form) for number, one in enumerate(text.splitlines()))


class Raw:
    """Bytes as the content of a file."""

    compression = damage = None

    def __init__(self, data: bytes) -> None:
        self.data, self.known_size = data, len(data)

    def read(self, offset: int, length: int) -> memoryview:
        return memoryview(self.data[offset : offset + length])


def text_of(data: bytes) -> bytes:
    return bytes(JournalText(Raw(data), b"", whole_entries=True).read(0, len(data) + 1))


@pytest.fixture
def journal(watched: Watched) -> Watched:
    watched.source = watched.source.model_copy(update={"format": "journald"})
    return watched


@pytest.mark.parametrize("form", FORMATS)
def it_reads_what_journalctl_really_writes(journal: Watched, form: str) -> None:
    journal.write((REAL / f"systemd-252.{form}").read_bytes())
    result = journal.scan()
    assert result.problem is None
    assert sorted(item.signature for _, item in result.findings) == ["graph_reuse", "graph_reuse", "recompile_limit"]
    first = result.findings[0][1]
    assert first.seen_at == datetime(2026, 11, 25, 12, 34, 38, 334488, tzinfo=UTC)
    assert first.record.startswith("2026-11-25T12:34:38.334488Z vm trading.service[7955]: 2025-10-30 09:08:09 UTC | ")
    assert first.record.count("\n") == 8
    assert first.record.endswith("before each model invocation.")


def it_shows_both_formats_alike_with_binary_messages_and_several_lines() -> None:
    shown = {form: text_of((REAL / f"systemd-252.{form}").read_bytes()).replace(b"\0", b"") for form in FORMATS}
    assert shown["export"] == shown["json"]
    assert b"vm trading.service[7955]: RuntimeError in two lines\nline 2: \xff bin\n" in shown["export"]


@pytest.mark.parametrize("form", FORMATS)
def it_keeps_the_offsets_of_the_export_and_reads_on_in_it(journal: Watched, form: str) -> None:
    before, event = by_line(line("fine"), form), by_line(reuse("one"), form, 10)
    journal.write(before + event)
    ((_, finding),) = journal.scan().findings
    assert (finding.start_offset, finding.end_offset) == (len(before), len(before + event))
    journal.write(by_line(reuse("two"), form, 40))
    result = journal.scan()
    assert result.counts.bytes == len(by_line(reuse("two"), form, 40))
    assert journal.found() == ["one", "two"]
    assert journal.memory.gaps == []


@pytest.mark.parametrize("form", FORMATS)
def it_waits_for_the_rest_of_a_torn_entry(journal: Watched, form: str) -> None:
    data = entry(f"{line('broke', 'ERROR')}RuntimeError: {reuse('one')}\xfftail".encode("latin-1"), form=form)
    for cut in range(0, len(data), 97):
        journal.write(data[cut : cut + 97])
        journal.scan()
        assert len(journal.found()) == (1 if cut + 97 >= len(data) else 0)


def it_follows_an_export_through_its_rotation(journal: Watched) -> None:
    journal.write(by_line(reuse("one")))
    journal.scan()
    journal.write(by_line(reuse("two"), start=20))
    journal.rename()
    journal.write(by_line(reuse("three"), start=40))
    journal.scan()
    assert sorted(journal.found()) == ["one", "three", "two"]
    assert journal.memory.gaps == []


def it_takes_an_entry_of_several_lines_for_one_record_whatever_its_lines_look_like(journal: Watched) -> None:
    journal.write(entry(reuse("one") + line("part of the same entry"), _TRANSPORT="journal", PRIORITY="3"))
    result = journal.scan()
    assert result.counts.records == 1
    assert journal.found() == ["one"]


def it_tells_streams_apart(journal: Watched) -> None:
    journal.write(entry("Traceback (most recent call last):"))
    journal.write(entry("listening", _PID="8", _STREAM_ID="another", _SYSTEMD_UNIT="web.service"))
    journal.write(entry(f"RuntimeError: {reuse('x').split('RuntimeError: ')[1].splitlines()[0]}"))
    result = journal.scan()
    assert [item.record.split(": ")[0] for _, item in result.findings] == [
        "2025-10-30T09:08:09.000000Z trader trading.service[7]"
    ]


def it_reads_the_entries_around_one_that_is_larger_than_a_block(journal: Watched) -> None:
    big = entry(b"core\n" + bytes(range(256)) * 50_000, 30)
    journal.write(by_line(reuse("one")) + big + by_line(reuse("two"), start=40))
    journal.scan()
    assert journal.found() == ["one", "two"]


def it_says_that_a_file_is_no_export(journal: Watched) -> None:
    journal.write(reuse("one"))
    assert str(journal.scan().problem).endswith(
        "trade.log is no export of the journal. Write it with journalctl -o export or -o json, or remove format from "
        "its source."
    )


MESSAGES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [line("fine"), reuse("one"), "Traceback (most recent call last):", "  frame", "KeyError: 'x'", "", "\n\nA=b\n"]
    ).map(str.encode),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(MESSAGES, st.sampled_from(FORMATS), st.sampled_from("abc")), max_size=8), st.data())
def it_gives_every_entry_as_many_bytes_as_it_has_wherever_reading_begins(
    parts: list[tuple[bytes, str, str]], data: st.DataObject
) -> None:
    entries = [entry(message, form=form, _STREAM_ID=stream * 32) for message, form, stream in parts]
    whole = b"".join(entries)
    text = text_of(whole)
    assert len(text) == len(whole)
    cut = data.draw(st.integers(0, len(whole)))
    read = text_of(whole[:cut])
    assert read == b"" or whole[: len(read)].endswith(b"\n")
    for size in (1, 7, max(len(whole) // 2, 1), len(whole)):
        assert len(JournalText(Raw(whole), b"", whole_entries=False).read(0, size)) == min(size, len(whole))
