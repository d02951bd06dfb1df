"""The worker's command line: read the order, run it, say done."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import faulthandler
import os
import platform
import signal
import sys

from . import failures
from .errors import BadInput
from .protocol import PROTOCOL_VERSION, EventWriter

OLDEST_PYTHON = (3, 10)


def main(arguments: list[str]) -> int:
    """Run one iteration; returns 0 once ``done`` is sent, whatever the iteration's outcome was."""
    parser = argparse.ArgumentParser(
        prog="worker", description="One iteration of one probe; see docs/worker-protocol.md."
    )
    parser.add_argument("--spec", required=True, help="path of the JSON order")
    parser.add_argument("--events-fd", required=True, type=int, help="inherited descriptor that events are written to")
    options = parser.parse_args(arguments)
    # Read when torch is loaded. A probe shares its machine: threads that spin while they wait would stand in
    # production's way, and make predictions slower themselves (5 s, not 0.9 s: Kronos-mini at load 5 on 2 cores).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ends the process at once, also inside a long compilation
    faulthandler.enable()  # a crash leaves its Python frames on stderr
    try:
        writer = EventWriter(options.events_fd)
    except OSError as error:
        parser.error(f"--events-fd {options.events_fd}: {error.strerror}")
    writer.emit("hello", protocol=PROTOCOL_VERSION, pid=os.getpid(), python=platform.python_version())
    rehearsed = _work(options.spec, writer)
    writer.emit("done")
    if rehearsed:
        _leave_at_once()
    return 0


def _work(spec_path: str, writer: EventWriter) -> bool:
    """Run the order; true when it was a rehearsal."""
    try:
        if sys.version_info < OLDEST_PYTHON:
            raise BadInput(f"{sys.executable} is Python {platform.python_version()}; probes need 3.10 or newer")
        from .session import Session
        from .spec import read_spec

        spec = read_spec(spec_path)
    except BadInput as error:
        writer.emit("error", **failures.describe(error))
        return False
    Session(spec, writer).run()
    return spec.rehearsed


def _leave_at_once() -> None:
    """End without taking 400,000 objects of torch's apart, which costs 1.5 s of a rehearsal's 8; how a process ends
    is part of a measured probe's outcome, and no part of a rehearsal's."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)
