"""Text that came from somewhere else: made printable, cut with what was cut counted, and times put into words."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# Terminal sequences (ECMA-48): control strings such as titles and links, then CSI, then two-character escapes. The
# control string is bounded, so that an unfinished one cannot swallow the rest of a log.
_ESCAPES = re.compile(r"\x1b[\]PX^_][^\x07\x1b\x9c]{0,500}(?:\x07|\x9c|\x1b\\)?|[\x1b\x9b]\[?[0-?]*[ -/]*[@-~]|\x1b.")
# C0 and C1 controls except tab and newline; marks that reorder or hide text (bidirectional, zero width, tags).
_CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile(r"\r\n?|\x0b|\x0c")


def clean(text: str) -> str:
    """``text`` without terminal sequences, control characters and marks that hide or reorder; never longer."""
    text = _ESCAPES.sub("", _LINE_ENDS.sub("\n", text))
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))


def clean_line(text: str) -> str:
    """``text`` cleaned and on one line."""
    return " ".join(clean(text).split())


_MARK = 60  # characters that saying how much was left out may take


def without_middle(text: str, limit: int, gone: int = 0) -> tuple[str, int]:
    """``text`` in at most ``limit`` characters, and how many were left out: the middle, with a line that counts it.

    A record says at its beginning what happened and at its end where. Whole lines are kept where that costs little.
    ``gone`` were left out of the middle before, and are counted in.
    """
    if len(text) <= limit:
        return text, gone
    half = max((limit - _MARK) // 2, 0)
    head, tail = text[:half], text[len(text) - half :]
    head = head[: at + 1] if (at := head.rfind("\n")) >= half // 2 else head
    tail = tail[at + 1 :] if 0 <= (at := tail.find("\n")) < half // 2 else tail
    removed = text[len(head) : len(text) - len(tail)]
    left_out = len(removed.replace(f"\n{_mark(gone)}\n", "") if gone else removed) + gone
    return "\n".join(filter(None, (head.removesuffix("\n"), _mark(left_out), tail))), left_out


def _mark(left_out: int) -> str:
    return f"… {left_out:,} characters left out …"


def shorten(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` characters, the end saying how many were left out."""
    if len(text) <= limit:
        return text
    mark = f" … ({len(text):,} characters in all)"
    return text[: max(limit - len(mark), 0)] + mark


def duration(seconds: float) -> str:
    """A length of time in words, at most two units: ``3 d 4 h``, ``2 h 5 min``, ``40 s``."""
    left, words = max(int(seconds), 0), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words[:2]) or "0 s"


def moment(at: datetime) -> str:
    """A time as people read it, to the minute, UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def times(count: int) -> str:
    """``once`` or ``12 times``."""
    return "once" if count == 1 else f"{count:,} times"


def more_times(count: int) -> str:
    """``once more`` or ``12 more times``."""
    return "once more" if count == 1 else f"{count:,} more times"
