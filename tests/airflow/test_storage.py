"""A source's object storage is opened with an Airflow connection, by Airflow itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow

PROGRAM = """
import sys
from kronos_health.airflow_plugin.storage import open_storage
from kronos_health.logs.errors import LogProblem
from kronos_health.settings.models import Source

files = open_storage(Source(path=sys.argv[1], airflow_connection="kronos_logs"))
print(files.cat_file(sys.argv[1]).decode())
try:
    open_storage(Source(path="s3://bucket/a.log", airflow_connection="kronos_logs"))
except LogProblem as problem:
    print(problem)
"""


def it_opens_an_address_with_the_connection_and_says_when_it_cannot(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("in the object")
    connection = json.dumps({"conn_type": "fs"})
    environ = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "home"), "AIRFLOW_CONN_KRONOS_LOGS": connection}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, log.as_uri()],
        capture_output=True,
        text=True,
        env=environ,
        timeout=120,
        check=True,
    )
    read, problem = ended.stdout.strip().splitlines()[-2:]
    assert read == "in the object"
    assert problem.startswith("s3://bucket/a.log cannot be opened with the Airflow connection 'kronos_logs' (")
