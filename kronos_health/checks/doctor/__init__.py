"""The doctor looks at the checker itself: what it stands on, whether it keeps up, whether its word gets out.

:func:`examine` only looks. :func:`tell` looks, raises alerts and pings the heartbeat address, as the DAG does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kronos_health.alerts.heartbeat import Pings
from kronos_health.checks.context import Clock, Context, open_context, utc_now
from kronos_health.checks.doctor import telling
from kronos_health.checks.doctor.diagnosis import Checkup, Diagnosis, Standing
from kronos_health.checks.doctor.figures import AirflowFigures
from kronos_health.checks.doctor.gathering import AskAirflow, gather
from kronos_health.checks.doctor.judging import judge
from kronos_health.settings.models import Settings
from kronos_health.store.errors import StoreError

__all__ = ["AirflowFigures", "AskAirflow", "Checkup", "Diagnosis", "Standing", "examine", "tell"]


def examine(
    settings: Settings, ask_airflow: AskAirflow, origins: Mapping[str, str] | None = None, clock: Clock = utc_now
) -> Checkup:
    """Look at everything, and leave it as it is. Never raises for what it finds, an unreachable database included."""
    return judge(gather(settings, clock, ask_airflow, origins or {}), settings)


def tell(
    settings: Settings, ask_airflow: AskAirflow, origins: Mapping[str, str] | None = None, clock: Clock = utc_now
) -> Checkup:
    """Look, raise and resolve the alerts about the checker, and ping the heartbeat address.

    Where the database is away no alert can be raised: then the ping is what gets out.
    """
    pings = Pings(settings.heartbeat, "doctor")
    pings.start()
    checkup = examine(settings, ask_airflow, origins, clock)
    try:
        context = open_context(settings, clock=clock)
    except StoreError:
        pass  # the checkup has a line about it
    else:
        checkup = _with_alerts(context, checkup)
    lost = telling.end(pings, checkup)
    if not lost:
        return checkup
    step = "kronos-health config check  # heartbeat.url, and whether it can be reached from here"
    return replace(checkup, lines=(*checkup.lines, Diagnosis("heartbeat", Standing.ATTENTION, lost, step)))


def _with_alerts(context: Context, checkup: Checkup) -> Checkup:
    try:
        telling.raise_alerts(context, checkup)
    except StoreError as error:  # it went away, or somebody else holds it: the next look tells
        what = f"no alert could be raised: {' '.join(str(error).split())}"
        line = Diagnosis("database", Standing.FAILED, what, "kronos-health db check")
        return replace(checkup, lines=(*checkup.lines, line))
    finally:
        context.engine.dispose()
    return checkup
