"""Links from a task in Airflow's UI to the health page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink, conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

PREFIX = "/kronos-health"


def page_address(path: str = "") -> str:
    """The address of the health page behind Airflow's ``[api] base_url``; host-relative where that is not set."""
    base = conf.get("api", "base_url", fallback="") or ""
    return f"{base.rstrip('/')}{PREFIX}/{path}"


class HealthPageLink(BaseOperatorLink):
    """Opens what the health page knows of the probe that this task ran."""

    name = "Kronos health"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The probe's own page once the task has stored one, the health page until then."""
        probe_id = getattr(operator, "probe_id", None)
        return page_address(f"probes/{quote(probe_id)}" if probe_id else "")
