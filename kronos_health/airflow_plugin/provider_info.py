"""What Airflow's provider manager reads through the entry point ``apache_airflow_provider``.

Every ``airflow`` process imports this while Airflow itself is still being configured, so nothing here may import
Airflow.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """The provider's description in the shape of Airflow's ``provider_info.schema.json``.

    There is no connection type of our own: the history is reached through an ordinary ``postgres`` (or ``sqlite``)
    connection and Slack through a ``slack`` one, whose providers bring the forms.
    """
    return {
        "package-name": "kronos-health",
        "name": "kronos-health",
        "description": "Production health checker for compiled forecasting models: may Kronos and Toto run compiled?",
        "extra-links": ["kronos_health.airflow_plugin.links.HealthPageLink"],
    }
