"""A record is a whole event: header, traceback with carets, chained and grouped exceptions, torch's long messages."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_health.logs.records import LOOKAHEAD, Caps, split
from tests.logs.support import REUSE, line, reuse

TORCH = "W1123 22:28:37.868000 19209 torch/_dynamo/convert_frame.py:1994] [0/2] "
GRAPHS = "W1123 22:28:41.816000 19274 torch/_inductor/cudagraph_utils.py:380] [__cudagraphs] "


def records(text: str | bytes, *, final: bool = True, caps: Caps | None = None) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    pieces = split(data, final=final, caps=caps or Caps())
    return [data[start:end].decode() for start, end in zip(pieces.starts, pieces.ends, strict=True)]


def printed_by_python(code: str) -> str:
    """What this interpreter writes to standard error for an uncaught exception of ``code``."""
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    return ended.stderr


def it_keeps_a_traceback_with_the_error_line_above_it() -> None:
    events = [reuse("one"), line("fine"), reuse("two"), line("fine")]
    assert records("".join(events)) == events


def it_keeps_carets_chained_exceptions_and_groups_whole() -> None:
    chained = printed_by_python(
        """
        def inner(): return {}["missing"] + 1
        def outer():
            try: inner()
            except KeyError as error: raise RuntimeError("outer") from error
        try: outer()
        except RuntimeError: raise ValueError("last")
        """
    )
    group = printed_by_python(
        """
        try: raise TypeError("first of the group")
        except TypeError as error: first = error
        raise ExceptionGroup("several", [first, ExceptionGroup("nested", [ValueError("deep")])])
        """
    )
    assert "direct cause" in chained
    assert "During handling" in chained
    assert "+-+----" in group
    for printed in (chained, group):
        error = line("it broke", "ERROR")
        assert records(error + printed + line("fine")) == [error + printed, line("fine")]
        assert records(printed + printed) == [printed, printed]


def it_does_not_give_a_traceback_to_a_line_that_reports_no_trouble() -> None:
    traceback = "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    x()\nKeyError: 'x'\n"
    assert records(line("fine") + traceback + line("fine")) == [line("fine"), traceback, line("fine")]
    assert records(line("worrying", "WARNING") + traceback) == [line("worrying", "WARNING") + traceback]


def it_tells_two_tracebacks_in_a_row_apart() -> None:
    traceback = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    x()\nKeyError\n'
    assert records(traceback * 3) == [traceback] * 3


def it_puts_the_lines_together_that_torch_prefixes_one_by_one() -> None:
    hit = (
        f"{TORCH}torch._dynamo hit config.recompile_limit (2)\n"
        f"{TORCH}   function: 'f' (/srv/f.py:5)\n"
        f"{TORCH}   last reason: 0/1: size mismatch\n"
        f'{TORCH}To log all recompilation reasons, use TORCH_LOGS="recompiles".\n'
    )
    skip = f"{GRAPHS}skipping cudagraphs due to mutated inputs (2 instances)\n"
    assert records(hit + skip + skip + hit.replace("868", "869")) == [hit, skip, skip, hit.replace("868", "869")]


def it_puts_the_lines_together_that_older_torch_stamps_one_by_one() -> None:
    stamp = "[2023-09-28 14:50:06,548] [0/8] torch._dynamo.convert_frame: [WARNING] "
    hit = (
        f"{stamp}torch._dynamo hit config.cache_size_limit (8)\n"
        f"{stamp}   function: 'f' (/srv/f.py:5)\n"
        f"{stamp}   last reason: 0/0: size mismatch\n"
        f'{stamp}To log all recompilation reasons, use TORCH_LOGS="recompiles".\n'
    )
    assert records(line("fine") + hit + hit + line("fine")) == [line("fine"), hit, hit, line("fine")]


def it_knows_the_prefix_of_torchs_cpp() -> None:
    died = "[rank2]:[E323 21:33:26.170490902 ProcessGroupNCCL.cpp:1896] [PG ID 2] CUDA error: x\nCUDA kernel errors\n"
    assert records(line("fine") + died + died.replace("26.", "27.")) == [line("fine"), died, died.replace("26.", "27.")]


def it_takes_the_unprefixed_rest_of_a_glog_message_with_it() -> None:
    older = "W1030 09:08:09.060000 torch._dynamo hit config.recompile_limit (8)\n   function: 'f'\n   last reason: x\n"
    assert records(older + line("fine") + older) == [older, line("fine"), older]


def it_sees_torchs_messages_that_have_no_prefix_at_all() -> None:
    bare = "skipping cudagraphs due to mutated inputs (2 instances)\n"
    found = bare.replace(")\n", ') . Found from : \n   File "a.py", line 3, in f\n    x.add_(1)\n')
    assert records(line("fine") + bare + bare + found + line("fine")) == [line("fine"), bare, bare, found, line("fine")]


def it_reads_other_loggers_headers() -> None:
    headers = [
        "2025-10-30T09:08:09.123456Z INFO ready\n", "[2025-10-30 09:08:09,123] ready\n", "2025/10/30 09:08:09 ready\n",
        "09:08:09.123 ready\n", "Oct 30 09:08:09 host app: ready\n", "ERROR:root:ready\n", "[WARNING] ready\n",
        '{"timestamp": "2025-10-30", "message": "ready"}\n', "INFO 10-30 09:08:09 engine.py:1] ready\n",
        "/srv/a.py:12: UserWarning: ready\n", "[rank0]: 2025-10-30 09:08:09 ready\n",
        "\x1b[32m2025-10-30 09:08\x1b[0m ready\n",
    ]  # fmt: skip
    assert records("".join(header + "  and more\n" for header in headers)) == [f"{one}  and more\n" for one in headers]


def it_takes_each_line_of_a_log_without_headers_for_a_record() -> None:
    text = "loading\nKronos inference took 3.1 s\n  on cuda:0\n\nToto inference took 0.5 s\n"
    assert records(text) == ["loading\n", "Kronos inference took 3.1 s\n  on cuda:0\n\n", "Toto inference took 0.5 s\n"]


def it_keeps_a_wrapped_error_message_whole_where_there_are_no_headers() -> None:
    wrapped = (
        "RuntimeError: Error: accessing tensor output of\nCUDAGraphs that has been\noverwritten by a subsequent run.\n"
    )
    assert records("ready\n" + wrapped + "ready\n") == ["ready\n", wrapped, "ready\n"]


def it_leaves_the_last_record_open_until_it_is_final() -> None:
    assert records(line("one") + line("two"), final=False) == [line("one")]
    assert records(line("one") + "more\n", final=False) == []
    assert records(line("one") + line("two")[:-1]) == [line("one"), line("two")[:-1]]


def it_ends_a_record_when_the_next_one_has_begun_however_little_of_it_is_there() -> None:
    assert records(line("one") + line("two")[:30], final=False) == [line("one")]
    assert records(line("one") + "Trace", final=False) == []


def it_cuts_a_record_that_is_too_long_and_flags_it() -> None:
    caps = Caps(bytes=1000, lines=10)
    data = (line("long") + "  more\n" * 25 + line("next")).encode()
    pieces = split(data, final=True, caps=caps)
    assert [int(count) for count in pieces.lines] == [0, 10, 20, 26]
    assert pieces.capped == {0, 1}


def it_cuts_a_line_that_is_too_long_between_characters() -> None:
    caps = Caps(bytes=1001, lines=10)
    data = ("ü" * 5000 + "\n" + line("next")).encode()
    pieces = split(data, final=True, caps=caps)
    parts = [data[a:b] for a, b in zip(pieces.starts.tolist(), pieces.ends.tolist(), strict=True)]
    assert all(len(part) <= 1001 and part.decode() for part in parts)
    assert b"".join(parts) == data
    assert len(pieces.capped) == 9


def it_waits_before_a_cut_until_it_can_look_beyond_it() -> None:
    caps = Caps(bytes=1000, lines=10)
    assert len(split(b"x" * (1000 + LOOKAHEAD), final=False, caps=caps).starts) == 0
    assert len(split(b"x" * (1001 + LOOKAHEAD), final=False, caps=caps).starts) == 1


LINES = st.sampled_from(
    [
        line("fine"), line("bad", "ERROR"), "Traceback (most recent call last):\n", '  File "a.py", line 1, in f\n',
        "    x()\n", f"RuntimeError: {REUSE}\n", "\n", "plain text\n", "KeyError: 'x'\n", f"{TORCH}one\n",
        f"{TORCH}   two\n",
        "During handling of the above exception, another exception occurred:\n", "x" * 300 + "\n", "ü\r\n", "\0\0\n",
        "skipping cudagraphs due to x\n", '{"a": 1}\n', "torn",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=40), st.integers(1, 400), st.integers(1, 30))
def it_puts_every_byte_into_exactly_one_record_however_it_is_read(parts: list[str], size: int, lines: int) -> None:
    data, caps = "".join(parts).encode(), Caps(bytes=size, lines=lines)
    whole = split(data, final=True, caps=caps)
    assert b"".join(data[a:b] for a, b in zip(whole.starts, whole.ends, strict=True)) == data
    assert whole.consumed == len(data)
    assert all(data.count(b"\n", 0, int(a)) == n for a, n in zip(whole.starts, whole.lines, strict=True))
    assert all(b - a <= size for a, b in zip(whole.starts, whole.ends, strict=True))
    assert all(
        data.count(b"\n", a, b) <= lines for a, b in zip(whole.starts.tolist(), whole.ends.tolist(), strict=True)
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=40), st.lists(st.integers(0, 4000), max_size=8))
def it_finds_the_same_records_when_it_reads_on_from_any_of_them(parts: list[str], grown: list[int]) -> None:
    """A log that grows, read again and again from the start of the record that was still open."""
    data = "".join(parts).encode()
    found, offset = [], 0
    for size in [*sorted(size for size in grown if size < len(data)), len(data)]:
        final = size == len(data)
        pieces = split(data[offset:size], final=final, caps=Caps())
        found += [data[offset + int(a) : offset + int(b)] for a, b in zip(pieces.starts, pieces.ends, strict=True)]
        assert data.count(b"\n", offset, offset + pieces.consumed) == pieces.consumed_lines
        offset += pieces.consumed
    assert found == [record.encode() for record in records(data)]
