"""The health page: a small application that Airflow's api-server mounts, for people who are logged in there.

Airflow authenticates none of a plugin's routes, so the whole application depends on :func:`reader`, and FastAPI's own
documentation routes, which would not, are off. Nothing is written here, and SQL is only asked by name: a caller brings
values of declared parameters, never text that becomes a statement.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from kronos_health.airflow_plugin import answers

if TYPE_CHECKING:
    from kronos_health.checks.context import Context

# Whoever may look at this DAG may look at what it decides from.
GUARDING_DAG = "kronos_revisit"

# Airflow's UI shows the page in a frame of its own; nothing else may, and the page loads nothing from anywhere.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def reader(user: BaseUser = Depends(get_user)) -> BaseUser:  # noqa: B008 - this is how FastAPI takes dependencies
    """The person asking. 401 for nobody (raised by Airflow's ``get_user``), 403 for who may not see our DAGs."""
    allowed = get_auth_manager().is_authorized_dag(method="GET", details=DagDetails(id=GUARDING_DAG), user=user)
    if not allowed:
        raise HTTPException(403, f"You may not see the DAG {GUARDING_DAG}, so you may not see what it rests on.")
    return user


def create_page() -> FastAPI:
    """The application, to be mounted by Airflow's api-server."""
    page = FastAPI(
        title="Kronos health", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(reader)]
    )
    page.middleware("http")(_protect)
    page.get("/", response_class=HTMLResponse)(health)
    page.get("/api/status")(status)
    page.get("/queries/", response_class=HTMLResponse)(list_of_queries)
    page.get("/queries/{name}", response_class=HTMLResponse)(query)
    page.get("/probes/{probe_id}", response_class=HTMLResponse)(probe)
    for error, code in _errors().items():
        page.add_exception_handler(error, _explained(code))
    return page


def health() -> HTMLResponse:
    """Verdict, criteria, probes, logs, alerts and charts on one page."""
    from kronos_health.history.page import health_page

    with _history() as (context, connection):
        settings = context.settings
        cache = settings.state_dir / "cache" / "matplotlib"
        page = health_page(
            connection, context.now(), tuple(settings.targets), settings.bounds, cache, tuple(settings.sources)
        )
        return HTMLResponse(page)


def status() -> JSONResponse:
    """What the page shows, as JSON: one object in the shape of ``kronos_health.history.facts.StatusView``."""
    from pydantic import TypeAdapter

    from kronos_health.history.facts import StatusView
    from kronos_health.history.status import build_status

    with _history() as (context, connection):
        view = build_status(connection, context.now(), tuple(context.settings.targets))
    return JSONResponse(TypeAdapter(StatusView).dump_python(view, mode="json"))


def list_of_queries() -> HTMLResponse:
    """The named queries with their questions."""
    from kronos_health.store.history import list_queries

    return HTMLResponse(answers.catalogue(list_queries()))


def query(name: str, request: Request) -> HTMLResponse:
    """The answer of one named query; its parameters are the address's, an empty one means its default."""
    from kronos_health.store.history import list_queries, run_query

    given = {key: value for key, value in request.query_params.items() if value != ""}
    with _history() as (context, connection):
        result = run_query(connection, name, given, now=context.now())
    asked = next(known for known in list_queries() if known.name == name)
    return HTMLResponse(answers.answer(asked, given, result))


def probe(probe_id: str) -> HTMLResponse:
    """Iterations and predictions of one probe."""
    from kronos_health.store.history import list_queries, run_query

    known = {asked.name: asked for asked in list_queries()}
    with _history() as (context, connection):
        parts = [
            (known[name], run_query(connection, name, {"probe_id": probe_id}, now=context.now()))
            for name in ("iterations_of_probe", "predictions_of_probe")
        ]
    return HTMLResponse(answers.probe(probe_id, parts))


@contextmanager
def _history() -> Iterator[tuple[Context, Any]]:
    """Settings with Airflow's connections, and a read of the history; a page is rare, so nothing is kept open."""
    from kronos_health.airflow_plugin.settings import task_settings
    from kronos_health.checks.context import Origin, open_context
    from kronos_health.store.database import reading

    context = open_context(task_settings().settings, Origin("page"))
    try:
        with reading(context.engine) as connection:
            yield context, connection
    finally:
        context.engine.dispose()


async def _protect(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


def _errors() -> dict[type[Exception], int]:
    from kronos_health.settings.errors import SettingsError
    from kronos_health.store.errors import StoreError
    from kronos_health.store.history import QueryError

    return {QueryError: 400, StoreError: 503, SettingsError: 503}


def _explained(code: int) -> Callable[[Request, Exception], HTMLResponse]:
    """A handler that shows the error's own line: it was written for people."""

    def explain(_request: Request, error: Exception) -> HTMLResponse:
        return HTMLResponse(answers.problem(str(error)), status_code=code)

    return explain
