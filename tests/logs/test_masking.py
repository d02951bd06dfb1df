"""Secrets never leave the reader: what names them stays, so that the line can still be read."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronos_health.logs.collecting import stored_text
from kronos_health.logs.masking import mask

KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"  # in two parts: this file holds no key


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password=hunter2 ok", "password=*** ok"),
        ("PGPASSWORD=hunter2", "PGPASSWORD=***"),
        ("connect(password='hunter two', port=1)", "connect(password=***, port=1)"),
        ('{"api_key": "abc def", "port": 1}', '{"api_key": ***, "port": 1}'),
        (r'{"msg": "secret=\"a b\" done"}', '{"msg": "secret=*** done"}'),
        ("db postgresql://kronos:hunter2@host/db", "db postgresql://kronos:***@host/db"),
        ("slack xoxb-12345-abcdef", "slack xoxb***"),
        ("https://hooks.slack.com/services/T0/B0/abc", "https://hooks.slack.com/services/***"),
        ("Authorization: Bearer abc.def-123", "Authorization: ***"),
        ("header Bearer abcdefgh12345", "header Bearer ***"),
        ("key AKIAIOSFODNN7EXAMPLE used", "key AKIA*** used"),
        ("AWS_SECRET_ACCESS_KEY=wJalr/XUtn+FEMI", "AWS_SECRET_ACCESS_KEY=***"),
        ("hub hf_abcdefghijklmnopqrst", "hub hf_***"),
        ("git ghp_abcdefghijklmnopqrst", "git ghp_***"),
        ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "jwt eyJ***"),
        ("GET /?access_token=abc&page=2", "GET /?access_token=***&page=2"),
        (f"{KEY}\nMIIE\n-----END RSA PRIVATE KEY-----\nnext", f"{KEY}***\nnext"),
        (f"{KEY}\\nMIIE cut", f"{KEY}***"),
    ],
)
def it_masks_secrets(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Tokenizer: NeoQuasar/Kronos-Tokenizer-base", "max_tokens=256 tokens: 12", "Basic information about the model",
        "bypass: yes", "the token is missing", "Kronos inference took 2249.3 ms", "postgresql://host/db", "secret",
    ],
)  # fmt: skip
def it_leaves_other_text_alone(text: str) -> None:
    assert mask(text) == text


@given(
    st.sampled_from(["a-", "eyJ-", "://a:", "token ", '\\"', "http://a:", f"{KEY} ", "a:b@", "password", "Bearer a"])
)
def it_takes_no_longer_for_hostile_text(part: str) -> None:
    began = time.process_time()
    mask((part * 20_000)[:20_000])
    assert time.process_time() - began < 2


def it_masks_a_secret_that_a_cut_goes_through() -> None:
    secret = "xoxb-" + "1234567890" * 20
    for offset in range(0, 200, 9):
        text = "x" * (500 - offset) + f" {secret} " + "y" * 20_000 + f" {secret} " + "z" * (500 - offset)
        stored = stored_text(text, 1000)
        assert "1234567890" not in stored
        assert len(stored) < 1100


def it_keeps_beginning_and_end_of_a_long_record() -> None:
    stored = stored_text("begin " + "middle " * 5000 + "end", 100)
    assert stored.startswith("begin ")
    assert stored.endswith("end")
    assert "34,909 characters left out" in stored
