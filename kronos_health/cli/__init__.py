"""``kronos-health``: the command line, a thin face over :mod:`kronos_health.checks` and :mod:`kronos_health.history`.

Exit status of every command: 0 all is well, 1 something wants attention, 2 it could not be done (the line on standard
error says why and what helps).
"""

from kronos_health.cli.main import main

__all__ = ["main"]
