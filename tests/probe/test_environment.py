"""A child sees what it needs and no secret of its parent's."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from kronos_health.probe.child import EVENTS_FD, Command, Conversation, Limits, run_child
from kronos_health.probe.environment import Folders, child_environment
from tests.probe.children import program

SECRETS = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://airflow:hunter2@db/airflow",
    "AIRFLOW_CONN_KRONOS_HEALTH_DB": "postgresql://me:hunter2@db/history",
    "AIRFLOW__API_AUTH__JWT_SECRET": "hunter2",
    "DATABASE_URL": "postgresql://me:hunter2@db/history",
    "KRONOS_HEALTH__SLACK__TOKEN": "hunter2",
    "SLACK_TOKEN": "hunter2",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "HF_TOKEN": "hunter2",
    "HTTPS_PROXY": "http://me:hunter2@proxy:3128",
    "http_proxy": "me:hunter2@proxy:3128",
    "PYTHONPATH": "/somewhere/hunter2",
    "LD_PRELOAD": "hunter2.so",
}


class EnvironmentOfChild(Conversation):
    def __init__(self) -> None:
        self.seen: dict[str, str] = {}

    def line(self, line: bytes) -> bool:
        self.seen = json.loads(line)
        return True


def it_lets_a_child_see_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    folders = Folders(tmp_path, tmp_path / "work")
    folders.make()
    argv = (sys.executable, str(program(tmp_path, "os.write(EVENTS, json.dumps(dict(os.environ)).encode() + b'\\n')")))
    listener = EnvironmentOfChild()
    command = Command((*argv, "--events-fd", EVENTS_FD), child_environment(os.environ, folders), folders.scratch)
    assert run_child(command, Limits(20.0), listener).exit_status == 0

    assert "hunter2" not in json.dumps(listener.seen)
    assert not any(name in listener.seen for name in SECRETS)
    assert listener.seen["CUDA_VISIBLE_DEVICES"] == "1"
    assert listener.seen["PYTHONSAFEPATH"] == "1"


def it_points_everything_that_programs_write_into_our_own_folders(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "state", tmp_path / "work")
    seen = child_environment({"HOME": "/home/me", "PATH": "/bin"}, folders)
    assert seen["PATH"] == "/bin"
    assert seen["PYTHONUSERBASE"] == "/home/me/.local"
    for name in ("HOME", "TMPDIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
        assert Path(seen[name]).is_relative_to(tmp_path / "work")
    assert Path(seen["HF_HOME"]).is_relative_to(tmp_path / "state")


def it_passes_a_proxy_that_carries_no_password(tmp_path: Path) -> None:
    parent = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "localhost,.lan", "HF_HOME": "/weights"}
    seen = child_environment(parent, Folders(tmp_path, tmp_path))
    assert {name: seen[name] for name in parent} == parent
