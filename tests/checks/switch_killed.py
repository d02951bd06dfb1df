"""``kronos-health`` that kills itself, by SIGKILL, right before or after the n-th rename of the settings file's folder.

``python -m tests.checks.switch_killed {before|after} N switch approve …``
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from kronos_health.cli import main
from kronos_health.upstream import env_file


def main_killed() -> None:
    when, number = sys.argv[1], int(sys.argv[2])
    del sys.argv[1:3]
    renamed = 0

    class Killing(type(Path())):  # type: ignore[misc]
        def replace(self, target: Path) -> Path:
            nonlocal renamed
            renamed += 1
            if renamed == number and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            done = super().replace(target)
            if renamed == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return Path(done)

    env_file.Path = Killing  # type: ignore[misc]
    main()


if __name__ == "__main__":
    main_killed()
