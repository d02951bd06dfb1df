"""Masking quickly gives what masking plainly gives: every rule, one after the other, over the whole text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_health.logs import detectors, masking
from kronos_health.logs.detectors import library_copy, library_expressions, masked_token, rules
from kronos_health.logs.masking import MASK, mask
from kronos_health.logs.necessary import Rule, folded

NAMED = re.compile("|".join(rule.pattern for rule in masking._NAMED), re.DOTALL)
EXPRESSIONS = [*(re.compile(rule.pattern, re.DOTALL) for rule in masking._NAMED), *library_expressions()]
ASCII = [re.compile(item.pattern, item.flags & ~re.UNICODE | re.ASCII) for item in EXPRESSIONS]


def plainly(text: str) -> str:
    text = NAMED.sub(lambda found: (found[found.lastgroup] if found.lastgroup else "") + MASK, text)
    for expression in library_expressions():
        text = expression.sub(lambda found: masked_token(found, MASK), text)
    return text


def _secret(expression: re.Pattern[str]) -> st.SearchStrategy[str]:
    """What one rule finds, made from its expression; also nearly so, and in letters that only look like it."""
    found = st.from_regex(expression)
    nearly = st.tuples(found, st.integers(0, 200)).map(lambda item: item[0][: item[1]] + item[0][item[1] + 1 :])
    other = found.map(lambda text: text.translate({ord("k"): "\u212a", ord("s"): "\u017f", ord("I"): "\u0130"}))
    return st.one_of(found, nearly, found.map(str.swapcase), other)


SECRETS = st.sampled_from(ASCII).flatmap(_secret)
ORDINARY = st.sampled_from(
    [
        " ", "\n", "'", '"', "=", ": ", "token", "tokenizer.py", "key", "password", "Basic ", "https://pytorch.org/ ",
        "2025-10-30 09:08:09 UTC | ERROR | ", 'File "/srv/kronos.py", line 276, in decode\n', "a@b", "aws", "-us1",
        "cl", "é", "AKIA", "GR1348941", "A3T", "eyJ", "xoxb-", "0123456789", "x" * 24, "f0" * 32,
    ]
)  # fmt: skip
TEXTS = st.lists(st.one_of(ORDINARY, SECRETS), max_size=6).map("".join)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    masking._clean.clear()
    yield
    masking._clean.clear()


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def it_masks_as_the_rules_one_by_one(text: str) -> None:
    assert mask(text) == plainly(text)
    assert mask(text) == plainly(text)  # now that its shape may be known


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.lists(st.sampled_from("0123456789"), min_size=1, max_size=40))
def it_masks_another_text_of_the_same_shape_as_the_rules_do(text: str, digits: list[str]) -> None:
    following = iter(digits * (len(text) // len(digits) + 1))
    other = re.sub("[0-9]", lambda _: next(following), text)
    mask(other)
    assert mask(text) == plainly(text)
    mask(text)
    assert mask(other) == plainly(other)


@pytest.mark.parametrize(
    "secret",
    ["GR1348941" + "x" * 20, "A3TX" + "Q" * 16, "sq0csp-" + "x" * 43, "ya29." + "x" * 16],
    ids=lambda text: text[:9],
)
def it_masks_what_only_its_digits_give_away(secret: str) -> None:
    """A text with other digits was found to hold nothing before."""
    harmless = re.sub("[0-9]", "7", secret)
    assert mask(f"using {harmless}") == f"using {harmless}"
    assert MASK in mask(f"using {secret}")
    assert mask(f"using {harmless}") == f"using {harmless}"


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(list(zip(EXPRESSIONS, ASCII, strict=True))).flatmap(
        lambda both: st.tuples(st.just(both[0]), _secret(both[1]))
    )
)
def it_refuses_no_rule_that_finds_something(both: tuple[re.Pattern[str], str]) -> None:
    expression, text = both
    if expression.search(text):
        assert Rule(expression.pattern, expression.flags).may_match(text, folded(text))


def it_remembers_a_bounded_number_of_texts() -> None:
    for number in range(3 * masking._REMEMBERED):
        mask("a" * number)
    assert len(masking._clean) <= masking._REMEMBERED


def it_holds_the_rules_of_the_library_that_is_installed() -> None:
    """If not: ``python -m kronos_health.logs.detectors`` writes the copy anew."""
    assert Path(detectors._COPY).read_text(encoding="utf-8") == library_copy()
    assert [(rule.pattern, rule.flags) for rule in rules()] == [
        (item.pattern, item.flags) for item in library_expressions()
    ]


def it_asks_the_library_where_another_version_of_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detectors.metadata, "version", lambda _name: "99.0")
    monkeypatch.setattr(detectors, "library_expressions", lambda: iter([re.compile("new", re.IGNORECASE)]))
    assert [(rule.pattern, rule.flags & re.I) for rule in rules.__wrapped__()] == [("new", re.I)]
