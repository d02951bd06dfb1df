"""Whether the checks can work with the settings: what they would trip over, asked of the parts that would do so.

:mod:`kronos_health.settings.reachable` looks at paths, interpreters and time zones; this asks the log catalogue, the
variants and the database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from kronos_health.alerts.by_apprise import PREFIX
from kronos_health.alerts.registry import open_channels
from kronos_health.logs.catalogue import load_catalogue
from kronos_health.logs.errors import CatalogueError
from kronos_health.probe.variants import UnknownVariant, find_variant
from kronos_health.settings.errors import Problem
from kronos_health.settings.models import Settings
from kronos_health.store.database import open_engine
from kronos_health.store.errors import SchemaOutdated, StoreError
from kronos_health.store.migrations import check


def check_usable(settings: Settings, origins: Mapping[str, str], known: Collection[str] = ()) -> tuple[Problem, ...]:
    """Everything in ``settings`` that a check would refuse; ``known`` are keys that are reported already.

    The database is connected to and left as it is. One that is not there yet is a warning: ``db upgrade`` makes it.
    """
    looks: tuple[Callable[[Settings], Iterator[Problem]], ...] = (_catalogue, _variants, _database, _channels)
    found = (problem for look in looks for problem in look(settings) if problem.key not in known)
    return tuple(replace(problem, origin=origins.get(problem.key, "")) for problem in found)


def _catalogue(settings: Settings) -> Iterator[Problem]:
    for key, catalogue, patterns in (
        ("logs.catalogue", settings.logs.catalogue, {}),
        *((f"logs.patterns.{name}", None, {name: pattern}) for name, pattern in settings.logs.patterns.items()),
    ):
        try:
            load_catalogue(catalogue, patterns)
        except CatalogueError as error:
            yield Problem(key, str(error).removeprefix(f"{key}: "))


def _variants(settings: Settings) -> Iterator[Problem]:
    for name in settings.probe.variants:
        try:
            find_variant(name)
        except UnknownVariant as error:
            yield Problem("probe.variants", str(error))


def _database(settings: Settings) -> Iterator[Problem]:
    try:
        check(open_engine(settings.database_url, settings.database.busy_timeout_seconds))
    except SchemaOutdated as error:
        yield Problem("database.url", str(error), severity="warning")
    except StoreError as error:
        yield Problem("database.url", str(error).removeprefix("database.url "))


def _channels(settings: Settings) -> Iterator[Problem]:
    needs = {"slack": ("token", settings.slack.token), "slack_webhook": ("webhook_url", settings.slack.webhook_url)}
    for name in (*settings.alerts.channels, settings.alerts.fallback, settings.alerts.escalate_channel):
        if name.startswith(PREFIX):
            yield from _apprise(name, settings)
        elif name in needs and not needs[name][1].get_secret_value():
            message = f"names {name}, and slack.{needs[name][0]} is empty here"
            fix = f"Set it, or give tasks the Airflow connection {settings.slack.airflow_connection}."
            yield Problem("alerts.channels", message, fix, severity="warning")


def _apprise(name: str, settings: Settings) -> Iterator[Problem]:
    """Whether the address is set and one that Apprise, if it is installed, understands."""
    key = f"apprise.urls.{name.removeprefix(PREFIX)}"
    channel = open_channels(settings).get(name)
    if channel is None:
        fix = f"Set it, or give tasks the Airflow connection {settings.apprise.airflow_connection}."
        yield Problem("alerts.channels", f"names {name}, and {key} is empty here", fix, severity="warning")
        return
    found = channel.check()
    if found.ok is False:
        yield Problem(key, found.detail)
