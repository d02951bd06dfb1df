"""The page is one self-contained document in which every value is text."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, update

from kronos_health.history.charts import embedded, latency_chart, outcome_chart
from kronos_health.history.page import health_page
from kronos_health.store.tables import METADATA
from kronos_health.store.tables.alerts import alert
from kronos_health.store.tables.logs import finding
from kronos_health.store.tables.probes import probe
from kronos_health.store.tables.revisit import decision

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """Tags, attributes and text of a document; complains about tags that do not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


class DescribeThePage:
    def it_shows_verdict_criteria_probes_logs_alerts_and_charts(self, connection: Connection, now: datetime) -> None:
        page = Outline(health_page(connection, now, ["kronos", "toto"]))
        for words in (
            "EAGER VERY HIGH confidence for kronos",
            "UNDECIDED for toto",
            "The four criteria to revisit it",
            "not admissible: measured on CPU",
            "rehearsal: what CUDA would do, never evidence",
            "baseline of 2025-10-30, imported",
            "fails at return output * self.weight (model/module.py:265)",
            "Last CUDA graph reuse: 2026-11-20 19:00 UTC",
            "KRONOS_COMPILE is 1 , expected not 1",
            "no outputs overwritten by a subsequent run bad",
            "off invalid_auth",
        ):
            assert words in page.text
        assert page.tags.count("svg") == 2

    def it_fetches_nothing_and_runs_nothing(self, connection: Connection, now: datetime) -> None:
        page = Outline(health_page(connection, now))
        assert not {"script", "link", "iframe", "object", "embed", "img"} & set(page.tags)
        assert not [name for name, _value in page.attributes if name.startswith("on")]
        links = [value for name, value in page.attributes if name in {"href", "src", "xlink:href", "action"}]
        assert all(link.startswith("#") for link in links)

    def it_keeps_hostile_text_as_text(self, connection: Connection, now: datetime) -> None:
        hostile = "<script>alert(1)</script>\"'><svg onload=x>&amp;{{ 7*7 }}"
        connection.execute(update(alert).values(title=hostile))
        connection.execute(update(finding).values(record=hostile))
        connection.execute(update(decision).values(sentence=hostile, next_step=hostile))
        connection.execute(update(probe).where(probe.c.variant == "eager").values(variant=hostile))
        page = Outline(health_page(connection, now))
        assert "script" not in page.tags
        assert not [name for name, _value in page.attributes if name == "onload"]
        assert page.text.count(hostile) >= 4

    def it_says_what_is_not_known_before_the_first_check(self, connection: Connection, now: datetime) -> None:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(delete(table))
        page = Outline(health_page(connection, now, ["kronos"]))
        assert "UNDECIDED for kronos" in page.text
        assert "No log has been scanned: unknown." in page.text
        assert "svg" not in page.tags

    def it_can_be_read_by_day_and_by_night(self, connection: Connection, now: datetime) -> None:
        html = health_page(connection, now)
        assert "prefers-color-scheme: dark" in html
        assert 'name="viewport"' in html


class DescribeCharts:
    @pytest.mark.parametrize("chart", [latency_chart, outcome_chart])
    def it_draws_png_and_svg(self, connection: Connection, now: datetime, chart: object) -> None:
        assert callable(chart)
        assert chart(connection, now).startswith(b"\x89PNG")
        svg = chart(connection, now, image="svg").decode()
        assert svg.startswith("<svg")
        assert "eager (CUDA)" in svg
        assert "currentColor" in svg
        assert "#123456" not in svg

    def it_shows_the_outcome_of_every_day_and_variant(self, connection: Connection, now: datetime) -> None:
        svg = outcome_chart(connection, now, image="svg").decode()
        assert svg.count(">5/5<") == 3 * 7
        assert svg.count(">0/5<") == 2 * 7
        assert "compiled (rehearsal)" in svg

    def it_says_when_there_is_nothing_to_draw(self, connection: Connection, now: datetime) -> None:
        assert "no probe has measured this yet" in latency_chart(connection, now, "none", image="svg").decode()

    def it_gives_the_same_bytes_for_the_same_data(self, connection: Connection, now: datetime) -> None:
        assert latency_chart(connection, now, image="svg") == latency_chart(connection, now, image="svg")

    def it_makes_ids_unique_on_a_page(self) -> None:
        svg = b'<svg><path id="a"/><use href="#a" clip-path="url(#ab)"/><g id="ab"/></svg>'
        assert (
            embedded(svg, "x") == '<svg><path id="x-a"/><use href="#x-a" clip-path="url(#x-ab)"/><g id="x-ab"/></svg>'
        )

    def it_writes_only_where_it_is_told(self, tmp_path: Path) -> None:
        home, cache = tmp_path / "home", tmp_path / "cache"
        home.mkdir()
        program = (
            "from pathlib import Path; from kronos_health.history import charts; "
            f"charts._keep_to_ourselves(Path({str(cache)!r})); import matplotlib.font_manager"
        )
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("MPL", "XDG"))}
        subprocess.run([sys.executable, "-c", program], env={**environ, "HOME": str(home)}, check=True)
        assert list(home.iterdir()) == []
        assert list(cache.glob("fontlist-*.json"))


def it_keeps_heavy_libraries_out_of_a_status(tmp_path: Path) -> None:
    program = (
        "import sys; from kronos_health.history import screen, status, report, tables, page; "
        "print([name for name in ('matplotlib', 'torch', 'pandas', 'scipy', 'airflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
