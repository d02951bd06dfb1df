"""The Airflow face: settings with connections, tasks, the probe operator, the page, and what ``up`` runs.

``KronosHealthPlugin`` is found lazily: Airflow imports this package for its provider info while it is still being
configured, and importing Airflow from here then would go round in a circle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kronos_health.airflow_plugin.plugin import KronosHealthPlugin

__all__ = ["KronosHealthPlugin"]


def __getattr__(name: str) -> Any:
    """Import the plugin class when Airflow asks for it."""
    if name == "KronosHealthPlugin":
        from kronos_health.airflow_plugin.plugin import KronosHealthPlugin

        return KronosHealthPlugin
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
