"""What the commands share: consoles, settings, the context."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from kronos_health.checks.context import Context
    from kronos_health.settings.loading import LoadedSettings

out = Console()
errors = Console(stderr=True)


@dataclass
class State:
    """The global options of one run of the program."""

    config: str | None = None


STATE = State()


def load() -> LoadedSettings:
    """The settings in force. Raises ``SettingsError`` with one line per problem.

    Airflow's connections are asked only where the environment holds one of ours: that is how hosts outside a task get
    them, and importing Airflow takes seconds.
    """
    from kronos_health.settings.loading import load_settings

    path = Path(STATE.config) if STATE.config else None
    loaded = load_settings(path)
    settings = loaded.settings
    names = [part.airflow_connection for part in (settings.database, settings.slack, settings.apprise)]
    if not any(name and f"AIRFLOW_CONN_{name.upper()}" in os.environ for name in names):
        return loaded
    from kronos_health.airflow_plugin.settings import connection_overrides, find_connection

    return load_settings(path, overrides=connection_overrides(loaded.settings, find_connection))


def context() -> Context:
    """Settings and a checked database. Raises ``SettingsError`` or ``StoreError``."""
    from kronos_health.checks.context import open_context

    return open_context(load().settings)


def prepared_context() -> Context:
    """As :func:`context`, after bringing the schema up to date: for ``up`` and ``check``, which start from nothing."""
    from kronos_health.checks.context import open_context
    from kronos_health.store.database import open_engine
    from kronos_health.store.migrations import upgrade

    settings = load().settings
    engine = open_engine(settings.database_url, settings.database.busy_timeout_seconds)
    upgrade(engine)
    engine.dispose()
    return open_context(settings)
