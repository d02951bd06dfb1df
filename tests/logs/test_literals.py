"""The fixed text that the first stage looks for is in every match: nothing is missed for the sake of speed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_health.logs.literals import required_literals


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"Kronos answered after (\d+) ms", {"answered"}),
        (r"(?:forecast|prediction) ready", {"forecast", "prediction"}),
        (r"ready(?: now)?: (?P<value>\d+)", {"ready"}),
        (r"(?:ready )+\d", {"ready"}),
        (r"a(?:bcd){2}", {"bcd"}),
        (r"\d+ms", None),
        (r"[Kk]ronos|\d+", None),
        (r"(?:optional)? \d", None),
        (r"(?i)ok \d+ms", None),
    ],
)
def it_finds_the_text_that_every_match_contains(pattern: str, expected: set[str] | None) -> None:
    assert required_literals(pattern) == expected


def it_lists_every_spelling_where_case_does_not_matter() -> None:
    found = required_literals(r"(?i)kronos took")
    assert found is not None
    assert all(any(text in spelled for text in found) for spelled in ("KRONOS took", "kRoNoS tOoK", "Kronos Took"))


PARTS = st.sampled_from(
    ["abc", "(?:abc|xyz)", "(?:abc)?", "[abc]+", r"\d{2}", "(?i:AbC)", "(abc|x+)", "abcd+", "(?=abc)", "."]
)


@settings(max_examples=200)
@given(st.lists(PARTS, min_size=1, max_size=5).map("".join), st.text("abcxyzABC12 d", max_size=40))
def it_misses_no_match(pattern: str, text: str) -> None:
    literals = required_literals(pattern)
    if literals is not None and re.search(pattern, text):
        assert any(literal in text for literal in literals)
