"""Answers of named queries as HTML. Everything that comes from a row is data and escaped; there is no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import quote

from kronos_health.store.history import QueryResult
from kronos_health.store.sqlfiles import REQUIRED, Query

_STYLE = """
body{font:14px/1.5 system-ui,sans-serif;margin:1.5rem;color:#1c2733;background:#fff}
a{color:#0b5cad} h1{font-size:1.3rem} h2{font-size:1.1rem;margin-top:2rem} p.question{color:#4a5763}
table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}
th,td{padding:.25rem .6rem;border-bottom:1px solid #dde3e8;text-align:left;vertical-align:top;white-space:pre-wrap}
td.number{text-align:right;font-variant-numeric:tabular-nums} td.none{color:#94a0aa}
form label{margin-right:1rem} .problem{border-left:4px solid #c4501b;padding:.5rem 1rem;background:#fdf3ee}
@media (prefers-color-scheme:dark){body{color:#dfe6ec;background:#15191d}a{color:#7fb7f0}p.question{color:#a3b0bb}
th,td{border-color:#333c44}.problem{background:#2c211b}}
"""
_MOST_ROWS = 1000
_NUMBERS = {"integer", "number"}


def catalogue(queries: Iterable[Query]) -> str:
    """A page that lists ``queries`` with what each of them answers."""
    rows = "".join(
        f'<tr><td><a href="{quote(query.name)}">{escape(query.title)}</a></td><td>{escape(query.question)}</td></tr>'
        for query in queries
    )
    return _document("Questions to the history", '<p><a href="../">Health</a></p>' + f"<table>{rows}</table>")


def answer(query: Query, given: Mapping[str, str], result: QueryResult) -> str:
    """A page with the form of ``query``, filled in as ``given``, and its answer."""
    body = (
        '<p><a href="../">Health</a> · <a href="./">all questions</a></p>'
        f'<p class="question">{escape(query.question)}</p>'
        + _form(query, given)
        + _table(query, result)
        + f"<p>On the command line: <code>kronos-health query {escape(query.name)}</code></p>"
    )
    return _document(query.title, body)


def probe(probe_id: str, parts: Iterable[tuple[Query, QueryResult]]) -> str:
    """A page about one probe: the answers in ``parts``, one under the other."""
    sections = "".join(f"<h2>{escape(query.title)}</h2>{_table(query, result)}" for query, result in parts)
    return _document(f"Probe {probe_id}", '<p><a href="../">Health</a></p>' + sections)


def problem(text: str) -> str:
    """A page that says why there is nothing to see."""
    return _document("Kronos health", f'<p class="problem">{escape(text)}</p>')


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def _form(query: Query, given: Mapping[str, str]) -> str:
    if not query.parameters:
        return ""
    fields = "".join(
        f'<label title="{escape(parameter.meaning)}">{escape(parameter.name)} '
        f'<input name="{escape(parameter.name)}" value="{escape(given.get(parameter.name, ""))}" '
        f'placeholder="{escape(_shown_default(parameter.default))}"></label>'
        for parameter in query.parameters
    )
    return f'<form method="get">{fields}<button>Ask</button></form>'


def _shown_default(default: object) -> str:
    return "needed" if default is REQUIRED else "all" if default is None else str(default)


def _table(query: Query, result: QueryResult) -> str:
    if not result.rows:
        return "<p>Nothing.</p>"
    meanings = {column.name: (column.type, column.meaning) for column in query.columns}
    kinds = [meanings.get(name, ("text", "")) for name in result.columns]
    head = "".join(
        f'<th title="{escape(meaning)}">{escape(name)}</th>'
        for name, (_, meaning) in zip(result.columns, kinds, strict=True)
    )
    rows = "".join(
        "<tr>" + "".join(_cell(value, kind) for value, (kind, _) in zip(row, kinds, strict=True)) + "</tr>"
        for row in result.rows[:_MOST_ROWS]
    )
    left = len(result.rows) - _MOST_ROWS
    more = f"<p>{left:,} more rows are not shown; ask for less.</p>" if left > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return '<td class="none">–</td>'
    if isinstance(value, datetime):
        return f"<td>{value:%Y-%m-%d %H:%M:%S} UTC</td>"
    if kind in _NUMBERS and not isinstance(value, bool):
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 100 else f"{value:,.1f}"
        return f'<td class="number">{text}</td>'
    return f"<td>{escape(str(value))}</td>"
