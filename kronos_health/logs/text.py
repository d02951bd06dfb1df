"""The text of a record as people read it, and as the signatures look at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from kronos_health.logs.lines import ENVELOPE

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,500}(?:\x07|\x1b\\)|[@-Z\\-_])")
# torch 2.3 on: W1030 09:08:09.060000 140234 torch/_dynamo/x.py:1] [0/8]; 2.0 to 2.2: [2023-09-28 14:50:06,548] [0/8]
# torch._dynamo.x: [WARNING]
_TORCH_PREFIX = re.compile(
    r"^(?:\[rank\d+\]:? ?)*(?:"
    r"[VDIWEFC]\d{4} \d\d:\d\d:\d\d(?:\.\d+)?(?: +\d+)? [^\s\]]+:\d+\](?: \[[^\]\s]*\])* ?|"
    r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] (?:\[[^\]\s]*\] )?torch[\w.]*: \[[A-Z]+\] ?"
    r")",
    re.MULTILINE,
)
_ENVELOPE = re.compile("^" + ENVELOPE.decode(), re.MULTILINE)
_ENVELOPED = re.compile(r"\d[ ]+\| |\.\d{9}Z |\[(?:rank|default)\d")
# A frame and what is indented deeper under it: source, carets. Also inside exception groups ("  |   File …").
_FRAME = re.compile(
    r"(?P<frame>^(?P<margin>[ \t|+]*)File \"[^\"\n]*\", line \d+[^\n]*\n)(?:(?P=margin)[ \t]+\S[^\n]*(?:\n|\Z))+",
    re.MULTILINE,
)


@dataclass(frozen=True)
class RecordText:
    """One record, decoded."""

    raw: str

    @cached_property
    def shown(self) -> str:
        """What is stored: no terminal sequences, no carriage returns, no NUL, which no database text may hold."""
        text = ANSI.sub("", self.raw) if "\x1b" in self.raw else self.raw
        return text.replace("\r\n", "\n").replace("\0", "").rstrip()

    @cached_property
    def opened(self) -> str:
        """Without what containers and launchers put around each line: what the program wrote."""
        text = self.shown
        return _ENVELOPE.sub("", text) if _ENVELOPED.search(text) else text

    @cached_property
    def unprefixed(self) -> str:
        """What the program wrote, without the prefix that torch writes before every line of a message."""
        text = self.opened
        return _TORCH_PREFIX.sub("", text) if "]" in text else text

    @cached_property
    def searched(self) -> str:
        """Without the source lines of tracebacks: code that quotes a message is not the message."""
        text = self.unprefixed
        return _FRAME.sub(r"\g<frame>", text) if 'File "' in text else text
