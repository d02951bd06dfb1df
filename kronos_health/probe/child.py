"""Running one child under the guard: streams, deadline, memory and the way it ended. Knows nothing of models."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kronos_health.probe import guard
from kronos_health.probe.limits import Cgroup, MemoryWatch, kernel_oom_kills
from kronos_health.probe.streams import Lines, Tail, read_available

EVENTS_FD = "{events_fd}"  # stands in an argument list for the number of the descriptor that takes events
TICK_SECONDS = 0.1
GUARD_SECONDS = 15.0  # how long the guard may take to end everything
_LAST_READS = 64  # more than a pipe holds


class StopReason(StrEnum):
    """Why the parent ended the child."""

    DEADLINE = "deadline"
    MEMORY = "memory"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Command:
    """What to start: ``argv`` may hold :data:`EVENTS_FD`; ``env`` is all the child sees of ours."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    nice: int = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and MiB. After its last word a child has ``exit_grace_seconds`` left to exit."""

    deadline_seconds: float
    memory_mb: float | None = None
    exit_grace_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended, and what it left. ``memory_mb`` is the tree's size when it was ended for it, else its peak."""

    duration_ms: float
    exit_status: int | None
    signal: str | None
    stopped: StopReason | None
    memory_mb: float
    kernel_oom: bool
    stderr_tail: str
    half_line: str
    dropped_lines: int
    truncated: bool
    start_error: str | None = None
    survivors: tuple[int, ...] = ()  # could not be ended, e.g. stuck in a driver
    guard_signal: str | None = None  # what ended the guard before it could say how the child ended


class Conversation:
    """What the caller does with a running child; every method may be overridden."""

    def line(self, line: bytes) -> bool:
        """Take one line of the event stream; true says that it was the last and the child should exit now."""
        del line
        return False

    def tick(self, pid: int) -> bool:
        """Called about ten times a second with the guard's pid; true asks for the end."""
        del pid
        return False


def run_child(
    command: Command, limits: Limits, conversation: Conversation, keep_open: tuple[int, ...] = ()
) -> ChildEnd:
    """Run ``command`` to its end; whatever happens here, nothing below it lives on.

    ``keep_open`` are descriptors (of locks) that the guard holds until everything below it has ended, so that even a
    SIGKILL of this process does not free them early. Exceptions of ``conversation`` end the child and go on up.
    """
    with _Pipes() as pipes:
        run = _Run(_start_guard(command, pipes, keep_open), pipes, limits, conversation)
        try:
            run.begin(command)
            run.watch()
        finally:
            run.finish()
        return run.end()


class _Pipes:
    """The four pipes between this process and the guard: order (to it), status, stderr and events (from it)."""

    def __enter__(self) -> _Pipes:
        self.order_read, self.order = os.pipe()
        self.status, self.status_write = os.pipe()
        self.stderr, self.stderr_write = os.pipe()
        self.events, self.events_write = os.pipe()
        for descriptor in (self.status, self.stderr, self.events):
            os.set_blocking(descriptor, False)
        self._open = {self.order, self.status, self.stderr, self.events}
        self._open |= {self.order_read, self.status_write, self.stderr_write, self.events_write}
        return self

    def close(self, *descriptors: int) -> None:
        """Close those that are still open."""
        for descriptor in self._open & set(descriptors):
            os.close(descriptor)
        self._open -= set(descriptors)

    def __exit__(self, *_exception: object) -> None:
        self.close(*self._open)


def _start_guard(command: Command, pipes: _Pipes, keep_open: tuple[int, ...]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__],
            stdin=pipes.order_read,
            stdout=pipes.status_write,
            stderr=pipes.stderr_write,
            pass_fds=(pipes.events_write, *keep_open),
            start_new_session=True,
            env=dict(command.env),
            cwd=command.cwd,
        )
    finally:
        pipes.close(pipes.order_read, pipes.status_write, pipes.stderr_write)


class _Run:
    def __init__(
        self, process: subprocess.Popen[bytes], pipes: _Pipes, limits: Limits, conversation: Conversation
    ) -> None:
        self.process, self.pipes, self.limits, self.conversation = process, pipes, limits, conversation
        self.started = time.monotonic()
        self.deadline = self.started + limits.deadline_seconds
        self.events, self.stderr, self.status = Lines(), Tail(), Lines()
        self.readers = {
            pipes.events: self._take_events,
            pipes.status: self._take_status,
            pipes.stderr: self.stderr.feed,
        }
        self.memory = MemoryWatch(process.pid, limits.memory_mb)
        self.memory_mb: float | None = None  # the size that was too much
        self.cgroup = Cgroup.make(limits.memory_mb) if limits.memory_mb is not None else None
        self.kills_before = kernel_oom_kills()
        self.stopped: StopReason | None = None
        self.report: dict[str, object] = {}
        self.survivors: tuple[int, ...] = ()

    def begin(self, command: Command) -> None:
        """Give the guard its order, once it is where its memory is limited."""
        if self.cgroup is not None:
            self.cgroup.add(self.process.pid)
        events = self.pipes.events_write
        argv = [str(events) if word == EVENTS_FD else word for word in command.argv]
        order = {"parent": os.getpid(), "nice": command.nice, "events": events, "argv": argv}
        with contextlib.suppress(BrokenPipeError):  # it died at birth: its exit status says so
            os.write(self.pipes.order, json.dumps(order).encode() + b"\n")
        self.pipes.close(events)

    def watch(self) -> None:
        """Read and look until the guard has ended, or until there is a reason to end it."""
        with selectors.DefaultSelector() as selector:
            for descriptor in self.readers:
                selector.register(descriptor, selectors.EVENT_READ)
            while self.process.poll() is None and self.stopped is None:
                for key, _ in selector.select(TICK_SECONDS):
                    if self._read(key.fd) == b"":
                        selector.unregister(key.fd)
                self._look()

    def _look(self) -> None:
        size = self.memory.look()
        if size is not None:
            self.stopped, self.memory_mb = StopReason.MEMORY, size
        elif time.monotonic() > self.deadline:
            self.stopped = StopReason.DEADLINE
        elif self.conversation.tick(self.process.pid):
            self.stopped = StopReason.ASKED

    def _read(self, descriptor: int) -> bytes | None:
        chunk = read_available(descriptor)
        if chunk:
            self.readers[descriptor](chunk)
        return chunk

    def _take_events(self, chunk: bytes) -> None:
        for line in self.events.feed(chunk):
            if self.conversation.line(line):
                self.deadline = min(self.deadline, time.monotonic() + self.limits.exit_grace_seconds)

    def _take_status(self, chunk: bytes) -> None:
        for line in self.status.feed(chunk):
            with contextlib.suppress(ValueError):
                self.report = dict(json.loads(line))

    def finish(self) -> None:
        """Have everything ended and read what is left in the pipes."""
        self.pipes.close(self.pipes.order)  # this is the order to end
        try:
            self.process.wait(GUARD_SECONDS)
        except subprocess.TimeoutExpired:
            self.survivors = tuple(guard.descendants(self.process.pid))  # the guard goes on trying, our locks held
        if self.process.returncode == -signal.SIGKILL:  # somebody killed the guard: its orphans are ours to end
            for pid in self.memory.survivors():
                guard.kill_quietly(pid)
        for descriptor in self.readers:
            for _ in range(_LAST_READS):
                if not self._read(descriptor):
                    break
        if self.cgroup is not None:
            if self.cgroup.was_hit():
                self.stopped, self.memory_mb = StopReason.MEMORY, self.limits.memory_mb
            self.cgroup.remove()

    def end(self) -> ChildEnd:
        number, status = self.report.get("signal"), self.report.get("status")
        error = self.report.get("error")
        killed = -(self.process.returncode or 0) if not self.report else 0
        return ChildEnd(
            duration_ms=(time.monotonic() - self.started) * 1000,
            exit_status=status if isinstance(status, int) else None,
            signal=_signal_name(number) if isinstance(number, int) else None,
            stopped=self.stopped,
            memory_mb=self.memory.peak_mb if self.memory_mb is None else self.memory_mb,
            kernel_oom=kernel_oom_kills() > self.kills_before,
            stderr_tail=self.stderr.text(),
            half_line=self.events.rest()[:200].decode("utf-8", "replace"),
            dropped_lines=self.events.dropped,
            truncated=self.events.truncated,
            start_error=str(error) if error else None,
            survivors=self.survivors,
            guard_signal=_signal_name(killed) if killed > 0 else None,
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
