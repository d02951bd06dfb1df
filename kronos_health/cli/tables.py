"""How what the command line alone prints looks; tables that other faces show too are in ``history/tables.py``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kronos_health.history.words import age, counted, figure, quietly, stamp

if TYPE_CHECKING:
    from kronos_health.checks.delivering import DeliverySummary
    from kronos_health.checks.following import Answer
    from kronos_health.checks.watching import WatchSummary
    from kronos_health.history.facts import AlertFacts
    from kronos_health.probe.variants import Variant
    from kronos_health.store.history import QueryResult
    from kronos_health.store.sqlfiles import Query


_COLUMNS_ON_A_LINE = 9


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def watch_table(summary: WatchSummary) -> Table:
    """News, drift, and what could not be looked up."""
    table = _table("", "What", "Which", "More")
    for release in summary.releases:
        table.add_row("new release", f"{release.package} {release.version}", "")
    for revision in summary.revisions:
        table.add_row("new commit", f"{revision.repository} {revision.commit[:12]}", Text(revision.subject))
    for drift in summary.drifts:
        actual = "not set" if drift.actual is None else drift.actual
        table.add_row(
            Text("drift", style="bold red"), f"{drift.key} in {drift.where}", f"{actual}, expected {drift.expected}"
        )
    for deployment in summary.deployments:
        table.add_row("deployment", deployment.origin, Text(deployment.note))
    for unknown in summary.unknowns:
        table.add_row(Text("unknown", style="yellow"), unknown.subject, Text(unknown.reason))
    if not table.row_count:
        table.add_row("nothing new", "", "production follows the decision")
    return table


def delivery_lines(summary: DeliverySummary) -> list[str]:
    """What a delivery did, as sentences."""
    lines = [f"{counted(summary.sent, 'message')} sent, {summary.waiting} waiting, {summary.dead} given up."]
    if summary.waiting_until:
        lines.append(f"The next can go out at {stamp(summary.waiting_until)}.")
    lines += [f"refused: {name}; its messages are kept" for name in summary.disabled_channels]
    return lines + list(summary.problems)


def open_alerts_list(alerts: Iterable[AlertFacts], now: datetime) -> str:
    """Open alerts, the most severe first, each with who looks after it and until when nothing is sent.

    One below the other: names are there to be copied, and would be cut to fit a table of eighty columns.
    """
    lines: list[str] = []
    for alert in alerts:
        seen = f"seen {counted(alert.occurrences, 'time')}"
        lines.append(f"{alert.severity} · {alert.state} for {age(alert.since, now)} · {seen}: {alert.title}")
        told = ", ".join(quietly(alert)) or ("cannot be seen" if alert.unknown_since else "")
        lines += [f"    {told}"] if told else []
        lines.append(f"    kronos-health alerts show {shlex.quote(alert.fingerprint)}")
    return "\n".join(lines or ["No alert is open."])


def answer_lines(done: Answer) -> list[str]:
    """What following brought that is worth a line: findings, what could not be read, messages."""
    lines = [f"{one.source}: {one.problem}" for one in done.scans if one.problem]
    for one in done.scans:
        if one.findings_by_signature:
            found = ", ".join(f"{name} ×{count:,}" for name, count in sorted(one.findings_by_signature.items()))
            lines.append(f"{one.source}: {found}")
    for delivery in done.deliveries:
        if delivery.sent or delivery.dead or delivery.problems or delivery.disabled_channels:
            lines += delivery_lines(delivery)
    return lines


def variants_list(variants: Iterable[Variant]) -> RenderableType:
    """Names to copy, each with what it is and what production would change; too wide for columns on a terminal."""
    lines: list[RenderableType] = []
    for variant in variants:
        lines.append(Text(variant.name, style="bold"))
        lines.append(Padding(Text(variant.summary), (0, 0, 0, 4)))
        lines.append(Padding(Text(f"production: {variant.production_change}", style="dim"), (0, 0, 0, 4)))
    return Group(*lines)


def queries_table(queries: Iterable[Query]) -> Table:
    """Every named query with its question and parameters."""
    table = _table("kronos-health query NAME --param name=value", "Name", "Question", "Parameters")
    for query in queries:
        parameters = ", ".join(f"{item.name} ({item.type})" for item in query.parameters)
        table.add_row(query.name, query.question, parameters)
    return table


def rows_table(name: str, result: QueryResult, upright: bool = False) -> RenderableType:
    """Rows of a query, one below the other where there are too many columns for a line; log text is shown as text.

    ``upright``: in any case, where there are names to be copied, which columns would cut.
    """
    title = name.replace("_", " ")
    if (upright or len(result.columns) > _COLUMNS_ON_A_LINE) and result.rows:
        return Group(*(_upright(f"{title} {number}", row, result) for number, row in enumerate(result.rows, 1)))
    table = _table(title, *result.columns)
    for row in result.rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    if not result.rows:
        table.add_row(*_padded("no rows", len(result.columns)))
    return table


def _upright(title: str, row: Sequence[Any], result: QueryResult) -> Table:
    """One row as name and value; what is empty is left out."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    for column, value in zip(result.columns, row, strict=True):
        if value is not None:
            table.add_row(Text(column, style="bold"), Text(_cell(value)))
    return table


def _padded(word: str, width: int) -> Sequence[str]:
    return (word, *("" for _ in range(width - 1)))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return stamp(value)
    return figure(value) if isinstance(value, float) else str(value)
