"""Where a logged failure happened: the innermost frame of the last traceback in a record."""

from __future__ import annotations

import re

_FRAME = re.compile(
    r'File "(?P<file>[^"\n]{1,500})", line (?P<line>\d{1,9}), in (?P<function>[^\n]{1,200})\n'
    r"[ \t]+(?P<code>[^\n]{1,500})"
)
_ADVICE = ". To prevent overwriting"  # torch writes it on the line of the code (torch/_inductor/cudagraph_trees.py)


def failing_frame(record: str) -> str | None:
    """``code (folder/file.py:line, in function)``, or ``None`` for a record without a traceback.

    The last traceback counts: torch repeats at the end of its message where the overwritten output was made.
    """
    found = list(_FRAME.finditer(record))
    if not found:
        return None
    last = found[-1]
    place = "/".join(last["file"].split("/")[-2:])
    code = last["code"].partition(_ADVICE)[0].strip()
    return f"{code} ({place}:{last['line']}, in {last['function'].strip()})"
