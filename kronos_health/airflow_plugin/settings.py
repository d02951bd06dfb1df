"""Settings as Airflow's processes see them: the file and the environment, overridden by connections where they exist.

Connections come from Airflow's metadata database or any secrets backend, so that neither the database's password nor
the Slack token has to stand in a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kronos_health.settings.errors import Problem, SettingsError
from kronos_health.settings.loading import LoadedSettings, load_settings
from kronos_health.settings.models import Settings

if TYPE_CHECKING:
    from airflow.sdk import Connection

Overrides = dict[str, tuple[Any, str]]
FindConnection = Callable[[str], "Connection | None"]

# Parameters of libpq that stand directly in a Postgres connection's extra, as PostgresHook passes them on.
_LIBPQ = frozenset(
    (
        "application_name",
        "channel_binding",
        "connect_timeout",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "load_balance_hosts",
        "options",
        "passfile",
        "require_auth",
        "service",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
        "tcp_user_timeout",
    )
)


def parsing_settings() -> Settings:
    """What a DAG file may know while it is parsed: file and environment only, no connection, no database."""
    return load_settings().settings


def task_settings(find: FindConnection | None = None) -> LoadedSettings:
    """The settings in force inside a task or the page; their secrets are masked in this process's logs.

    Raises ``SettingsError`` when a connection that exists cannot be used.
    """
    plain = load_settings().settings
    loaded = load_settings(overrides=connection_overrides(plain, find or find_connection))
    _mask(loaded.settings)
    return loaded


def find_connection(name: str) -> Connection | None:
    """The Airflow connection ``name``, or ``None`` where there is none."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None


def connection_overrides(settings: Settings, find: FindConnection) -> Overrides:
    """Dotted settings keys with their value and origin, from the connections that ``settings`` names."""
    overrides: Overrides = {}
    name = settings.database.airflow_connection
    if name and (connection := find(name)):
        overrides["database.url"] = (database_url(connection), f"Airflow connection {name}")
    name = settings.slack.airflow_connection
    if name and (connection := find(name)):
        for key, value in _slack_values(connection).items():
            overrides[f"slack.{key}"] = (value, f"Airflow connection {name}")
    name = settings.apprise.airflow_connection
    if name and (connection := find(name)):
        for key, value in connection.extra_dejson.items():
            overrides[f"apprise.urls.{key}"] = (str(value), f"Airflow connection {name}")
    return overrides


def database_url(connection: Connection) -> str:
    """The SQLAlchemy URL of a ``postgres`` or ``sqlite`` connection, every part quoted as it must be.

    ``Connection.get_uri()`` would say ``postgres://``, which SQLAlchemy refuses. Raises ``SettingsError`` for others.
    """
    from sqlalchemy import URL

    kind = (connection.conn_type or "").replace("-", "+").partition("+")[0]
    if kind == "sqlite":
        return f"sqlite:///{connection.host or connection.schema or ''}"
    if kind not in {"postgres", "postgresql"}:
        raise SettingsError(
            [
                Problem(
                    "database.airflow_connection",
                    f"the Airflow connection {connection.conn_id} is of type {connection.conn_type or 'none'}",
                    "Make it of type postgres (or sqlite, with the file's path as host).",
                )
            ]
        )
    url = URL.create(
        "postgresql+psycopg",
        username=connection.login or None,
        password=connection.password or None,
        host=connection.host or None,
        port=connection.port,
        database=connection.schema or None,
        query=_libpq_parameters(connection.extra_dejson),
    )
    return url.render_as_string(hide_password=False)


def _libpq_parameters(extra: Mapping[str, Any]) -> dict[str, str]:
    """The query of the URL: ``sqlalchemy_query`` as PostgresHook understands it, and libpq's own parameters."""
    query = extra.get("sqlalchemy_query")
    named = {key: value for key, value in extra.items() if key in _LIBPQ}
    return {key: str(value) for key, value in {**named, **(query if isinstance(query, dict) else {})}.items()}


def _slack_values(connection: Connection) -> dict[str, str]:
    """Keys of ``[slack]``. A ``slack`` connection holds a bot token, a ``slackwebhook`` one an incoming webhook.

    The app-level token of Socket Mode stands in the extra of the former, as ``app_token``.
    """
    extra = connection.extra_dejson
    if connection.conn_type == "slackwebhook":
        secret = connection.password or ""
        base = f"{connection.schema or 'https'}://{connection.host or 'hooks.slack.com'}/services"
        values = {"webhook_url": secret if "://" in secret else f"{base}/{secret.lstrip('/')}" if secret else ""}
    else:
        values = {
            "token": connection.password or "",
            "app_token": extra.get("app_token") or "",
            "base_url": extra.get("base_url") or "",
        }
    values["channel"] = extra.get("channel") or ""
    return {key: str(value) for key, value in values.items() if value}


def _mask(settings: Settings) -> None:
    """Tell Airflow's log masker what must never be printed; it knows connections, but not URLs made from them."""
    from airflow.sdk.log import mask_secret
    from sqlalchemy import make_url

    url = make_url(settings.database_url)
    for secret in (
        url.password,
        settings.slack.token.get_secret_value(),
        settings.slack.app_token.get_secret_value(),
        settings.slack.webhook_url.get_secret_value(),
        settings.heartbeat.url.get_secret_value(),
        *(url.get_secret_value() for url in settings.apprise.urls.values()),
    ):
        if secret:
            mask_secret(str(secret))
