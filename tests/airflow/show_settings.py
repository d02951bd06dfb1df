"""Writes the settings that a task would see with given Airflow connections; see ``run_program``.

``python -m tests.airflow.show_settings OUT.json '{"case": {"AIRFLOW_CONN_…": "…"}}'`` writes them per case.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from kronos_health.airflow_plugin.settings import parsing_settings, task_settings
from kronos_health.settings.errors import SettingsError


def look() -> dict[str, object]:
    try:
        loaded = task_settings()
    except SettingsError as error:
        return {"error": str(error)}
    settings = loaded.settings
    return {
        "database": settings.database_url,
        "database_origin": loaded.origins["database.url"],
        "token": settings.slack.token.get_secret_value(),
        "app_token": settings.slack.app_token.get_secret_value(),
        "webhook": settings.slack.webhook_url.get_secret_value(),
        "base_url": settings.slack.base_url,
        "channel": settings.slack.channel,
        "channel_origin": loaded.origins["slack.channel"],
        "apprise": {name: url.get_secret_value() for name, url in settings.apprise.urls.items()},
        "while_parsing": parsing_settings().database_url,
    }


def main() -> None:
    found = {}
    for case, environ in json.loads(sys.argv[2]).items():
        os.environ.update(environ)
        found[case] = look()
        for name in environ:
            del os.environ[name]
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
