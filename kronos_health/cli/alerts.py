"""Commands about alerts: what is open, and what people do about it."""

from __future__ import annotations

import getpass
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from kronos_health.checks.errors import CheckError
from kronos_health.cli.common import context, load, out
from kronos_health.domain.logs import Severity

if TYPE_CHECKING:
    from kronos_health.checks.acting import Acted

alerts = typer.Typer(help="What is open, and acting on it: acknowledge, silence, history.")

_LENGTH = re.compile(r"(?:(\d{1,4})\s*([mhdw])\s*)+")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
WHO = typer.Option("", "--who", help="who acts; default: the user of this machine")


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(alerts, name="alerts")


@alerts.callback(invoke_without_command=True)
def alerts_command(ctx: typer.Context) -> None:
    """Open alerts with who has acknowledged and silenced them, and where their messages stand."""
    if ctx.invoked_subcommand is not None:
        return
    from kronos_health.cli.tables import open_alerts_list, rows_table
    from kronos_health.history.status import open_alerts
    from kronos_health.store.database import reading
    from kronos_health.store.history import run_query

    opened = context()
    now = opened.now()
    with reading(opened.engine) as connection:
        listed = open_alerts_list(open_alerts(connection, now), now)
        out.print(listed, markup=False, highlight=False, soft_wrap=True)
        out.print(rows_table("delivery_state", run_query(connection, "delivery_state", now=now)))


@alerts.command("show")
def show_command(fingerprint: str = typer.Argument(help="kind:key, as listed by kronos-health alerts")) -> None:
    """One alert: its state, every step with its reason, what people did, and its messages."""
    from kronos_health.cli.tables import rows_table
    from kronos_health.store.database import reading
    from kronos_health.store.history import run_query

    opened = context()
    with reading(opened.engine) as connection:
        found = run_query(connection, "alert_by_fingerprint", {"fingerprint": fingerprint}, now=opened.now())
        if not found.rows:
            raise CheckError(f"there is no alert {fingerprint!r}. Those that are open: kronos-health alerts")
        out.print(rows_table("alert", found))
        for name in ("alert_steps", "alert_messages", "alert_actions"):
            rows = run_query(connection, name, {"fingerprint": fingerprint}, now=opened.now())
            if rows.rows:
                out.print(rows_table(name, rows, upright=True))


@alerts.command("ack")
def ack_command(
    fingerprint: str = typer.Argument(help="kind:key, as listed by kronos-health alerts"),
    who: str = WHO,
    undo: bool = typer.Option(False, "--undo", help="take it back"),
) -> None:
    """Take an open alert on: no reminder and no escalation until it is over or gets worse."""
    from kronos_health.checks.acting import acknowledge, unacknowledge
    from kronos_health.domain.silences import Via

    _say((unacknowledge if undo else acknowledge)(context(), fingerprint, who or _user(), Via.CLI))


@alerts.command("silence")
def silence_command(
    matchers: list[str] = typer.Argument(
        help="kind:key of one alert, or kind=…, key=…, severity=…, source=…, target=…"
    ),
    lasting: str = typer.Option("1h", "--for", help="how long, e.g. 30m, 1h, 1d12h"),
    comment: str = typer.Option("", "--comment", help="why"),
    who: str = WHO,
) -> None:
    """Send nothing about matching alerts for a while; everything is recorded, and what is bad then is said then.

    All matchers must hold. = takes * and ? as wildcards, =~ a regular expression, != and !~ are the opposites.
    """
    from kronos_health.checks.acting import silence
    from kronos_health.domain.silences import Via

    opened = context()
    _say(silence(opened, matchers, opened.now() + _length(lasting), who or _user(), comment, Via.CLI))


@alerts.command("silences")
def silences_command() -> None:
    """Silences in force."""
    _print("alert_silences")


@alerts.command("unsilence")
def unsilence_command(
    silence_id: str = typer.Argument(help="id of the silence, as listed by kronos-health alerts silences"),
    who: str = WHO,
) -> None:
    """End a silence now; what is still bad is said at the next look."""
    from kronos_health.checks.acting import expire_silence
    from kronos_health.domain.silences import Via

    _say(expire_silence(context(), silence_id, who or _user(), Via.CLI))


@alerts.command("history")
def history_command() -> None:
    """What people did about alerts: who, when, where. What happened to them: kronos-health query alert_timeline."""
    _print("alert_actions")


@alerts.command("route")
def route_command(
    kind: str = typer.Option(..., "--kind", help="such as graph_reuse"),
    key: str = typer.Option("", "--key", help="what it is about: the part after the colon in kronos-health alerts"),
    severity: Severity = typer.Option(Severity.WARNING, "--severity", help="how severe"),
) -> None:
    """Where a message about an alert would go now, and why. Nothing is sent."""
    from kronos_health.checks.context import require_known, utc_now
    from kronos_health.checks.explaining import where_it_goes
    from kronos_health.domain.alerts import AlertKind

    require_known("kind of alert", kind, [one.value for one in AlertKind])
    for line in where_it_goes(load().settings, kind, key, severity.value, utc_now()):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def _print(query: str) -> None:
    from kronos_health.cli.tables import rows_table
    from kronos_health.store.database import reading
    from kronos_health.store.history import run_query

    opened = context()
    with reading(opened.engine) as connection:
        out.print(rows_table(query, run_query(connection, query, now=opened.now()), upright=True))


def _say(acted: Acted) -> None:
    out.print(acted.sentence, markup=False, highlight=False, soft_wrap=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user: a container started with a bare number
        return "command line"


def _length(text: str) -> timedelta:
    if not _LENGTH.fullmatch(text.strip()):
        raise CheckError(f"--for {text!r} is no length of time. Write e.g. 30m, 1h, 1d or 1d12h.")
    parts = re.findall(r"(\d+)\s*([mhdw])", text)
    return sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta())
