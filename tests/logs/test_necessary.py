"""What a text must contain for an expression to match: a *no* that is never wrong."""

from __future__ import annotations

import re
import string
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_health.logs.necessary import Need, Rule, folded, needs

EVERYTHING = "".join(chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("gh[pou]_[a-z]{36}", [(("gho_", "ghp_", "ghu_"), False)]),
        ("(?:A3T[A-Z]|AKIA)x", [(("A3T", "AKIA"), False), (("x",), False)]),
        (r"\d{8}:[a-z]{35}", [((":",), False)]),
        ("(?i)Key(?:_|-|)Id", [(("key-id", "key_id", "keyid"), True)]),
        ("(?i:key)=", [(("key=",), True)]),
        (r"[a-z]{0,20}://[^@]+(?=@)", [(("://",), False), (("@",), False)]),
        (r"abc\b(?!x)def", [(("abcdef",), False)]),
        ("(?:abc|de+|f.)", [(("abc", "de", "f"), False)]),
        ("(?:.abc|.de)", [(("abc", "de"), False)]),
        (r"(?:a|\d)b?[^c]*", []),
        ("(?i)straße", []),
    ],
)
def it_says_what_every_match_must_have(pattern: str, expected: list[tuple[tuple[str, ...], bool]]) -> None:
    assert needs(pattern) == tuple(Need(*item) for item in expected)


def it_folds_case_as_expressions_do() -> None:
    for letter in string.ascii_lowercase:
        matched = re.findall(letter, EVERYTHING, re.IGNORECASE)
        assert all(letter in folded(character) for character in matched)


PARTS = st.sampled_from(
    [
        "abc", "(?:abc|xyz)", "(?:abc)?", "[abc]", "[abc]+", r"\d{2}", "(?i:AbK)", "(abc|x+)", "abcd+", "(?=abc)", ".",
        r"\b", "(?<!a)", "(?<=b)", "(?:a|b|)", "(?>ab|c)", "(?i:[s-u])",
    ]
)  # fmt: skip


@settings(max_examples=500)
@given(st.lists(PARTS, min_size=1, max_size=5).map("".join), st.sampled_from([0, re.I]), st.data())
def it_refuses_no_match(pattern: str, flags: int, data: st.DataObject) -> None:
    rule = Rule(pattern, flags)
    text = data.draw(st.text("abcxyzABCXSskKst12 d\u212a\u017f\u0130", max_size=20))
    if rule.expression.search(text):
        assert rule.may_match(text, folded(text))


@pytest.mark.parametrize("flags", [0, re.I, re.S, re.I | re.M | re.X])
def it_writes_flags_into_the_pattern(flags: int) -> None:
    assert re.compile(Rule("a b", flags).written).flags == re.compile("a b", flags).flags
