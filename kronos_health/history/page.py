"""The health page: one self-contained HTML document, no script, nothing fetched, every value escaped."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache as once
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from sqlalchemy import Connection

from kronos_health.domain.leaks import brief
from kronos_health.history import figures as over_time
from kronos_health.history import words
from kronos_health.history.charts import embedded, latency_chart, outcome_chart
from kronos_health.history.escaping import printable
from kronos_health.history.facts import ProbeFacts, StatusView, TargetView
from kronos_health.history.production import production_figures
from kronos_health.history.status import build_status
from kronos_health.history.verification import deployment_checks
from kronos_health.settings.models import Bounds
from kronos_health.store.history import run_query

DAYS = 30
_NEUTRAL = {None, "skipped", "lost", "worker_error"}


@dataclass(frozen=True, slots=True)
class _Reuse:
    happened_at: datetime
    source: str
    record: str


def health_page(
    connection: Connection,
    now: datetime,
    targets: Iterable[str] = (),
    bounds: Bounds | None = None,
    cache: Path | None = None,
    sources: Collection[str] | None = None,
) -> str:
    """The page at ``now`` (aware UTC). ``cache`` is a folder for matplotlib's font list; see :mod:`.charts`.

    ``sources`` are the logs under watch; ``None`` stands for every log ever scanned.
    """
    bounds = bounds or Bounds()
    view = build_status(connection, now, targets)
    return _template().render(
        title=_title(view),
        view=view,
        words=words,
        over_time=over_time,
        brief=brief,
        urgent=[alert for alert in view.alerts if alert.severity == "critical"],
        days=DAYS,
        groups={target.name: _groups(target) for target in view.targets},
        charts={target.name: _charts(connection, now, target.name, cache) for target in view.targets if target.probes},
        reuse=_last_reuse(connection, now),
        checks=deployment_checks(connection, now, bounds, sources=sources),
        production=production_figures(connection, now, bounds, sources),
        outcome_class=_outcome_class,
        severity_class=_severity_class,
    )


@once
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("kronos_health.history"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")


def _title(view: StatusView) -> str:
    decided = [f"{target.name} {target.decision.mode}" for target in view.targets if target.decision]
    return f"Kronos health: {', '.join(decided) or 'undecided'}"


def _groups(target: TargetView) -> list[tuple[str, list[ProbeFacts]]]:
    probes = (*target.probes, *target.baseline)
    return [(heading, list(group)) for heading, group in groupby(probes, key=words.evidence)]


def _charts(connection: Connection, now: datetime, target: str, cache: Path | None) -> list[Markup]:
    drawn = (
        outcome_chart(connection, now, target, DAYS, "svg", cache),
        latency_chart(connection, now, target, DAYS, "svg", cache),
    )
    # matplotlib escapes the text in its SVG; the names in it come from settings and the database.
    return [
        Markup(embedded(svg, f"{index}-{_identifier(target)}"))  # noqa: S704
        for index, svg in enumerate(drawn)
    ]


def _identifier(name: str) -> str:
    return "chart-" + "".join(sign if sign.isalnum() else "-" for sign in name)


def _last_reuse(connection: Connection, now: datetime) -> _Reuse | None:
    rows: list[dict[str, Any]] = run_query(connection, "graph_reuse_findings", {"limit": 1}, now=now).dicts()
    return _Reuse(rows[0]["happened_at"], rows[0]["source"], printable(rows[0]["record"])) if rows else None


def _outcome_class(outcome: str | None) -> str:
    return "good" if outcome == "passed" else "doubt" if outcome in _NEUTRAL else "bad"


def _severity_class(severity: str) -> str:
    return {"critical": "bad", "warning": "doubt"}.get(severity, "")
