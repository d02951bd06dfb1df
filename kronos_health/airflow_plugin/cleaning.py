"""Housekeeping of Airflow's own leftovers: task logs on this worker, and old records where they can be reached."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kronos_health.airflow_plugin.settings import parsing_settings

# A task has no way to Airflow's metadata database. Whoever wants this worker to clean it hands over its address here.
DATABASE_VARIABLE = "KRONOS_HEALTH_AIRFLOW_DATABASE"
OUR_TASKS = "dag_id=kronos_*"
_LONGEST_SECONDS = 600.0

log = logging.getLogger(__name__)


def remove_old_logs() -> int:
    """Remove this worker's logs of our DAGs older than ``retention.airflow_days``; returns how many files went."""
    from airflow.sdk import conf

    folder = Path(conf.get("logging", "base_log_folder"))
    # Where kronos-health up runs Airflow, nobody else tidies what parsing the DAGs leaves.
    patterns = (OUR_TASKS, "dag_processor/*") if DATABASE_VARIABLE in os.environ else (OUR_TASKS,)
    removed = sum(remove_files_before(folder, pattern, _oldest_kept().timestamp()) for pattern in patterns)
    log.info("%d log files removed under %s", removed, folder)
    return removed


def remove_files_before(folder: Path, pattern: str, oldest: float) -> int:
    """Remove what was last written before ``oldest`` (seconds since 1970), and folders left empty by that.

    Only below the folders that ``pattern`` finds: on a shared worker the other logs are somebody else's. Links are not
    followed.
    """
    removed = 0
    for top in folder.glob(pattern):
        for path in sorted(top.rglob("*"), reverse=True):  # files before the folder they are in
            try:
                if path.is_dir():
                    path.rmdir()
                elif path.lstat().st_mtime < oldest:
                    path.unlink()
                    removed += 1
            except OSError:  # not empty, or written or removed by somebody else this moment
                continue
    return removed


def remove_old_records() -> None:
    """Run ``airflow db clean`` for records older than ``retention.airflow_days``.

    Skipped, saying what to run instead, where this worker was not given the address of the metadata database.
    """
    from airflow.sdk.exceptions import AirflowException, AirflowSkipException

    words = ["db", "clean", "--clean-before-timestamp", _oldest_kept().isoformat(), "--skip-archive", "--yes"]
    address = os.environ.get(DATABASE_VARIABLE)
    if not address:
        raise AirflowSkipException(
            "this worker has no way to Airflow's metadata database. Run beside the scheduler, say weekly: "
            f"{shlex.join(['airflow', *words])}"
        )
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *words],
        env={**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address},
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    for line in done.stdout.splitlines():
        if line.strip() and not line.startswith(("Checking table", "Found 0 rows")):
            log.info("%s", line)
    if done.returncode != 0:
        raise AirflowException(f"airflow db clean ended with {done.returncode}: {done.stderr.strip()[-1000:]}")


def _oldest_kept() -> datetime:
    return datetime.now(UTC) - timedelta(days=parsing_settings().retention.airflow_days)
