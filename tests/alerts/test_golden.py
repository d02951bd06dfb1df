"""Every message in both forms against its golden file, and against Slack's limits.

After a wanted change: ``KRONOS_HEALTH_REGENERATE_GOLDEN=1 python -m pytest tests/alerts/test_golden.py``, then read
the difference before committing it.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kronos_health.alerts.listing import Stand, Told, listed, listed_anew
from kronos_health.alerts.messages import fired_and_resolved, from_json, to_json
from kronos_health.alerts.plain import plain_text
from kronos_health.alerts.slack.render import render, render_plain, render_resolved_parent
from kronos_health.domain.alerts import AlertKind, AlertState, Message, Standing, TransitionKind
from tests.alerts.samples import every_message, message
from tests.alerts.timeline import START
from tests.support.slack_rules import breaches, refusal

GOLDEN = Path(__file__).parent / "golden"


def _told(kind: AlertKind, transition: TransitionKind = TransitionKind.FIRED, episode: int = 1) -> Told:
    return Told((kind.value, episode), message(kind, transition))


def _ended(hours: float) -> Stand:
    return Stand(Standing(AlertState.OK, 47), START + timedelta(hours=hours))


AFTER_A_DEPLOYMENT = "3 alerts at once after the deployment of 2026-11-23 11:40 UTC"
THREE = [_told(AlertKind.LOG_ERRORS), _told(AlertKind.GRAPH_REUSE), _told(AlertKind.PREDICTIONS_OUT_OF_BOUNDS)]
MANY = [_told(AlertKind.LOG_ERRORS, episode=number) for number in range(23)]
TAKEN = Stand(Standing(AlertState.FIRING, 7, "anna (U0ANNA)", START, START + timedelta(hours=1), "ben (U0BEN)"))
SOME_LAST = {
    THREE[0].episode: TAKEN,
    THREE[1].episode: _ended(1),
    THREE[2].episode: Stand(Standing(AlertState.RECOVERING)),
}
MESSAGES = every_message() | {
    "graph_reuse.grouped": listed(THREE, AFTER_A_DEPLOYMENT),
    "graph_reuse.grouped_stands": listed_anew(THREE, AFTER_A_DEPLOYMENT, SOME_LAST, ""),
    "graph_reuse.grouped_over": listed_anew(
        THREE,
        AFTER_A_DEPLOYMENT,
        {one.episode: _ended(hours) for one, hours in zip(THREE, (3.5, 27, 2), strict=True)},
        "kronos-health query alert_timeline  # nothing to do: this is how it went",
    ),
    "log_errors.grouped_many": listed_anew(
        MANY,
        "23 alerts at once in trading",
        {one.episode: TAKEN if one is not MANY[-1] else _ended(2) for one in MANY},
        "",
    ),
    "log_errors.held": listed(
        [_told(AlertKind.LOG_ERRORS), _told(AlertKind.LOG_ERRORS, TransitionKind.RESOLVED)],
        "2 messages were held in the quiet hours",
    ),
    "graph_reuse.fired_and_resolved": fired_and_resolved(message(), message(transition=TransitionKind.RESOLVED)),
    "graph_reuse.refreshed": replace(
        message(),
        transition=TransitionKind.REFRESHED,
        standing=Standing(AlertState.RECOVERING, 84, "anna (U0ANNA)", START, START + timedelta(hours=1), "ben (U0BEN)"),
    ),
}


def _matches(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("KRONOS_HEALTH_REGENERATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def _body(one: Message) -> dict[str, object]:
    payload = render(one, page_url="http://127.0.0.1:8080/kronos")
    return {"text": payload.text, "attachments": list(payload.attachments)}


@pytest.mark.parametrize("name", MESSAGES)
def it_renders_block_kit_as_agreed(name: str) -> None:
    body = _body(MESSAGES[name])
    assert (refusal(body), breaches(body)) == (None, [])
    _matches(f"{name}.json", json.dumps(body, ensure_ascii=False, indent=2) + "\n")


@pytest.mark.parametrize("name", MESSAGES)
def it_renders_plain_text_as_agreed(name: str) -> None:
    body = {"text": render_plain(MESSAGES[name]).text}
    assert (refusal(body), breaches(body)) == (None, [])
    _matches(f"{name}.txt", plain_text(MESSAGES[name]) + "\n")


@pytest.mark.parametrize("name", MESSAGES)
def it_survives_the_outbox(name: str) -> None:
    assert from_json(to_json(MESSAGES[name])) == MESSAGES[name]


def it_turns_the_first_message_green() -> None:
    payload = render_resolved_parent(message(), message(transition=TransitionKind.RESOLVED))
    assert payload.attachments[0]["color"] == "#2eb67d"
    assert "Resolved after 1 d 3 h" in payload.text
    body = {"text": payload.text, "attachments": list(payload.attachments)}
    assert breaches(body) == []
    _matches("graph_reuse.turned_green.json", json.dumps(body, ensure_ascii=False, indent=2) + "\n")


def it_has_every_step_of_every_kind() -> None:
    said = {kind: {one.transition for name, one in MESSAGES.items() if one.kind is kind} for kind in AlertKind}
    assert all(steps == {TransitionKind.NOTICE} or TransitionKind.RESOLVED in steps for steps in said.values())
    assert said[AlertKind.GRAPH_REUSE] == {
        TransitionKind.FIRED,
        TransitionKind.UPDATED,
        TransitionKind.REMINDED,
        TransitionKind.RESOLVED,
        TransitionKind.ESCALATED,
        TransitionKind.REFRESHED,
        TransitionKind.GROUPED,
    }
    everywhere = set().union(*said.values())
    unsaid = {TransitionKind.STARTED_PENDING, TransitionKind.CLEARED_PENDING, TransitionKind.STARTED_RECOVERING}
    unsaid |= {TransitionKind.RELAPSED, TransitionKind.ACKNOWLEDGED, TransitionKind.UNACKNOWLEDGED}
    assert everywhere == set(TransitionKind) - unsaid


def it_keeps_no_golden_file_that_nothing_makes() -> None:
    made = {f"{name}{ending}" for name in MESSAGES for ending in (".json", ".txt")}
    found = {path.name for path in GOLDEN.iterdir() if path.suffix in (".json", ".txt")}
    assert found == made | {"graph_reuse.turned_green.json"}
