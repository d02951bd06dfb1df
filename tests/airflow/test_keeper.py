"""The keeper, with components that are small programs of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
own = "import signal, time; signal.signal(15, signal.SIG_IGN); print('grandchild', flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", own], start_new_session=True)
print("started", flush=True)
time.sleep(600)
"""
POLITE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("asked to end", flush=True), sys.exit(0)))
print("started", flush=True)
while True: time.sleep(0.1)
"""
BROKEN = "print('no such database'); raise SystemExit(3)"


class Kept:
    """A running keeper with its components."""

    def __init__(self, folder: Path, grace: float = 1.0, **programs: str) -> None:
        self.folder = folder
        start = (
            "from kronos_health.airflow_plugin.serving import keeper; import sys; "
            f"keeper.GRACE_SECONDS = {grace}; sys.exit(keeper.Keeper(keeper._read_order()).run())"
        )
        self.marker = f"KEPT={os.urandom(8).hex()}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **dict([self.marker.split("=")])},
            start_new_session=True,
        )
        components = {name: [sys.executable, "-c", program] for name, program in programs.items()}
        assert self.process.stdin is not None
        self.process.stdin.write(
            json.dumps({"components": components, "last": ["listener"], "logs": str(folder)}).encode() + b"\n"
        )
        self.process.stdin.flush()

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def await_log(self, name: str, text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in self.log(name):
            assert time.monotonic() < deadline, self.log(name)
            time.sleep(0.05)

    def left(self) -> list[int]:
        """Processes that carry this keeper's marker, wherever they went."""
        name, value = self.marker.split("=")
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(name) == value and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
        return found

    def await_nothing_left(self) -> None:
        deadline = time.monotonic() + 20
        while left := self.left():
            assert time.monotonic() < deadline, left
            time.sleep(0.05)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    running = Kept(tmp_path, polite=POLITE, stubborn=STUBBORN)
    for name, text in (("polite", "started"), ("stubborn", "grandchild")):
        running.await_log(name, text)
    yield running
    for pid in running.left():
        os.kill(pid, signal.SIGKILL)
    running.process.wait()


def it_ends_everything_when_its_stdin_closes(kept: Kept) -> None:
    assert len(kept.left()) == 4
    assert kept.process.stdin is not None
    kept.process.stdin.close()
    assert kept.process.wait(20) == 0
    assert kept.left() == []
    assert "asked to end" in kept.log("polite")


def it_ends_everything_at_sigterm(kept: Kept) -> None:
    kept.process.send_signal(signal.SIGTERM)
    assert kept.process.wait(20) == 0
    assert kept.left() == []


def it_asks_the_components_to_end_even_when_it_is_killed_itself(kept: Kept) -> None:
    before = kept.left()
    kept.process.kill()
    kept.process.wait()
    deadline = time.monotonic() + 20
    while len(kept.left()) > len(before) - 2:  # the keeper and the polite one; nobody but up can end the stubborn
        assert time.monotonic() < deadline, kept.left()
        time.sleep(0.05)


def it_says_when_a_component_ends_and_keeps_what_it_printed(tmp_path: Path) -> None:
    kept = Kept(tmp_path, broken=BROKEN, polite=POLITE)
    assert kept.process.stdout is not None
    assert kept.process.stdin is not None
    assert json.loads(kept.process.stdout.readline()) == {"ended": "broken", "status": 3}
    kept.await_log("broken", "no such database")
    kept.process.stdin.close()
    kept.process.wait(20)
    assert kept.left() == []


def it_cuts_a_log_at_a_size_and_keeps_one_older_part(tmp_path: Path) -> None:
    kept = Kept(tmp_path, chatty="for i in range(60_000): print('x' * 99)")
    kept.process.wait(60)
    sizes = sorted(path.stat().st_size for path in tmp_path.glob("chatty.log*"))
    assert len(sizes) == 2
    assert sizes[-1] <= 5 * 1024**2


def it_leaves_nothing_when_up_is_killed(tmp_path: Path) -> None:
    up = f"""
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {str(Path.cwd())!r})
from tests.airflow.test_keeper import Kept, STUBBORN
kept = Kept(Path({str(tmp_path)!r}), stubborn=STUBBORN)
kept.await_log("stubborn", "grandchild")
print(kept.marker, flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", up], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    marker = process.stdout.readline().strip()
    process.kill()
    process.wait()
    kept = Kept.__new__(Kept)
    kept.marker = marker
    kept.await_nothing_left()


def it_asks_the_last_ones_only_when_the_others_have_ended(tmp_path: Path) -> None:
    slow = POLITE.replace("sys.exit(0)", "time.sleep(0.5), sys.exit(0)").replace("import ", "import time, ", 1)
    listener = POLITE.replace('print("asked to end", flush=True)', 'print("asked at", time.monotonic(), flush=True)')
    slow = slow.replace("time.sleep(0.5)", 'time.sleep(0.5), print("ended at", time.monotonic(), flush=True)')
    kept = Kept(tmp_path, grace=9.0, slow=slow, listener=listener.replace("import ", "import time, ", 1))
    for name in ("slow", "listener"):
        kept.await_log(name, "started")
    kept.process.send_signal(signal.SIGTERM)
    assert kept.process.wait(20) == 0
    assert float(kept.log("listener").split()[-1]) >= float(kept.log("slow").split()[-1])


def it_leaves_what_is_below_the_workers_to_them(tmp_path: Path) -> None:
    """A component, its worker, and the worker's own child, which must hear nothing from the keeper."""
    child = (
        "import signal, sys; signal.signal(15, lambda *_: sys.exit('asked')); print('up', flush=True); signal.pause()"
    )
    worker = f"""
import signal, subprocess, sys
below = subprocess.Popen([sys.executable, "-c", {child!r}], stdout=subprocess.PIPE)
below.stdout.readline()
def end(*_):
    below.kill()
    print("child ended with", below.wait(), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("worker started", flush=True)
signal.pause()
"""
    component = f"""
import signal, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", {worker!r}])
signal.signal(signal.SIGTERM, lambda *_: None)
worker.wait()
"""
    kept = Kept(tmp_path, grace=9.0, component=component)
    kept.await_log("component", "worker started")
    kept.process.send_signal(signal.SIGTERM)
    assert kept.process.wait(20) == 0
    assert "child ended with -9" in kept.log("component")
