"""What a command does not import, so that it answers at once: each brings in only what it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from kronos_health.cli import main
try:
    main()
finally:
    print("IMPORTED", *sys.modules)
"""
FOR_MODELS = frozenset({"torch", "pandas", "scipy", "sktime"})
FOR_PICTURES_AND_AIRFLOW = frozenset({"matplotlib", "airflow"})
FOR_THE_DATABASE = frozenset({"sqlalchemy", "alembic", "kronos_health.store.tables"})
FOR_PROBES = frozenset({"kronos_health.checks.probing", "kronos_health.probe.supervisor", "psutil"})
FOR_SETTINGS = frozenset({"pydantic_settings", "kronos_health.settings.models"})
HEAVY = FOR_MODELS | FOR_PICTURES_AND_AIRFLOW


def imported(folder: Path, *words: str) -> frozenset[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return frozenset(done.stdout.rpartition("IMPORTED")[2].split())


@pytest.mark.parametrize("words", ["--version", "--help", "probe --help"])
def it_needs_neither_settings_nor_a_database_to_tell_about_itself(words: str, tmp_path: Path) -> None:
    unneeded = HEAVY | FOR_THE_DATABASE | FOR_PROBES | FOR_SETTINGS | {"numpy", "slack_sdk"}
    assert imported(tmp_path, *words.split()) & unneeded == frozenset()


@pytest.mark.parametrize("words", ["scan", "status", "alerts", "deliver"])
def it_needs_no_migrations_probes_or_models_for_its_daily_work(words: str, tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "trade.log").write_text("2026-11-23 11:00:00 INFO | waiting\n")
    settings = f'[database]\nurl = "{sqlite_url}"\n[logs]\nidle_seconds = 0\n[sources.trade]\npath = "trade.log"\n'
    (tmp_path / "kronos_health.toml").write_text(settings)
    assert imported(tmp_path, *words.split()) & (HEAVY | FOR_PROBES | {"alembic"}) == frozenset()
