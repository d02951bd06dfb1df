"""A child may do what it likes: its parent keeps what it said, ends it in time, and stays small."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import pytest

from kronos_health.probe.child import EVENTS_FD, ChildEnd, Command, Conversation, Limits, StopReason, run_child
from tests.probe.children import program, wait_for_pids
from tests.support.processes import gone


class Listener(Conversation):
    def __init__(self, last: bytes = b"done", stop_after: float = 60.0) -> None:
        self.lines: list[bytes] = []
        self.last = last
        self.stop_at = time.monotonic() + stop_after

    def line(self, line: bytes) -> bool:
        self.lines.append(line)
        return line == self.last

    def tick(self, pid: int) -> bool:
        return time.monotonic() > self.stop_at


def run(tmp_path: Path, body: str, listener: Conversation | None = None, **limits: float) -> ChildEnd:
    argv = (sys.executable, str(program(tmp_path, body)), "--events-fd", EVENTS_FD)
    command = Command(argv, {"PATH": "/usr/bin:/bin", "FOLDER": str(tmp_path)}, tmp_path)
    return run_child(command, Limits(**{"deadline_seconds": 20.0, **limits}), listener or Conversation())


def it_hands_over_every_line_and_the_exit_status(tmp_path: Path) -> None:
    listener = Listener()
    end = run(tmp_path, "os.write(EVENTS, b'one\\ntwo\\nhalf'); sys.stderr.write('oh'); sys.exit(3)", listener)
    assert listener.lines == [b"one", b"two"]
    assert (end.exit_status, end.signal, end.stopped) == (3, None, None)
    assert (end.stderr_tail, end.half_line) == ("oh", "half")
    assert end.duration_ms > 0


def it_names_the_signal(tmp_path: Path) -> None:
    end = run(tmp_path, "os.kill(os.getpid(), signal.SIGSEGV)")
    assert (end.exit_status, end.signal, end.stopped) == (None, "SIGSEGV", None)


def it_ends_a_hang_at_the_deadline(tmp_path: Path) -> None:
    started = time.monotonic()
    end = run(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)", deadline_seconds=0.7)
    assert end.stopped is StopReason.DEADLINE
    assert time.monotonic() - started < 5


def it_gives_a_child_that_has_said_its_last_word_little_time(tmp_path: Path) -> None:
    started = time.monotonic()
    end = run(tmp_path, "os.write(EVENTS, b'done\\n'); time.sleep(60)", Listener(), exit_grace_seconds=0.3)
    assert end.stopped is StopReason.DEADLINE
    assert time.monotonic() - started < 5


def it_ends_when_asked(tmp_path: Path) -> None:
    assert run(tmp_path, "time.sleep(60)", Listener(stop_after=0.3)).stopped is StopReason.ASKED


def it_ends_a_child_whose_whole_tree_grows_too_large(tmp_path: Path) -> None:
    body = """
        os.fork()
        held = []
        while True:
            held.append(bytearray(os.urandom(8 * 1024 * 1024)))
            time.sleep(0.02)
    """
    end = run(tmp_path, body, memory_mb=200.0)
    assert end.stopped is StopReason.MEMORY
    assert 200 < end.memory_mb < 2000


def it_counts_memory_that_processes_share_only_once(tmp_path: Path) -> None:
    """Eight forks of 60 MiB are 480 MiB by resident size, and still 60."""
    body = """
        held = bytearray(os.urandom(60 * 1024 * 1024))
        for _ in range(7):
            if os.fork() == 0:
                time.sleep(2.5)
                os._exit(0)
        time.sleep(2.5)
    """
    end = run(tmp_path, body, memory_mb=250.0)
    assert (end.stopped, end.exit_status) == (None, 0)
    assert end.memory_mb > 300


def it_stays_small_however_much_a_child_writes(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    body = """
        block = b"x" * 1_000_000
        for _ in range(100):
            os.write(2, block)
            os.write(1, block)
        os.write(2, b"\\nthe end")
        os.write(EVENTS, b"early\\n")
        for _ in range(40):
            os.write(EVENTS, block)
        os.write(EVENTS, b"\\nlate\\n")
    """
    listener = Listener()
    end = run(tmp_path, body, listener)
    assert end.exit_status == 0
    assert end.stderr_tail == "the end"
    assert listener.lines == [b"early"]
    assert end.truncated
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 64 * 1024


def it_drops_one_line_that_is_too_long_and_goes_on(tmp_path: Path) -> None:
    listener = Listener()
    end = run(tmp_path, 'os.write(EVENTS, b"a\\n" + b"x" * 1_000_000 + b"\\nb\\n")', listener)
    assert listener.lines == [b"a", b"b"]
    assert (end.dropped_lines, end.truncated) == (1, False)


def it_is_not_held_up_by_a_daemon_that_keeps_the_pipes(tmp_path: Path) -> None:
    body = """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                open(os.environ["FOLDER"] + "/pids", "w").write(f"{os.getpid()}\\n")
                time.sleep(60)
            os._exit(0)
        os.wait()
        while not os.path.exists(os.environ["FOLDER"] + "/pids"): time.sleep(0.01)
        os.write(EVENTS, b"done\\n")
    """
    started = time.monotonic()
    listener = Listener()
    end = run(tmp_path, body, listener)
    assert (end.exit_status, listener.lines) == (0, [b"done"])
    assert time.monotonic() - started < 5
    assert gone(wait_for_pids(tmp_path / "pids", 1))


def it_goes_on_when_a_child_closes_its_pipes_early(tmp_path: Path) -> None:
    end = run(tmp_path, "os.close(EVENTS); os.close(1); os.close(2); time.sleep(0.3); os._exit(4)")
    assert (end.exit_status, end.stopped) == (4, None)


def it_says_what_could_not_be_started(tmp_path: Path) -> None:
    command = Command(("/etc/passwd", EVENTS_FD), {}, tmp_path)
    end = run_child(command, Limits(10.0), Conversation())
    assert end.start_error == "/etc/passwd: Permission denied"


def it_ends_the_child_when_the_listener_fails(tmp_path: Path) -> None:
    class Broken(Conversation):
        def line(self, line: bytes) -> bool:
            raise RuntimeError("the database is gone")

    body = """
        open(os.environ["FOLDER"] + "/pids", "w").write(f"{os.getpid()}\\n")
        os.write(EVENTS, b"one\\n"); time.sleep(60)
    """
    with pytest.raises(RuntimeError, match="the database is gone"):
        run(tmp_path, body, Broken())
    assert gone(wait_for_pids(tmp_path / "pids", 1))


def it_says_that_the_guard_was_killed(tmp_path: Path) -> None:
    end = run(tmp_path, "os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)")
    assert (end.guard_signal, end.exit_status, end.signal) == ("SIGKILL", None, None)
    assert run(tmp_path, "sys.exit(0)").guard_signal is None


def it_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    run(tmp_path, "pass")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
