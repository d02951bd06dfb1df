"""The number of a line's shape is the one that was told for exactly this shape, or none: never another one's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_health.logs import alike
from kronos_health.logs.alike import UNKNOWN, Alike
from kronos_health.logs.digits import shapes

ZERO = frozenset("0")
FAR = b"\n" * 2048  # what stands behind the lines, so that each has a whole row


def numbers(known: Alike, lines: list[bytes], *, behind: bytes = FAR, ascii_only: bool = True) -> list[int]:
    edges = np.cumsum([0, *map(len, lines)])
    array = np.frombuffer(b"".join(lines) + behind, np.uint8)
    return known.numbers(array, edges[:-1], edges[1:], ascii_only=ascii_only).tolist()


def told(lines: list[bytes]) -> tuple[Alike, dict[bytes, int]]:
    known, expected = Alike(ZERO), dict[bytes, int]()
    for line in lines:
        expected.setdefault(shapes(line, ZERO), len(expected))
    known.tell(expected)
    return known, expected


LINES = st.builds(
    lambda text, length: (text * length)[: length - 1] + b"\n",
    st.sampled_from([b"a", b"ab", b"7", b"0", b"0 ", b" 0", b"10", b"a0b", b"12 0 x", b"\0", b"z\0"]),
    st.sampled_from([1, 2, 9, 127, 128, 129, 191, 192, 193, 256, 257, 384, 385, 512, 513, 1024, 1025, 2048]),
)


@settings(max_examples=300)
@given(st.lists(LINES, min_size=1, max_size=12), st.lists(LINES, min_size=1, max_size=12))
def it_knows_the_shapes_it_was_told_and_no_others(some: list[bytes], others: list[bytes]) -> None:
    known, expected = told(some)
    lines = [*some, *others]
    found = numbers(known, lines)
    assert found == [expected.get(shapes(line, ZERO), UNKNOWN) for line in lines]


def it_never_takes_one_shape_for_another_of_the_same_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike._Known, "_hash", lambda _self, words: np.zeros(len(words), np.uint64))
    known, _ = told([b"one 1\n", b"two 2\n", b"six 6\n"])
    found = numbers(known, [b"one 7\n", b"two 8\n", b"six 9\n"])
    assert sorted(found) == [UNKNOWN, UNKNOWN, 0]
    assert found[0] in {0, UNKNOWN}


def it_leaves_a_line_whose_row_would_reach_beyond_the_end() -> None:
    known, _ = told([b"one 1\n"])
    assert numbers(known, [b"one 1\n"], behind=b"") == [UNKNOWN]


def it_leaves_lines_beyond_ascii() -> None:
    known, expected = told([b"one 1\n", b"two 2\n"])
    lines = [b"one \xff\n", b"two 3\n"]  # in the shape, the byte is what a digit becomes
    assert numbers(known, lines, ascii_only=False) == [UNKNOWN, expected[shapes(b"two 2\n", ZERO)]]


def it_learns_no_more_than_it_can_keep() -> None:
    known = Alike(frozenset())
    shapes_of = {f"{'x' * (number // 100)}{chr(33 + number % 100)}\n".encode(): number for number in range(6000)}
    known.tell({shape: number for shape, number in shapes_of.items() if number < 10})
    known.tell({shape: number for shape, number in shapes_of.items() if number >= 10})
    assert numbers(known, [b"!\n", b"+\n", b"xxxx!\n"]) == [0, UNKNOWN, UNKNOWN]
