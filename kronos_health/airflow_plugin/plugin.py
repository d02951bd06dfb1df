"""The plugin class that Airflow loads through the entry point ``airflow.plugins``."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from kronos_health.airflow_plugin.links import PREFIX


class KronosHealthPlugin(AirflowPlugin):
    """A page in Airflow's navigation, served by the api-server."""

    name = "kronos_health"
    external_views = [  # noqa: RUF012 - as Airflow declares it
        {
            "name": "Kronos health",
            # No leading slash: the address is relative to Airflow's own, whatever stands before it. The trailing one
            # is where a mounted application answers.
            "href": f"{PREFIX.lstrip('/')}/",
            "url_route": "kronos-health",
            "destination": "nav",
        }
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The page. A property: every Airflow process loads the plugin, only the api-server asks for this."""
        from kronos_health.airflow_plugin.page import create_page

        return [{"app": create_page(), "url_prefix": PREFIX, "name": "Kronos health"}]
