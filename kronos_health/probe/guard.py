"""The guard: a small process between the supervisor and a probe's child, so that nothing outlives its task.

Started by path as ``python -I -S guard.py`` in a session of its own; standard library only. The first line of its stdin
is the order, ``{"parent": pid, "nice": 10, "events": fd, "argv": [...]}``. It makes itself the parent of every orphan
below it (PR_SET_CHILD_SUBREAPER), starts the child, and ends everything under it when the child ends, when its stdin
closes (the supervisor is gone, however it was killed, or wants the end), or at SIGTERM. Then it writes one JSON line on
stdout, ``{"status": 0, "signal": null}`` or ``{"error": "..."}``, and exits like the child did. Descriptors that it was
started with and that the order does not name, such as locks, stay open until then.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
LOOK_EVERY_SECONDS = 1.0  # a fork of the supervisor may hold the other end of stdin: its pid is looked at as well
KILL_AGAIN_SECONDS = (0.01, 1.0)  # first and longest wait; a process stuck in a driver can take minutes to die


def prctl(option: int, value: int) -> None:
    """Call Linux' ``prctl``; raises ``OSError`` when the kernel refuses."""
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


_LIBC = ctypes.CDLL(None, use_errno=True)


def descendants(root: int) -> list[int]:
    """Every process below ``root`` by /proc, whatever its session or process group; zombies included."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = _parent_of(entry)
            if parent is not None:
                children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _parent_of(entry: Path) -> int | None:
    try:
        stat = (entry / "stat").read_bytes()
    except OSError:  # it ended meanwhile
        return None
    return int(stat.rpartition(b")")[2].split()[1])  # the name in parentheses may hold anything


def end_descendants(root: int, reap: Callable[[], None]) -> None:
    """SIGKILL everything below ``root`` until nothing is left; what is forked meanwhile is met in the next round."""
    wait, longest = KILL_AGAIN_SECONDS
    while below := descendants(root):
        for pid in below:
            kill_quietly(pid)
        reap()
        time.sleep(wait)
        reap()
        wait = min(2 * wait, longest)


def kill_quietly(pid: int) -> None:
    """SIGKILL ``pid``; one that has ended, or is not ours, is no error."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


class Guard:
    """One child and all that comes of it."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.parent: int = order["parent"]
        self.nice: int = order["nice"]
        self.events: int = order["events"]
        self.argv: list[str] = order["argv"]
        self.child: int | None = None
        self.wait_status: int | None = None

    def run(self) -> int:
        """Start the child, wait for its end or the supervisor's, end what is left; returns the exit status."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        wake = self._listen_to_signals()
        try:
            self._start()
        except OSError as error:
            _report({"error": f"{self.argv[0]}: {error.strerror or error}"})
            return 127
        while self.wait_status is None and not self._supervisor_wants_the_end(wake):
            self._reap()
        end_descendants(os.getpid(), self._reap)
        return self._forward()

    def _listen_to_signals(self) -> int:
        """Signals become bytes in a pipe; the end of a child must interrupt the wait, SIGTERM asks for the end."""
        wake, write = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        return wake

    def _start(self) -> None:
        process = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # what a model prints is nobody's protocol
            pass_fds=(self.events,),
            start_new_session=True,
            preexec_fn=self._be_a_good_neighbour,  # safe here: the guard has one thread
        )
        process.returncode = 0  # the guard reaps by itself
        self.child = process.pid
        os.close(self.events)  # so that the last holder below closes the stream

    def _be_a_good_neighbour(self) -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # should the guard itself be killed
        os.nice(self.nice)  # the kernel derives the priority of reading and writing from it as well
        with contextlib.suppress(OSError):  # a batch program does not take the processor from others by waking up
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):  # when memory runs short, the kernel takes the probe before production
            Path("/proc/self/oom_score_adj").write_text("1000")

    def _supervisor_wants_the_end(self, wake: int) -> bool:
        readable, _, _ = select.select([0, wake], [], [], LOOK_EVERY_SECONDS)
        if 0 in readable and not os.read(0, 4096):
            return True
        if wake in readable and any(number != signal.SIGCHLD for number in os.read(wake, 4096)):
            return True
        return os.getppid() != self.parent

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self.wait_status = status

    def _forward(self) -> int:
        if self.wait_status is None:
            _report({"error": "the child could not be waited for"})
            return 1
        if os.WIFSIGNALED(self.wait_status):
            number = os.WTERMSIG(self.wait_status)
            _report({"status": None, "signal": number})
            return 128 + number
        status = os.WEXITSTATUS(self.wait_status)
        _report({"status": status, "signal": None})
        return status


def _read_order() -> dict[str, Any]:
    """The order from stdin, read byte by byte so that nothing behind it is swallowed."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(0)  # the supervisor ended before it gave the order
        line += byte
    return dict(json.loads(line))


def _report(end: dict[str, Any]) -> None:
    try:
        os.write(1, json.dumps(end).encode() + b"\n")
    except OSError:  # the supervisor is gone: nobody asks any more
        return


if __name__ == "__main__":
    sys.exit(Guard(_read_order()).run())
