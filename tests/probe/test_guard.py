"""Nothing that a probe starts outlives the task, however the task is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kronos_health.probe import guard
from tests.probe.children import program, wait_for_pids
from tests.support.processes import gone

# The child, a grandchild in a session of its own that ignores SIGTERM and holds all of our pipes, and a daemon that
# was forked twice: all write their pids and live for a minute.
STUBBORN = """
    def note(): open(ORDER["pids"], "a").write(f"{os.getpid()}\\n")
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note(); time.sleep(60)
    elif os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            note(); time.sleep(60)
        os._exit(0)
    else:
        note(); time.sleep(60)
"""
SUPERVISOR = """
import sys, threading
from pathlib import Path
from kronos_health.probe.child import EVENTS_FD, Command, Conversation, Limits, run_child
from kronos_health.probe.lifetime import die_with_parent
if sys.argv[4:] == ["tied"]:
    die_with_parent(int(sys.argv[3]))
argv = (sys.executable, sys.argv[1], "--spec", sys.argv[2], "--events-fd", EVENTS_FD)
run_child(Command(argv, {"PATH": "/usr/bin:/bin"}, Path(sys.argv[2]).parent), Limits(60.0), Conversation())
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> list[str]:
    """A command line that runs the stubborn child under the guard; pids come in ``pids``."""
    worker = program(tmp_path, STUBBORN)
    (tmp_path / "order.json").write_text(json.dumps({"pids": str(tmp_path / "pids")}))
    return [sys.executable, "-c", SUPERVISOR, str(worker), str(tmp_path / "order.json"), str(os.getpid())]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def it_leaves_nothing_behind_when_the_supervisor_is_killed(
    supervisor: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(supervisor, stderr=subprocess.DEVNULL)
    pids = wait_for_pids(tmp_path / "pids", 3)
    process.send_signal(number)
    process.wait(20)
    assert gone(pids)


def it_leaves_nothing_behind_when_the_runner_above_the_supervisor_is_killed(
    supervisor: list[str], tmp_path: Path
) -> None:
    """As Airflow does it: a worker is SIGKILLed, its task process lives on unless it asked to be told."""
    runner = "import subprocess, sys, os; p = subprocess.Popen([*sys.argv[1:-1], str(os.getpid()), 'tied']); p.wait()"
    process = subprocess.Popen([sys.executable, "-c", runner, *supervisor], stderr=subprocess.DEVNULL)
    pids = wait_for_pids(tmp_path / "pids", 3)
    process.kill()
    process.wait(20)
    assert gone(pids)


def it_ends_at_once_when_the_parent_was_gone_before_it_asked() -> None:
    code = "from kronos_health.probe.lifetime import die_with_parent; die_with_parent(2**22); print('alive')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, b"")


def it_lets_the_supervisor_clean_up_when_the_guard_itself_is_killed(supervisor: list[str], tmp_path: Path) -> None:
    process = subprocess.Popen(supervisor, stderr=subprocess.DEVNULL)
    pids = wait_for_pids(tmp_path / "pids", 3)
    time.sleep(1.3)  # the supervisor looks at the tree once a second
    (guard_pid,) = [pid for pid in guard.descendants(process.pid) if _parent(pid) == process.pid]
    os.kill(guard_pid, signal.SIGKILL)
    process.wait(20)
    assert gone(pids)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def run_guard(argv: list[str]) -> tuple[int, dict[str, object]]:
    """Run a program under the guard to its own end."""
    read, write = os.pipe()
    order = {"parent": os.getpid(), "nice": 5, "events": write, "argv": argv}
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(write,),
    )
    os.close(write)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.flush()
    report = json.loads(process.stdout.read())
    os.close(read)
    process.wait(20)
    process.stdin.close()
    return process.returncode, report


@pytest.mark.parametrize(
    ("code", "status", "report"),
    [
        ("raise SystemExit(0)", 0, {"status": 0, "signal": None}),
        ("raise SystemExit(7)", 7, {"status": 7, "signal": None}),
        ("import os; os.kill(os.getpid(), 11)", 139, {"status": None, "signal": 11}),
    ],
)
def it_ends_like_its_child_did(code: str, status: int, report: dict[str, object]) -> None:
    assert run_guard([sys.executable, "-c", code]) == (status, report)


def it_says_what_could_not_be_started() -> None:
    status, report = run_guard(["/nowhere/python"])
    assert status == 127
    assert report == {"error": "/nowhere/python: No such file or directory"}


def it_puts_its_child_behind_every_other_program(tmp_path: Path) -> None:
    """The first to go when memory runs short, the last to get a processor, and so is all that it starts."""
    script = """
import os, sys
if os.fork() == 0:
    score = open("/proc/self/oom_score_adj").read()
    open(sys.argv[1], "w").write(f"{score} {os.nice(0)} {os.sched_getscheduler(0)}")
else:
    os.wait()
"""
    assert run_guard([sys.executable, "-c", script, str(tmp_path / "said")])[0] == 0
    score, nice, scheduler = map(int, (tmp_path / "said").read_text().split())
    assert (score, nice, scheduler) == (1000, os.nice(0) + 5, os.SCHED_BATCH)
