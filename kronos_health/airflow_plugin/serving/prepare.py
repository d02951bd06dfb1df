"""Brings both databases up to date, Airflow's own and the history, as a process in Airflow's environment.

Only there can the history's database be found through an Airflow connection.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Migrate both; returns the exit status, with one line on stderr for what a person must mend."""
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", "db", "migrate"]
    airflow()  # type: ignore[no-untyped-call]
    return _prepare_history()


def _prepare_history() -> int:
    """Migrate the history and import the baseline of 2025-10-30, which every later figure is shown beside."""
    from kronos_health.airflow_plugin.settings import task_settings
    from kronos_health.checks.baseline import import_shipped
    from kronos_health.checks.context import open_context
    from kronos_health.checks.errors import CheckError
    from kronos_health.settings.errors import SettingsError
    from kronos_health.store.database import open_engine
    from kronos_health.store.errors import StoreError
    from kronos_health.store.migrations import upgrade

    try:
        settings = task_settings().settings
        engine = open_engine(settings.database_url, settings.database.busy_timeout_seconds)
        upgrade(engine)
        engine.dispose()
        import_shipped(open_context(settings))
    except (SettingsError, StoreError, CheckError) as error:
        sys.stderr.write(f"{PROBLEM}{error}\n")
        return 2
    return 0


PROBLEM = "kronos-health: "  # marks the lines on stderr that are meant for the terminal

if __name__ == "__main__":
    sys.exit(main())
