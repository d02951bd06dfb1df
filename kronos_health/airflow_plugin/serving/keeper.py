"""The keeper: a small process above all of Airflow's, so that nothing of it outlives ``kronos-health up``.

Started as ``python -m kronos_health.airflow_plugin.serving.keeper`` in a session of its own, which keeps the terminal's
Ctrl-C from Airflow. The first line of its stdin is the order, ``{"components": {name: argv}, "last": [name], "logs":
folder}``. It makes itself the parent of every orphan below it, writes what each component prints to
``<logs>/<name>.log``, and says on its stdout when one ends: ``{"ended": name, "status": 1}``. When its stdin closes
(``up`` wants the end, or is gone, however it was killed) or at SIGTERM, it asks everything to end, those of ``last``
when the others have ended, and after a grace ends it.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import psutil

from kronos_health.probe.guard import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, descendants, end_descendants, prctl

GRACE_SECONDS = 15.0
_FAREWELL_SECONDS = 2.0
_LOG_BYTES = 5 * 1024**2
_LONGEST_LINE = 64 * 1024


class Keeper:
    """Four components and all that comes of them."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.commands: dict[str, list[str]] = order["components"]
        self.last: list[str] = order["last"]
        self.folder = Path(order["logs"])
        self.running: dict[int, str] = {}
        self.outputs: dict[int, _Output] = {}
        self.selector = selectors.DefaultSelector()
        self.wake, self._wake_write = os.pipe()

    def run(self) -> int:
        """Start everything and keep it until the end is wanted or nothing is left."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._listen_to_signals()
        self.selector.register(0, selectors.EVENT_READ)
        self.selector.register(self.wake, selectors.EVENT_READ)
        for name, argv in self.commands.items():
            self._start(name, argv)
        while self.running and not self._end_is_wanted():
            self._reap()
        self._end()
        return 0

    def _listen_to_signals(self) -> None:
        for descriptor in (self.wake, self._wake_write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def _start(self, name: str, argv: list[str]) -> None:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM),  # should the keeper itself be killed
        )
        process.returncode = 0  # the keeper reaps by itself
        self.running[process.pid] = name
        assert process.stdout is not None  # noqa: S101 - for the type checker: it was asked for
        descriptor = os.dup(process.stdout.fileno())
        process.stdout.close()
        os.set_blocking(descriptor, False)
        self.outputs[descriptor] = _Output(self.folder / f"{name}.log")
        self.selector.register(descriptor, selectors.EVENT_READ)

    def _end_is_wanted(self, wait: float = 5.0) -> bool:
        """Wait for something to happen; true when stdin closed or a signal asks for the end."""
        for key, _ in self.selector.select(wait):
            if key.fd == 0:
                if not os.read(0, 4096):
                    return True
            elif key.fd == self.wake:
                if any(number != signal.SIGCHLD for number in os.read(self.wake, 4096)):
                    return True
            else:
                self._copy(key.fd)
        return False

    def _copy(self, descriptor: int) -> None:
        try:
            chunk = os.read(descriptor, _LONGEST_LINE)
        except BlockingIOError:
            return
        self.outputs[descriptor].write(chunk)
        if not chunk:
            self.selector.unregister(descriptor)
            os.close(descriptor)
            del self.outputs[descriptor]

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.running:
                _say({"ended": self.running.pop(pid), "status": os.waitstatus_to_exitcode(status)})

    def _end(self) -> None:
        """Ask first, so that tasks can stop their probes, say so and close the database; then insist."""
        self.selector.unregister(0)
        listeners = [pid for pid, name in self.running.items() if name in self.last]
        others = [pid for pid in self.running if pid not in listeners]
        self._ask(others, GRACE_SECONDS * 2 / 3)
        self._ask(listeners, GRACE_SECONDS / 3)
        end_descendants(os.getpid(), self._reap)
        for descriptor in list(self.outputs):
            self._copy(descriptor)

    def _ask(self, components: list[int], patience: float) -> None:
        """Ask components and their workers to end and give everything below them some time for it.

        Nothing further down is asked: a probe's guard that ended its child on its own would make the probe a crash.
        """
        for component in components:
            for pid in (component, *children(component)):
                _ask_to_end(pid)
        began = busy_at = time.monotonic()
        while any(pid in self.running for pid in components):
            self._end_is_wanted(0.1)
            self._reap()
            now = time.monotonic()
            if any(descendants(pid) for pid in components):
                busy_at = now
            # Measured: with its last task done, Airflow takes seconds of computing to say good-bye to itself.
            if now - began > patience or now - busy_at > _FAREWELL_SECONDS:
                return


class _Output:
    """A component's log, cut at a size and kept once."""

    def __init__(self, path: Path) -> None:
        self.handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
        self.rest = b""

    def write(self, chunk: bytes) -> None:
        """Write whole lines; an empty chunk ends the last one."""
        lines = (self.rest + chunk).split(b"\n")
        self.rest = lines.pop()
        if len(self.rest) > _LONGEST_LINE or not chunk:
            lines, self.rest = [*lines, self.rest], b""
        for line in lines:
            if line:
                text = line.decode("utf-8", "replace")
                self.handler.emit(logging.LogRecord("", logging.INFO, "", 0, text, (), None))


def children(pid: int) -> list[int]:
    """The direct children of ``pid``."""
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def _ask_to_end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        return


def _say(message: dict[str, Any]) -> None:
    try:
        os.write(1, json.dumps(message).encode() + b"\n")
    except OSError:  # up is gone: nobody asks any more
        return


def _read_order() -> dict[str, Any]:
    """The order from stdin, byte by byte so that nothing behind it is swallowed."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(0)  # up ended before it gave the order
        line += byte
    return dict(json.loads(line))


if __name__ == "__main__":
    sys.exit(Keeper(_read_order()).run())
