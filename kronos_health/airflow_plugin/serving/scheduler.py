"""Airflow's scheduler with this project's modules already imported: every task is forked from it.

Importing them costs a task half a second of processor time, on a busy machine several seconds, between a line in a log
and its message. Only modules are shared: nothing is opened, and no thread is started.
"""

from __future__ import annotations

import sys
from importlib import import_module

# What the tasks of the quick paths use; a probe's own modules are in processes of their own anyway.
PRELOADED = (
    "kronos_health.airflow_plugin.tasks",
    "kronos_health.airflow_plugin.triggers",
    "kronos_health.alerts.slack.channel",
    "kronos_health.alerts.slack.webhook",
    "kronos_health.checks.delivering",
    "kronos_health.checks.following",
    "kronos_health.checks.revisiting",
    "kronos_health.checks.scanning",
)


def main() -> None:
    """Import, and become ``airflow`` with the words given."""
    for name in PRELOADED:
        import_module(name)
    from airflow.__main__ import main as airflow

    sys.argv[0] = "airflow"
    airflow()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
