"""The shape of ``kronos_health.toml``: every key, its unit, its default and its bounds.

Unknown keys are errors. Paths are resolved against the folder of the settings file by
:mod:`kronos_health.settings.loading`.
"""

from kronos_health.settings.models.checkup import Doctor
from kronos_health.settings.models.hours import Blackout, QuietHours, Window
from kronos_health.settings.models.judging import Regression, Revisit
from kronos_health.settings.models.keeping import Database, Retention
from kronos_health.settings.models.probing import Evaluation, Probe
from kronos_health.settings.models.routing import Route
from kronos_health.settings.models.section import Section
from kronos_health.settings.models.switching import Switch
from kronos_health.settings.models.targets import LOADERS, TOTO, Candidates, Target, TargetCriteria
from kronos_health.settings.models.telling import AlertKindPolicy, Alerts, Apprise, Heartbeat, Slack
from kronos_health.settings.models.watched import Bounds, ExpectedReturn, Follow, Logs, Production, Source, Upstream
from kronos_health.settings.models.whole import Settings

__all__ = [
    "LOADERS",
    "TOTO",
    "AlertKindPolicy",
    "Alerts",
    "Apprise",
    "Blackout",
    "Bounds",
    "Candidates",
    "Database",
    "Doctor",
    "Evaluation",
    "ExpectedReturn",
    "Follow",
    "Heartbeat",
    "Logs",
    "Probe",
    "Production",
    "QuietHours",
    "Regression",
    "Retention",
    "Revisit",
    "Route",
    "Section",
    "Settings",
    "Slack",
    "Source",
    "Switch",
    "Target",
    "TargetCriteria",
    "Upstream",
    "Window",
]
