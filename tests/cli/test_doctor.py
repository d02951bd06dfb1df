"""kronos-health doctor as it is typed: its exit status, its lines, its JSON, and what it tells outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def kronos_health(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "KRONOS_HEALTH"))}
    return subprocess.run(
        [sys.executable, "-c", "from kronos_health.cli import main; main()", *words],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "KRONOS_HEALTH_STATE_DIR": str(folder / "var"), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def pinged() -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []

    class Watcher(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(self.path.partition("?")[0])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Watcher)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/p", seen
    server.shutdown()
    server.server_close()


def it_exits_with_2_and_says_what_to_do_before_there_is_a_database(tmp_path: Path) -> None:
    done = kronos_health(tmp_path, "doctor")
    assert done.returncode == 2
    assert "failed     schema: the database is not there yet, or empty" in done.stdout
    assert "db upgrade" in done.stdout
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("var/*.db"))


def it_exits_with_0_when_all_is_well_and_is_json_for_machines(tmp_path: Path) -> None:
    assert kronos_health(tmp_path, "db", "upgrade").returncode == 0
    done = kronos_health(tmp_path, "doctor", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit_status"], told["sentence"]) == (0, 0, "The checker is well.")
    assert {line["standing"] for line in told["lines"]} == {"ok", "not asked"}


def it_tells_the_watcher_outside_what_no_database_can_keep(tmp_path: Path, pinged: tuple[str, list[str]]) -> None:
    url, seen = pinged
    away = "postgresql://u:hunter22@127.0.0.1:1/x"
    environ = {"KRONOS_HEALTH__HEARTBEAT__URL": url, "KRONOS_HEALTH__DATABASE__URL": away}
    done = kronos_health(tmp_path, "doctor", "--tell", **environ)
    assert done.returncode == 2
    assert seen == ["/p/start", "/p/fail"]
    assert "hunter22" not in done.stdout + done.stderr


def it_tells_nobody_unless_it_is_asked_to(tmp_path: Path, pinged: tuple[str, list[str]]) -> None:
    url, seen = pinged
    kronos_health(tmp_path, "doctor", KRONOS_HEALTH__HEARTBEAT__URL=url)
    assert seen == []
