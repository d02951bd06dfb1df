"""The same kind of event has the same fingerprint, whenever, wherever and with whichever numbers it happens.

Made of signature, type of the raised exception, the program's own frames without line numbers, and the message with
everything that varies replaced. ``VERSION`` is raised when any of this changes; stored rows keep the one they were
grouped by.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

VERSION = 1

_FRAME = re.compile(r'File \\?"(?P<path>[^"\\\n]+)\\?", line \d+, in (?P<function>[\w.<>]+)')
_FOREIGN = re.compile(r"site-packages|dist-packages|/lib/python3|/lib64/python3|^<|(?:^|/)torch/")
RAISED = re.compile(
    r"^[ |]*(?P<type>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Failed|Hit|Unsupported|Interrupt|Exit))\b:?", re.M
)
VARIES = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?)"
    r"|(?P<id>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)"
    r"|(?P<hex>\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-f]*\d)[0-9a-f]{12,64}\b)"
    r"|(?P<path>(?<![\w.])/[\w.@+-]+(?:/[\w.@+-]+)+)"
    r"|(?P<number>(?<![A-Za-z_])[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?)"
    r"|(?P<space>(?:\s|\\[nrt])+)"
)
_MESSAGE_CHARS = 1000


def fingerprint(signature: str, text: str, message: str) -> str:
    """32 hexadecimal digits for one event: ``text`` is the whole record, ``message`` what the signature matched."""
    raised = RAISED.findall(text)
    parts = (str(VERSION), signature, raised[-1].rsplit(".", 1)[-1] if raised else "", *_frames(text), general(message))
    return hashlib.sha256("\x1f".join(parts).encode(errors="replace")).hexdigest()[:32]


def general(message: str) -> str:
    """``message`` with numbers, times, ids, addresses and folders replaced by what they are."""
    return _general(message[:_MESSAGE_CHARS])


@lru_cache(maxsize=1024)
def _general(message: str) -> str:
    return VARIES.sub(_placeholder, message).strip()


def _placeholder(found: re.Match[str]) -> str:
    if found.lastgroup == "space":
        return " "
    if found.lastgroup == "path":
        return f"<path>/{found.group().rsplit('/', 1)[1]}"
    return f"<{found.lastgroup}>"


def _frames(text: str) -> tuple[str, ...]:
    """The program's own frames, each once: folder and name of the file (releases move), and the function."""
    own = [
        "/".join(found["path"].split("/")[-2:]) + ":" + found["function"]
        for found in _FRAME.finditer(text)
        if not _FOREIGN.search(found["path"])
    ]
    return tuple(dict.fromkeys(own))
