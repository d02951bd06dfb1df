"""Slack's limits and rules for a message, as the loopback server applies them.

``refusal`` is what Slack itself would refuse with; ``breaches`` is what this project promises beyond that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

_SPECIAL = re.compile(r"<(?!https?://[^|>]*(\|[^>]*)?>)[^>]*>?")  # <!here>, <@U…>, <#C…>: anything but a link of ours
_MENTION = re.compile(r"(?<![\w])@\w")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BARE_AMPERSAND = re.compile(r"&(?!amp;|lt;|gt;)")


def refusal(body: dict[str, Any]) -> str | None:
    """Slack's own word for a message it does not take, or ``None``."""
    blocks = list(_blocks(body))
    if not body.get("text") and not blocks:
        return "no_text"
    if len(str(body.get("text", ""))) > 40_000:
        return "msg_too_long"
    if len(blocks) > 50 or not all(_is_valid(block) for block in blocks):
        return "invalid_attachments" if body.get("attachments") else "invalid_blocks"
    if sum(len(text) for text in _texts(body)) > 13_100:
        return "msg_blocks_too_long"
    metadata = body.get("metadata")
    if metadata is not None and not (metadata.get("event_type") and isinstance(metadata.get("event_payload"), dict)):
        return "invalid_metadata_format"
    return None


def breaches(body: dict[str, Any]) -> list[str]:
    """What this project promises never to send."""
    texts = list(_texts(body))
    found = [] if str(body.get("text", "")).strip() else ["a message without text"]
    if body.get("parse") or body.get("link_names"):
        found.append("Slack was asked to look for names and links")
    for text in texts:
        for rule, name in (
            (_SPECIAL, "a special sequence"),
            (_MENTION, "a mention"),
            (_CONTROL, "a control character"),
            (_BARE_AMPERSAND, "an ampersand that is not escaped"),
        ):
            hit = rule.search(text)
            if hit:
                found.append(f"{name}: {text[max(hit.start() - 20, 0) : hit.end() + 20]!r}")
    if len(list(_blocks(body))) > 45:
        found.append("more than 45 blocks")
    found += _strange_values(body)
    if any(len(text) > 2_900 for block in _blocks(body) for text in _block_texts(block)):
        found.append("a text of more than 2,900 characters")
    if sum(map(len, texts)) > 12_000:
        found.append("more than 12,000 characters")
    return found


def _strange_values(body: dict[str, Any]) -> list[str]:
    rows = (block["elements"] for block in _blocks(body) if block.get("type") == "actions")
    values = [button["value"] for row in rows for button in row if "value" in button]
    return [f"a button's value that is no id of ours: {value[:40]!r}" for value in values if not _UUID.fullmatch(value)]


def _blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from body.get("blocks") or ()
    for attachment in body.get("attachments") or ():
        yield from attachment.get("blocks") or ()


def _texts(body: dict[str, Any]) -> Iterator[str]:
    yield str(body.get("text", ""))
    for attachment in body.get("attachments") or ():
        yield str(attachment.get("fallback", ""))
    for block in _blocks(body):
        yield from _block_texts(block)


def _block_texts(block: dict[str, Any]) -> Iterator[str]:
    elements = block.get("elements") or ()
    holders = [block.get("text"), block.get("title"), *(block.get("fields") or ()), *elements]
    holders += [element.get("text") for element in elements if isinstance(element.get("text"), dict)]
    yield from (
        str(holder["text"]) for holder in holders if isinstance(holder, dict) and isinstance(holder.get("text"), str)
    )
    if "alt_text" in block:
        yield str(block["alt_text"])


def _is_valid(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    if kind == "section":
        fields = block.get("fields") or ()
        text = block.get("text")
        return (
            bool(fields or text)
            and len(fields) <= 10
            and all(0 < len(field["text"]) <= 2_000 for field in fields)
            and (text is None or 0 < len(text["text"]) <= 3_000)
        )
    if kind == "context":
        return 0 < len(block.get("elements") or ()) <= 10 and all(element["text"] for element in block["elements"])
    if kind == "header":
        return 0 < len(block["text"]["text"]) <= 150
    if kind == "actions":
        return _are_buttons(block.get("elements") or ())
    if kind == "image":
        return bool(block.get("slack_file") or block.get("image_url")) and 0 < len(block["alt_text"]) <= 2_000
    return bool(kind == "divider")


def _are_buttons(elements: Sequence[dict[str, Any]]) -> bool:
    names = [element["action_id"] for element in elements]
    return (
        0 < len(elements) <= 25
        and len(set(names)) == len(names)
        and all(0 < len(name) <= 255 for name in names)
        and all(0 < len(element["text"]["text"]) <= 75 for element in elements)
        and all(len(element.get("value", "")) <= 2_000 and len(element.get("url", "")) <= 3_000 for element in elements)
    )
