"""Asks every route of the health page without a login and with one, and writes the answers; see ``run_program``."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute

from kronos_health.airflow_plugin import KronosHealthPlugin

FILLED = {"{name}": "latest_probes", "{probe_id}": "0190-none"}


def addresses(routes: list[BaseRoute], prefix: str) -> list[tuple[str, str]]:
    found = []
    for route in routes:
        path = prefix + str(getattr(route, "path", "?"))
        for placeholder, value in FILLED.items():
            path = path.replace(placeholder, value)
        methods = sorted(route.methods - {"HEAD"}) if isinstance(route, APIRoute) else ["NOT AN API ROUTE"]
        found += [(method, path) for method in methods]
    return found


def main() -> None:
    manager = create_auth_manager()
    manager.init()
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    mounted = KronosHealthPlugin().fastapi_apps
    for entry in mounted:
        outer.mount(entry["url_prefix"], entry["app"])
    client = TestClient(outer, raise_server_exceptions=False)
    token = manager.generate_jwt(SimpleAuthManagerUser(username="admin", role="admin"))
    login = {"Authorization": f"Bearer {token}"}
    extra = [
        ("GET", "/kronos-health/docs"),
        ("GET", "/kronos-health/openapi.json"),
        ("GET", "/kronos-health/queries/no_such_query"),
        ("GET", "/kronos-health/queries/latest_probes?nonsense=1"),
        ("GET", "/kronos-health/queries/log_sources"),
        ("POST", "/kronos-health/queries/latest_probes"),
    ]
    walked = [address for entry in mounted for address in addresses(entry["app"].routes, entry["url_prefix"])]
    answers = {}
    for method, path in [*walked, *extra]:
        without, logged_in = client.request(method, path), client.request(method, path, headers=login)
        answers[f"{method} {path}"] = {
            "without": without.status_code,
            "forged": client.request(method, path, headers={"Authorization": f"Bearer {token[:-6]}AAAAAA"}).status_code,
            "status": logged_in.status_code,
            "body": logged_in.text[:200_000],
            "headers": dict(logged_in.headers),
        }
    Path(sys.argv[1]).write_text(json.dumps({"walked": [" ".join(one) for one in walked], "answers": answers}))


if __name__ == "__main__":
    asyncio.set_event_loop(asyncio.new_event_loop())
    main()
