"""Log text is data: nothing in it can mention, link, hide, or grow beyond bounds."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_health.alerts.listing import Stand, Told, listed_anew
from kronos_health.alerts.messages import EXCERPT_LIMIT, compose, from_json, to_json
from kronos_health.alerts.plain import plain_text
from kronos_health.alerts.slack.render import SlackPayload, fit, render, render_plain
from kronos_health.alerts.text import clean, duration, shorten, without_middle
from kronos_health.domain.alerts import (
    Alert,
    AlertKind,
    AlertState,
    Fact,
    Message,
    Standing,
    Transition,
    TransitionKind,
)
from kronos_health.domain.logs import Severity
from tests.alerts.samples import OBSERVATIONS, message
from tests.alerts.timeline import START
from tests.support.slack_rules import breaches, refusal

HOSTILE = (
    "<!channel> <!here|x> <@U012AB3CD> <#C012AB3CD> @here @channel @everyone @anna <https://evil.test|click> "
    "http://evil.test/?a=1&b=2 ``` *bold* _it_ \x1b[31mred\x1b[0m \x1b]8;;http://evil.test\x07link\x1b]8;;\x07 \x00\x07"
    "\u202etxt.exe\u2066 \ud800 \r\n[markup] &amp; <script>alert(1)</script> ```` `` a``````b"
)


def _said(text: str, excerpt: str | None = None) -> Message:
    observation = replace(
        OBSERVATIONS[AlertKind.GRAPH_REUSE],
        title=text, summary=text, next_step=text, key=text, evidence=(text,) * 30,
        excerpt=text if excerpt is None else excerpt,
        facts=tuple(Fact(text, text) for _ in range(60)),
    )  # fmt: skip
    alert = Alert("f", AlertKind.GRAPH_REUSE, "k", AlertState.FIRING, episode=1, sequence=1, pending_since=START)
    step = Transition(TransitionKind.FIRED, 1, 1, START, "", announce=True)
    return compose(observation, step, None, alert, text, Severity.CRITICAL)


def _check(payload: SlackPayload) -> None:
    body = {"text": payload.text, "attachments": list(payload.attachments)}
    assert refusal(body) is None
    assert breaches(body) == []


@pytest.mark.parametrize("text", [HOSTILE, HOSTILE * 40, "<" * 50_000, "`" * 50_000, "@a" * 30_000, "&" * 9_000, " "])
def it_cannot_mention_link_or_hide_anything(text: str) -> None:
    said = from_json(to_json(_said(text)))
    _check(render(said, page_url="http://127.0.0.1:8080"))
    _check(render_plain(said))


@pytest.mark.parametrize("text", [HOSTILE, "<" * 50_000, "@a" * 30_000, "&" * 9_000, "x" * 9_000])
def it_is_as_harmless_where_many_are_told_together(text: str) -> None:
    told = [Told((text, number), _said(text)) for number in range(25)]
    taken = Stand(Standing(AlertState.RECOVERING, 10**12, text, START, START, text))
    ended = Stand(Standing(AlertState.OK), START)
    for stands in ({}, {one.episode: taken for one in told}, {one.episode: ended for one in told}):
        said = from_json(to_json(listed_anew(told, text, stands, "kronos-health status")))
        _check(render(said, "http://127.0.0.1:8080", "6f0c62a9-1c0e-5b7e-9d4c-2b7d0f6a8e11"))
        _check(render_plain(said))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=600) | st.text(alphabet="<>&@`!:/#|a1 \n\x1b[]", max_size=600))
def it_holds_for_any_text(text: str) -> None:
    said = _said(text)
    _check(render(said))
    _check(render_plain(said))


def it_bounds_a_record_of_one_megabyte_and_counts_what_is_cut() -> None:
    started = time.monotonic()
    said = _said("short", excerpt="x" * 1_000_000)
    assert said.excerpt is not None
    assert len(said.excerpt) <= EXCERPT_LIMIT
    assert said.excerpt_cut == 1_000_000 - said.excerpt.count("x")
    assert len(to_json(said)) < 100_000
    payload = render(said)
    _check(payload)
    shown = next(text for text in _texts(payload) if text.startswith("```xxx"))
    plain = "\n".join(line for line in plain_text(said).splitlines() if line.startswith("  | "))
    for text in (shown, plain):
        assert f"… {1_000_000 - text.count('x'):,} characters left out …" in text
    _check(render(_said("short", excerpt="<&@x://" * 150_000)))
    assert time.monotonic() - started < 1


def it_counts_facts_and_evidence_that_do_not_fit() -> None:
    texts = " ".join(_texts(render(_said("short"))))
    assert "facts left out" in texts
    assert "and 20 more" in texts


def it_keeps_a_command_fit_for_pasting() -> None:
    command = "curl -fsS 'http://127.0.0.1:8080/x?a=1&b=2' > out"
    texts = " ".join(_texts(render(message(next_step=command))))
    assert "```curl -fsS 'http://127.0.0.1:8080/x?a=1&amp;b=2' &gt; out```" in texts


def it_cleans_without_eating_the_rest() -> None:
    assert clean("a\x1b]0;title that never ends" + "x" * 2_000).endswith("x" * 100)
    assert clean("\x1b[1;31mred\x1b[0m\tand\r\nblue\rgreen") == "red\tand\nblue\ngreen"
    assert clean("caf\udce9") == "caf\ufffd"


@given(st.text(alphabet="<>&@:/ab", max_size=300), st.integers(1, 100))
def it_never_exceeds_the_limit_and_counts_the_rest(text: str, limit: int) -> None:
    escaped, left_out = fit(text, limit)
    assert len(escaped) <= limit
    assert 0 <= left_out <= len(text)


def it_puts_lengths_into_words() -> None:
    assert [duration(seconds) for seconds in (0, 40, 3_600, 7_500, 100_000, -5)] == [
        "0 s", "40 s", "1 h", "2 h 5 min", "1 d 3 h", "0 s",
    ]  # fmt: skip
    assert shorten("x" * 100, 40) == "x" * 14 + " … (100 characters in all)"


def _texts(payload: SlackPayload) -> list[str]:
    texts = [payload.text]
    for attachment in payload.attachments:
        for block in attachment["blocks"]:
            holders = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
            texts += [holder["text"] for holder in holders if holder]
    return texts


def it_keeps_both_ends_of_a_long_record() -> None:
    """What happened stands at its beginning, where it happened at its end."""
    record = "RuntimeError: overwritten\n" + "  a frame of torch\n" * 400 + "    return output * self.weight"
    shown, left_out = without_middle(record, 1_000)
    assert len(shown) <= 1_000
    assert shown.startswith("RuntimeError: overwritten\n")
    assert shown.endswith("\n    return output * self.weight")
    kept = [line for line in shown.splitlines() if "left out" not in line]
    assert all(line in record.splitlines() for line in kept), "whole lines are kept"
    assert left_out == len(record) - sum(len(line) + 1 for line in kept) + 1


@given(st.text(max_size=400), st.integers(0, 200))
def it_never_makes_a_text_longer_than_asked_for(text: str, limit: int) -> None:
    shown, left_out = without_middle(text, max(limit, 60))
    assert len(shown) <= max(limit, 60)
    assert bool(left_out) == (shown != text)
