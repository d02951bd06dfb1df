"""What the beginning of a line says about the record it is in.

A *header* always starts a record. A *glog* line starts one unless it repeats the prefix of the record it follows (torch
writes its prefix before every line of a message). A *traceback* starts one unless it belongs to the record before it. A
*bare* line is a message of torch or ``warnings`` without any stamp. Everything else continues what stands above it.

What stands around a program's own line does not count: the name that ``docker compose logs`` writes before it, the time
of ``docker logs -t`` and of Kubernetes (nine digits of a second), and torchrun's ranks.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

OTHER, HEADER, GLOG, TRACEBACK, BARE = range(5)
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Positions = np.ndarray[Any, np.dtype[np.int64]]

# No header is longer than this; longer lines are judged by their beginning.
LINE_HEAD = 400

_LEVELS = rb"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|EXCEPTION|FATAL|CRITICAL)"
# trader-1  | 2025-10-30T09:08:09.123456789Z stderr F [rank0]: [default0]:
ENVELOPE = (
    rb"(?:[\w.-]{1,60}[-_]\d{1,4} +\| )?(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (?:std(?:out|err) [FP] )?)?+"
    rb"(?:\[(?:rank|default)\d+\]:? ?)*"
)
_PREFIX = rb"(?:\x1b\[[\d;]*m)*" + ENVELOPE + rb"(?:\x1b\[[\d;]*m|\[rank\d+\]:? ?)*"
# torch's C++ writes [E323 21:33:26.170490902 ProcessGroupNCCL.cpp:1896], the month without its zero (2.2 on)
_GLOG = (
    rb"(?:[VDIWEFC]\d{4}|\[[VDIWEFC]\d{3,4}) \d\d:\d\d:\d\d(?:\.\d+)?(?: +\d+)?(?: [^\s\]]+:\d+\])?(?: \[[^\]\s]*\])*"
)
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
# torch 2.1 and 2.2 write before each line of a message (2.0 before the first):
# [2023-09-28 14:50:06,548] [0/8] torch._dynamo.x: [WARNING]
_OLD_TORCH = (
    rb"(?!\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] (?:\[\d+/\d+[^\]]*\] )?torch[\w.]*: \[[A-Z]+\] "
    rb"(?:  |[Tt]o (?:diagnose|log all)))"  # not these: they go on with it
)
_HEADER = (
    _OLD_TORCH + rb"[\[(]?\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d",  # 2025-10-30 09:08, also bracketed
    rb"[\[(]?\d\d:\d\d:\d\d[., \])|]",  # 09:08:09,123
    _MONTH + rb" [ \d]\d \d\d:\d\d:\d\d\s",  # syslog
    _LEVELS + rb"(?::[\w.]+:| \d\d-\d\d \d\d:\d\d)",  # logging.basicConfig; vLLM
    rb"\[" + _LEVELS + rb" *\]",
    rb'\{"',  # JSON lines
)
_TRACEBACK = rb"(?:  \+ Exception Group )?Traceback \(most recent call last\):"
_BARE = (
    rb"(?:skipping|disabling) cudagraphs? (?:due|for)\b",
    rb"torch\._dynamo hit config\.",
    rb"\S+\.py:\d+: \w*Warning: ",
)
_LINE = re.compile(
    _PREFIX
    + rb"(?:(?P<header>%b)|(?P<glog>%b)|(?P<traceback>%b)|(?P<bare>%b))"
    % (b"|".join(_HEADER), _GLOG, _TRACEBACK, b"|".join(_BARE))
)
_KINDS = {"header": HEADER, "glog": GLOG, "traceback": TRACEBACK, "bare": BARE}
# What torch begins a message with: even with the prefix of the line before, it is another message.
_MESSAGE = re.compile(rb" ?(?:%b|Recompiling function |Graph [Bb]reak )" % b"|".join(_BARE))
_GLOG_LINE = re.compile(_PREFIX + rb"(?P<prefix>" + _GLOG + rb")(?P<rest>[^\n]*)")
_LEVEL = re.compile(rb"\b" + _LEVELS + rb"\b")
_QUIET = {b"TRACE", b"DEBUG", b"INFO", b"NOTICE"}
_CHAIN = re.compile(rb"[\s|+]*(?:During handling of the above exception|The above exception was the direct cause)")
# How torch ends what it says about an error, after an empty line.
_FOOTER = re.compile(
    rb"from user code:|Set TORCHDYNAMO_VERBOSE=|You can suppress this exception|To (?:log all|diagnose) recompilation"
)
# A stamp such as 2025-10-30 09:08, byte by byte between these; the common case, decided for all lines at once.
_LOW = np.frombuffer(b"0000-00-00 00:00", np.uint8)
_HIGH = np.frombuffer(b"9999-99-99 99:99", np.uint8)
_ALL = np.uint64(0x0101010101010101)
_BETWEEN = 10  # what stands between date and time
# Bytes a start can begin with; a space only begins an exception group's.
_CANDIDATE = np.zeros(256, np.bool_)
_CANDIDATE[
    np.frombuffer(
        b"\x1b[({/<_.~ 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        np.uint8,
    )
] = True


def classify(array: Bytes, starts: Positions) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The kind of each line of ``array`` that begins at ``starts``."""
    kinds = np.zeros(len(starts), np.uint8)
    stamped = has_stamp(array, starts)
    kinds[stamped] = HEADER
    first = array[starts]
    unsure = _CANDIDATE[first] & ~stamped
    # The many indented lines are not worth a look each: only "  +" can begin an exception group.
    follows = array[np.minimum(starts + 2, len(array) - 1)]
    unsure &= (first != 32) | (follows == 43)
    for index in np.flatnonzero(unsure).tolist():
        start = int(starts[index])
        kinds[index] = kind_of(array[start : start + LINE_HEAD].tobytes())
    return kinds


def _docker_stamped(array: Bytes, starts: Positions) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether a line has a time of nine digits, which is not the program's own."""
    last = len(array) - 1
    point, end = array[np.minimum(starts + 19, last)], array[np.minimum(starts + 29, last)]
    result: np.ndarray[Any, np.dtype[np.bool_]] = (point == 46) & (end == 90)
    return result


def has_stamp(array: Bytes, starts: Positions) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of the lines that begin at ``starts`` begin with a date and a time, and so are headers."""
    width = len(_LOW)
    result = np.zeros(len(starts), np.bool_)
    fits = starts <= len(array) - width
    if fits.any():
        windows = rows_at(array, starts[fits], width)
        between = windows[:, _BETWEEN]
        between[between == 84] = 32  # a "T" between date and time is as good as a space
        inside = (windows - _LOW <= _HIGH - _LOW).view(np.uint64)  # eight bytes of them at once
        result[fits] = (inside == _ALL).all(axis=1)
    return result & ~_docker_stamped(array, starts)


def rows_at(array: Bytes, starts: Positions, width: int) -> Bytes:
    """A matrix of the ``width`` bytes that begin at each of ``starts``, all of which lie within ``array``."""
    # As elements of so many bytes, which overlap: numpy copies each as a whole.
    windows = np.ndarray((len(array) - width + 1,), f"V{width}", array, 0, (1,))
    return windows[starts].view(np.uint8).reshape(-1, width)


def kind_of(line: bytes) -> int:
    """The kind of one line."""
    found = _LINE.match(line)
    return _KINDS[found.lastgroup] if found and found.lastgroup else OTHER


def glog_parts(line: bytes) -> tuple[bytes, bytes] | None:
    """Prefix and message of a glog line; ``None`` if it is none."""
    found = _GLOG_LINE.match(line)
    return (found["prefix"], found["rest"].rstrip(b"\r")) if found else None


def repeats_prefix(first: bytes, line: bytes) -> bool:
    """Whether the glog ``line`` carries on the message that begins with ``first``.

    torch prints the whole prefix again before each further line; the same text again is a second message of the same
    millisecond.
    """
    head, other = glog_parts(first), glog_parts(line)
    if head is None or other is None or head[0] != other[0] or _MESSAGE.match(other[1]):
        return False
    indented = not other[1].strip() or other[1].startswith(b"  ")
    return indented or (head[0].rstrip().endswith(b"]") and head[1] != other[1])


def is_quiet(line: bytes) -> bool:
    """Whether a header's level says that nothing went wrong: a traceback after it is another event."""
    glog = glog_parts(line)
    if glog is not None:
        return glog[0][:1] in {b"V", b"D", b"I"}
    found = _LEVEL.search(line)
    return found is not None and found.group() in _QUIET


def is_footer(line: bytes) -> bool:
    """Whether a line is torch's last word on the error above it."""
    return _FOOTER.match(line) is not None


def is_chain(line: bytes) -> bool:
    """Whether a line announces that the next traceback belongs to the one before."""
    return _CHAIN.match(line) is not None
