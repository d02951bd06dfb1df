"""The buttons under first messages, held to golden files and to Slack's limits, whatever a log said."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kronos_health.alerts.slack.buttons import pressed
from kronos_health.alerts.slack.render import render, render_resolved_parent
from kronos_health.domain.alerts import AlertKind, AlertState, Message, Picture, Standing, TransitionKind
from kronos_health.domain.conversation import Wish
from tests.alerts.samples import message
from tests.alerts.test_hostile_text import HOSTILE, _said
from tests.alerts.timeline import START
from tests.support.slack_rules import breaches, refusal

GOLDEN = Path(__file__).parent / "golden" / "buttons"
REFERENCE = "6f0c62a9-1c0e-5b7e-9d4c-2b7d0f6a8e11"
PAGE = "http://127.0.0.1:8080/kronos"
PICTURE = Picture("p", "Latency", "Steady latency of one prediction of kronos over 30 days: eager (CUDA) 2,250 ms.")

SHOWN: dict[str, dict[str, Any]] = {
    "fired": {"one": message()},
    "acknowledged": {
        "one": replace(
            message(),
            transition=TransitionKind.REFRESHED,
            standing=Standing(AlertState.FIRING, 84, "anna (U0ANNA)", START),
        )
    },
    "notice": {"one": message(AlertKind.TORCH_RELEASE, TransitionKind.NOTICE)},
    "digest": {"one": replace(message(AlertKind.DIGEST, TransitionKind.NOTICE), picture=PICTURE), "file_id": "F0LOOP"},
}


def _body(one: Message, page: str = PAGE, file_id: str = "") -> dict[str, Any]:
    payload = render(one, page, REFERENCE, file_id)
    return {"text": payload.text, "attachments": list(payload.attachments)}


def _matches(name: str, body: dict[str, Any]) -> None:
    path, text = GOLDEN / f"{name}.json", json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    if os.environ.get("KRONOS_HEALTH_REGENERATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", SHOWN)
def it_stands_under_the_message_as_agreed(name: str) -> None:
    body = _body(**SHOWN[name])
    assert (refusal(body), breaches(body)) == (None, [])
    _matches(name, body)


def it_leaves_only_the_page_under_what_is_over() -> None:
    payload = render_resolved_parent(message(), message(transition=TransitionKind.RESOLVED), PAGE, REFERENCE)
    _matches("turned_green", {"text": payload.text, "attachments": list(payload.attachments)})


@pytest.mark.parametrize("text", [HOSTILE * 40, "<" * 50_000, "@a" * 30_000, "x" * 1_000_000])
def it_carries_nothing_of_a_log_through_slack_and_back(text: str) -> None:
    standing = Standing(AlertState.FIRING, 10**12, text, START, START, text)
    picture = Picture("p", text, text)
    body = _body(replace(_said(text), standing=standing, picture=picture), "http://x/" + text, "F0LOOP")
    assert (refusal(body), breaches(body)) == (None, [])


@pytest.mark.parametrize(
    ("action_id", "wish"),
    [
        ("kh_acknowledge", (Wish.ACKNOWLEDGE, 0)),
        ("kh_silence_1h", (Wish.SILENCE, 3_600)),
        ("kh_silence_1d", (Wish.SILENCE, 86_400)),
        ("kh_probe", (Wish.PROBE, 0)),
    ],
)
def it_is_understood_when_pressed(action_id: str, wish: tuple[Wish, int]) -> None:
    assert pressed(action_id, REFERENCE) == (*wish, REFERENCE)
    assert pressed(action_id, "../../etc/passwd") is None


def it_has_a_golden_file_for_each_and_no_other() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {*SHOWN, "turned_green"}
