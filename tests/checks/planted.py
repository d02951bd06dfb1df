"""An interpreter that answers like a Python with torch and measures nothing: campaigns in seconds, with real processes.

It writes one line per started iteration into ``started`` beside it, waits as long as ``pace`` says, and holds still at
an iteration that ``hold`` names, until the file is gone.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.probe import children

_INTERPRETER = """#!{python}
import json, os, sys, time
from pathlib import Path

here = Path({folder!r})
torch = (here / "torch").read_text()
if sys.argv[1] == "-c":
    answer = {{"python": [3, 11, 7], "torch": True, "version": torch, "cuda": False, "error": None}}
    os.write(int(sys.argv[3]), json.dumps(answer).encode() + b"\\n")
    sys.exit()
del sys.argv[1]
{prelude}
said, say_plainly = say, say

def say(event, **fields):
    said(event, **({{**fields, "torch": torch}} if event == "environment" else fields))

name = f"{{ORDER['target']['name']}} {{ORDER['variant']['name']}} {{ORDER['regime']}} {{ORDER['iteration']}}"
with open(here / "started", "a") as log:
    log.write(name + "\\n")
begin()
time.sleep(float((here / "pace").read_text()))
while (here / "hold").exists() and (here / "hold").read_text() == name:
    time.sleep(0.01)
for index in range(ORDER["predictions"]):
    predict(index)
finish(cache_misses=0)
"""


class Planted:
    """The planted interpreter in ``folder``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.path = folder, folder / "python"
        self.torch("2.13.0")
        self.pace(0.0)
        text = _INTERPRETER.format(python=sys.executable, folder=str(folder), prelude=children.PRELUDE)
        self.path.write_text(text)
        self.path.chmod(0o755)

    def torch(self, version: str) -> None:
        """From now on it has this torch."""
        (self.folder / "torch").write_text(version)

    def pace(self, seconds: float) -> None:
        """From now on each iteration takes so long."""
        (self.folder / "pace").write_text(str(seconds))

    def hold(self, name: str) -> None:
        """Let the iteration ``name`` (target, variant, regime, index) stand still."""
        (self.folder / "hold").write_text(name)

    def let_go(self) -> None:
        (self.folder / "hold").unlink(missing_ok=True)

    @property
    def started(self) -> Counter[str]:
        """How often each iteration was begun."""
        path = self.folder / "started"
        return Counter(path.read_text().splitlines() if path.exists() else [])
