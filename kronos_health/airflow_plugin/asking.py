"""Asks Airflow about our DAGs: which it knows, which are paused, which files it cannot parse.

By its own command line in a process of its own, wherever that has a way to the metadata database: in a task that was
handed the address, beside a ``kronos-health up``, or where Airflow itself is configured. Elsewhere nobody is asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kronos_health.airflow_plugin.cleaning import DATABASE_VARIABLE
from kronos_health.airflow_plugin.serving.environment import Address, airflow_environment
from kronos_health.airflow_plugin.serving.first_check import DAG_IDS
from kronos_health.airflow_plugin.serving.state import Layout, secrets_of
from kronos_health.checks.doctor import AirflowFigures

_PREFIX = "kronos_"
_CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_CONFIGURED = (_CONNECTION, f"{_CONNECTION}_CMD", f"{_CONNECTION}_SECRET", "AIRFLOW_HOME", "AIRFLOW_CONFIG")
_BLOCKED = "airflow-db-not-allowed"  # what Airflow puts there in a task
_NO_WAY = "this task has no way to Airflow's metadata database; by hand beside the scheduler it has one"
_NOBODY = "no Airflow here"


class _Refused(Exception):
    """Airflow gave no answer; the text says why."""


def ask_airflow(
    state_dir: Path, config: Path | None, timeout_seconds: float, environ: Mapping[str, str] = os.environ
) -> AirflowFigures:
    """What Airflow knows of our DAGs. Never raises."""
    found = _environment(state_dir, config, environ)
    if isinstance(found, str):
        return AirflowFigures(not_asked=found)
    try:
        dags = [row for row in _ask(found, timeout_seconds, "list") if str(row["dag_id"]).startswith(_PREFIX)]
        errors = _ask(found, timeout_seconds, "list-import-errors")
    except (_Refused, KeyError, TypeError) as error:
        return AirflowFigures(problem=str(error))
    return AirflowFigures(
        known=tuple(sorted(str(row["dag_id"]) for row in dags)),
        expected=DAG_IDS,
        paused=tuple(sorted(str(row["dag_id"]) for row in dags if str(row.get("is_paused")) == "True")),
        unparsed=tuple(_error(row) for row in errors if Path(str(row.get("filepath"))).name.startswith(_PREFIX)),
    )


def _environment(state_dir: Path, config: Path | None, environ: Mapping[str, str]) -> dict[str, str] | str:
    """The environment in which ``airflow`` reaches its metadata database, or why there is none."""
    handed = environ.get(DATABASE_VARIABLE)
    if handed:
        # In a task; what Airflow set there to keep tasks off its database goes.
        kept = {name: value for name, value in environ.items() if not name.startswith("_AIRFLOW")}
        return {**kept, _CONNECTION: handed}
    layout = Layout(state_dir)
    if layout.database.exists() and os.access(layout.home, os.R_OK | os.W_OK | os.X_OK):
        return airflow_environment(environ, layout, secrets_of(layout), Address("127.0.0.1", 1), config)
    if environ.get(_CONNECTION, "").startswith(_BLOCKED):
        return _NO_WAY
    return dict(environ) if any(environ.get(name) for name in _CONFIGURED) else _NOBODY


def _ask(environ: Mapping[str, str], timeout_seconds: float, what: str) -> list[dict[str, Any]]:
    """The rows of ``airflow dags WHAT``, which fails when there are import errors and names them all the same."""
    words = [sys.executable, "-m", "airflow", "dags", what, "--output", "json"]
    try:
        done = subprocess.run(
            words,
            env={**environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _Refused(f"airflow dags {what} took longer than {timeout_seconds:g} s") from None
    except OSError as error:
        raise _Refused(f"airflow dags {what} could not be started: {error.strerror}") from error
    rows = _rows(done.stdout)
    if rows is not None:
        return rows
    if done.returncode == 0:
        return []  # it says "No data found" in words
    raise _Refused(f"airflow dags {what} ended with {done.returncode}: {_last_line(done.stderr or done.stdout)}")


def _rows(text: str) -> list[dict[str, Any]] | None:
    """The JSON list in what Airflow printed, below whatever warnings stand above it."""
    for number, line in enumerate(lines := text.splitlines()):
        if line.startswith("["):
            try:
                found = json.loads("\n".join(lines[number:]))
            except ValueError:
                continue
            return found if isinstance(found, list) else None
    return None


def _error(row: Mapping[str, Any]) -> tuple[str, str]:
    return Path(str(row["filepath"])).name, _last_line(str(row.get("error", "")))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it did not say why"
