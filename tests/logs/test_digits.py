"""Lines of one shape are alike to every expression that tells no digits apart."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_health.logs.catalogue import built_in
from kronos_health.logs.digits import digits_told_apart, shapes
from kronos_health.logs.matcher import Matcher

ZERO = frozenset("0")


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (r"took (\d+) ms", frozenset()),
        (r"[A-Z0-9]{3} [^\s]+ [^0-9]\w\W.", frozenset()),
        (r"(?<!\b0\b[ ])Kronos", ZERO),
        (r"(?:\b0\b|\b[Nn]o) fail", ZERO),
        (r"(?:\b0\b|\b7\b) fail", frozenset("07")),
        (r"v2 took", None),
        (r"\b10\b", None),
        (r"\b0 fail", None),
        (r"[1-9]\d", None),
        (r"[^0]", None),
        (r"(\d)\1", None),
    ],
)
def it_knows_which_digits_an_expression_tells_apart(pattern: str, told: frozenset[str] | None) -> None:
    assert digits_told_apart(pattern) == told


def it_finds_the_built_in_catalogue_blind_to_digits_but_for_a_lone_zero() -> None:
    assert Matcher(built_in()).kept_digits == ZERO
    assert all(
        digits_told_apart(expression.pattern) is not None
        for item in (*built_in().signatures, *built_in().samples)
        for expression in item.expressions
    )


DIGITS = st.sampled_from("0123456789")
PARTS = st.sampled_from(
    [r"\d+", r"\b0\b", "[a-c]", r"\w*?", " ", r"(?<=\d)b", r"\S", r"(?:a|\b0\b)", r"[^\d]", "c?", r"\b", "(?!0x)", "a"]
)


@settings(max_examples=500)
@given(
    st.lists(PARTS, min_size=1, max_size=5).map("".join),
    st.lists(
        st.tuples(st.sampled_from("abc 0x.") | st.sampled_from("0123456789"), st.sampled_from("0123456789")),
        max_size=12,
    ),
)
def it_finds_the_same_places_in_lines_of_one_shape(pattern: str, pairs: list[tuple[str, str]]) -> None:
    told = digits_told_apart(pattern)
    one = "".join(first for first, _ in pairs)
    other = "".join(second if first.isdigit() else first for first, second in pairs)
    if told is not None and shapes(one.encode(), told) == shapes(other.encode(), told):
        assert [m.span() for m in re.finditer(pattern, one)] == [m.span() for m in re.finditer(pattern, other)]


@given(st.binary(max_size=60))
def it_has_the_same_shape_however_a_text_is_cut(text: bytes) -> None:
    expected = bytearray(text)
    for index, byte in enumerate(text):
        around = text[max(index - 1, 0) : index] + text[index + 1 : index + 2]
        if chr(byte) in "0123456789" and not (byte == 48 and not any(chr(item) in "0123456789" for item in around)):
            expected[index] = 255
    assert shapes(text, ZERO) == bytes(expected)
    long = b"x" * (64 * 1024 - 30) + text
    assert shapes(long, ZERO)[-len(text) :] == (bytes(expected) if text else shapes(long, ZERO))
