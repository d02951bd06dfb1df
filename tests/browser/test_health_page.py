"""The health page as a person sees it: the verdict first, nothing from elsewhere, log text only ever text."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from sqlalchemy import Engine, update

from kronos_health.history.page import health_page
from kronos_health.store.database import reading, writing
from kronos_health.store.tables.probes import probe
from kronos_health.store.tables.revisit import decision
from tests.support.history import seven_days_of_history

pytestmark = pytest.mark.browser


@pytest.fixture
def page(sqlite_engine: Engine, now: datetime, tmp_path: Path) -> Path:
    """The page after seven days of probes, one of which failed with a message that would like to be a script."""
    with writing(sqlite_engine) as connection:
        seven_days_of_history(connection, now)
        hostile = "<script>document.title='stolen'</script><img src=x onerror=\"document.title='stolen'\">"
        connection.execute(
            update(probe).where(probe.c.message.is_not(None)).values(message=hostile, frame_code=hostile)
        )
        connection.execute(update(decision).values(reason=hostile))
    path = tmp_path / "page.html"
    with reading(sqlite_engine) as connection:
        path.write_text(health_page(connection, now, ("kronos",)), encoding="utf-8")
    return path


def it_says_the_verdict_above_the_fold_and_asks_nobody_else(browser: webdriver.Chrome, page: Path) -> None:
    browser.get(page.as_uri())
    verdict = next(item for item in browser.find_elements(By.XPATH, "//*[contains(text(), 'EAGER')]") if item.text)
    assert verdict.is_displayed()
    assert verdict.location["y"] < 600
    asked = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in asked if not name.startswith("data:")] == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def it_shows_hostile_text_as_text(browser: webdriver.Chrome, page: Path) -> None:
    browser.get(page.as_uri())
    assert browser.title != "stolen"
    assert "<script>document.title='stolen'</script>" in browser.execute_script("return document.body.textContent")


@pytest.mark.parametrize("width", [390, 1200])
def it_never_scrolls_sideways(browser: webdriver.Chrome, page: Path, width: int) -> None:
    browser.set_window_size(width, 1600)
    browser.get(page.as_uri())
    overflow = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0


def it_is_readable_in_the_dark(browser: webdriver.Chrome, page: Path) -> None:
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    browser.get(page.as_uri())
    colours = browser.execute_script(
        "const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]"
    )
    text, ground = (sum(int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]) for colour in colours)
    assert text - ground > 300, colours
