"""A context over a real database, with a clock the test owns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from kronos_health.checks import probing
from kronos_health.checks.context import Context
from kronos_health.checks.probing import CampaignSummary
from kronos_health.domain.probes import ProbeSpec
from kronos_health.probe.progress import ProgressListener
from kronos_health.settings.models import Settings
from kronos_health.store.database import reading

# For what takes long and does not depend on the dialect: the repositories below are tested on both.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def move(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@pytest.fixture
def clock(now: datetime) -> Clock:
    return Clock(now)


def run_planned(
    context: Context, specs: Iterable[ProbeSpec], on_progress: ProgressListener | None = None
) -> CampaignSummary:
    """A campaign of just these, as a face that lets a person pick from the plan would run it."""
    chosen = tuple(specs)
    campaign = probing.start_campaign(context, chosen)
    for spec in chosen:
        probing.run_probe(context, campaign, spec, on_progress)
    return probing.finish_campaign(context, campaign)


MakeContext = Callable[..., Context]


@pytest.fixture
def make_context(engine: Engine, clock: Clock, tmp_path: Path) -> MakeContext:
    """``make_context(**sections)``: settings from plain values, state under the test's own folder.

    A scan takes the last record of a log for ended at once, where production waits a second for more of it.
    """

    def make(**sections: Any) -> Context:
        logs = {"idle_seconds": 0, **sections.pop("logs", {})}
        settings = Settings.model_validate({"state_dir": tmp_path / "var", "logs": logs, **sections})
        return Context(settings, engine, clock)

    return make


@pytest.fixture
def rows(engine: Engine) -> Callable[[str], list[dict[str, Any]]]:
    """Rows of a statement, as a person asking SQL would get them."""

    def ask(statement: str) -> list[dict[str, Any]]:
        with reading(engine) as connection:
            return [dict(row) for row in connection.execute(text(statement)).mappings()]

    return ask
