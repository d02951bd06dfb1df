"""The original system's figures are in the history once, however often they are imported."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from kronos_health.domain.probes import Outcome
from kronos_health.probe.baseline import read_results, shipped
from kronos_health.store import probe_history
from kronos_health.store.baseline import Imported, import_baseline
from kronos_health.store.database import reading, writing
from kronos_health.store.tables.probes import campaign, iteration
from kronos_health.store.tables.revisit import decision

DAY = datetime(2025, 10, 30, tzinfo=UTC)


def bring_in(engine: Engine) -> Imported:
    baseline = shipped()
    with writing(engine) as connection:
        return import_baseline(connection, baseline.recorded_at, baseline.probes, baseline.decisions)


def it_imports_the_figures_of_the_day_once(engine: Engine) -> None:
    assert bring_in(engine) == Imported(probes=4, decisions=2)
    assert bring_in(engine) == Imported(probes=0, decisions=0)

    with reading(engine) as connection:
        compiled, eager = sorted(probe_history.recent_probes(connection, "kronos"), key=lambda record: record.variant)
        assert len(probe_history.recent_probes(connection, "toto")) == 2
        rows = connection.execute(select(decision).order_by(decision.c.target)).mappings().all()
        maes = connection.execute(
            select(iteration.c.mae).where(iteration.c.probe_id == eager.probe_id).order_by(iteration.c.index)
        ).scalars()
        assert list(maes) == [34254.85, 34141.65, 39055.57, 37419.44, 35927.19]
        assert len(connection.execute(select(campaign)).all()) == 1
    assert (eager.imported, eager.outcome, eager.passed, eager.requested) == (True, Outcome.PASSED, 5, 5)
    assert eager.environment is None
    assert (compiled.outcome, compiled.passed, compiled.requested) == (Outcome.GRAPH_REUSE, 0, 5)
    assert compiled.failure is not None
    assert compiled.failure.frame is not None
    assert compiled.failure.frame.code == "return output * self.weight"
    assert [(row["target"], row["mode"], row["imported"], row["decided_at"]) for row in rows] == [
        ("kronos", "EAGER", True, DAY),
        ("toto", "EAGER", True, DAY),
    ]


def it_knows_the_same_content_whatever_date_it_comes_with(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "kronos_benchmark_results.json"
    lists = {"mae_list": [1.0, 3.0], "time_list": [200.0, 100.0]}
    path.write_text(json.dumps({"results": {"eager": lists, "compiled": lists}, "decision": "COMPILED"}))

    def bring(target: str = "kronos", recorded: datetime | None = None) -> Imported:
        found = read_results(path, target, recorded)
        with writing(engine) as connection:
            return import_baseline(connection, found.recorded_at, found.probes, found.decisions)

    assert bring() == Imported(probes=2, decisions=1)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert bring() == Imported(probes=0, decisions=0)
    assert bring(recorded=DAY) == Imported(probes=0, decisions=0)
    with reading(engine) as connection:
        assert len(connection.execute(select(campaign)).all()) == 1, "no empty campaign for another date"
    assert bring("toto") == Imported(probes=2, decisions=1)
    path.write_text(path.read_text().replace("200.0", "201.0"))
    assert bring().probes == 2


def it_gives_imported_rows_ids_that_sort_by_their_own_time(engine: Engine, now: datetime) -> None:
    from kronos_health.store.types import new_id

    bring_in(engine)
    with reading(engine) as connection:
        (imported,) = connection.execute(select(campaign.c.id)).scalars()
    assert imported < new_id()
    assert imported[14] == "7"


def it_refuses_to_import_what_was_run_here(engine: Engine) -> None:
    own = replace(shipped().probes[0], imported=False)
    with pytest.raises(ValueError, match="only probes read from a results file"), writing(engine) as connection:
        import_baseline(connection, DAY, [own], [])
