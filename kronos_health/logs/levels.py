"""Which records say of themselves that something went wrong: level ERROR or above, or a bare traceback.

The first stage looks for ``NEEDLES``, and glog's ``E``/``F`` at the beginning of a record; what it finds may still be
anything, and :func:`is_error` decides on the record's text.
"""

from __future__ import annotations

import re

import numpy as np

from kronos_health.logs.lines import LINE_HEAD, Bytes, Positions

# Words are looked for in capitals, as logging writes them; in small letters only where they are marked as a level.
NEEDLES = (
    "ERROR", "CRITICAL", "FATAL", '"error"', '"critical"', '"fatal"', "[error", "[critical", "[fatal", "level=error",
    "level=critical", "level=fatal", "(most recent call last):",
)  # fmt: skip
_BAD = {"e", "f", "error", "exception", "critical", "fatal"}
_WORDS = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|EXCEPTION|FATAL|CRITICAL)"
_RANK = r"(?:\[rank\d+\]:? ?)*"
_JSON = re.compile(r"\"(?:level|levelname|level_name|severity|lvl|log\.level)\"\s{0,3}:\s{0,3}\"(?P<json>\w{1,12})\"")
# The first level that a line names is its own; a later one is part of what it says.
_LEVEL = re.compile(
    rf"\A{_RANK}\[?(?P<glog>[VDIWEF])\d{{3,4}} \d\d:\d\d:\d\d"
    r"|\b(?:level|lvl|severity)=[\"']?(?P<pair>\w{1,12})"
    rf"|\[(?P<tag>(?i:{_WORDS}))\s*\]"
    rf"|(?<![\w./]){_WORDS}(?![\w/])"
)
_TRACEBACK = re.compile(rf"\A{_RANK}(?:  \+ Exception Group )?Traceback \(most recent call last\):")
_STOPPED = re.compile(r"^(?:KeyboardInterrupt|SystemExit|GeneratorExit)\b", re.MULTILINE)
_JSON_CHARS = 4096
_DIGITS = (48, 49)  # 0 and 1: months


def is_error(text: str) -> bool:
    """Whether the record ``text``, without terminal sequences, is of level ERROR or above."""
    if text.startswith("{"):
        found = _JSON.search(text, 0, _JSON_CHARS)
        return found is not None and found["json"].lower() in _BAD
    if _TRACEBACK.match(text):
        return _STOPPED.search(text) is None  # somebody ended the program
    level = _LEVEL.search(text.split("\n", 1)[0][:LINE_HEAD])
    return level is not None and _named(level).lower() in _BAD


def _named(level: re.Match[str]) -> str:
    return level["glog"] or level["pair"] or level["tag"] or level.group()


def after_level(line: str) -> str:
    """What a record's first line says after stamps, place and level; JSON lines as they are."""
    level = _LEVEL.search(line[:LINE_HEAD])
    if level is None or line.startswith("{"):
        return line
    rest = line[level.end() :]
    if level["glog"]:
        rest = rest.partition("] ")[2] or rest
    return rest.lstrip(" \t|:-]")


def glog_errors(array: Bytes, starts: Positions) -> Positions:
    """The records among those that begin at ``starts`` that may be glog's ``E1030 …`` or ``F1030 …``.

    By their first bytes and not by needles: these would be many and short, and halve the speed of the first stage.
    """
    first = array[np.minimum(starts, len(array) - 1)] if len(array) else array
    some = np.flatnonzero((first == 69) | (first == 70))  # few, of the many
    some = some[starts[some] + 1 < len(array)]
    return some[np.isin(array[starts[some] + 1], _DIGITS)]
