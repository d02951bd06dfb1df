"""The buttons under an episode's first message, and what a press of one means.

A button's value is the id of the message in the outbox: nothing that came from a log travels through Slack and back.
Limits (docs.slack.dev/reference/block-kit/block-elements/button-element): text 75 characters, value 2,000, address
3,000, action id 255 and unique within its block.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from kronos_health.domain.alerts import Message, TransitionKind
from kronos_health.domain.conversation import Wish

_HOUR = 3_600


@dataclass(frozen=True, slots=True)
class _Button:
    action_id: str
    text: str
    wish: Wish
    seconds: int = 0
    style: str = ""


_BUTTONS = (
    _Button("kh_acknowledge", "Acknowledge", Wish.ACKNOWLEDGE, style="primary"),
    _Button("kh_silence_1h", "Silence 1 h", Wish.SILENCE, _HOUR),
    _Button("kh_silence_1d", "Silence 1 day", Wish.SILENCE, 24 * _HOUR),
    _Button("kh_probe", "Run a probe now", Wish.PROBE),
)
PAGE_ACTION = "kh_page"  # an address: Slack opens it by itself, and tells us besides


def actions_block(
    message: Message, reference: str, page_address: str, page_label: str = "Open the page"
) -> dict[str, Any]:
    """The row of buttons that fits ``message``; ``reference`` is its id in the outbox."""
    elements = [_element(button, reference) for button in _BUTTONS if _fits(button, message)]
    if page_address:
        elements.append({"type": "button", "action_id": PAGE_ACTION, "text": _text(page_label), "url": page_address})
    return {"type": "actions", "block_id": "kh_actions", "elements": elements}


def _fits(button: _Button, message: Message) -> bool:
    over = message.has_ended or message.transition is TransitionKind.NOTICE
    taken = message.taken or (message.standing is not None and message.standing.acknowledged_by is not None)
    match button.wish:
        case Wish.ACKNOWLEDGE:
            return not over and not taken
        case Wish.SILENCE:
            return not over
        case _:
            return not message.has_ended


def _element(button: _Button, reference: str) -> dict[str, Any]:
    element = {"type": "button", "action_id": button.action_id, "text": _text(button.text), "value": reference}
    return element | ({"style": button.style} if button.style else {})


def _text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def pressed(action_id: str, value: str) -> tuple[Wish, int, str] | None:
    """What a press asks for: the wish, for how many seconds, about which message; ``None`` for anything else.

    Both come from outside: a value that is no id of ours means nothing.
    """
    button = next((one for one in _BUTTONS if one.action_id == action_id), None)
    if button is None:
        return None
    try:
        reference = str(uuid.UUID(value))
    except ValueError:
        return None
    return button.wish, button.seconds, reference
