"""Airflow's four processes, under their keeper."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from kronos_health.airflow_plugin.serving.keeper import GRACE_SECONDS
from kronos_health.airflow_plugin.serving.state import Layout
from kronos_health.airflow_plugin.serving.terminal import Terminal
from kronos_health.checks.errors import CheckError
from kronos_health.probe.guard import PR_SET_CHILD_SUBREAPER, end_descendants, prctl

# The log servers are left out: all logs are files of this machine, and two more ports could be taken.
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
# Tasks are forked from the scheduler: what it has imported costs them nothing.
PROGRAMS = {"scheduler": "kronos_health.airflow_plugin.serving.scheduler"}
_TAIL_LINES = 5
_KEEPER_SECONDS = GRACE_SECONDS + 30.0


class Components:
    """Runs as long as it is entered; see :mod:`.keeper` for what that promises."""

    def __init__(self, keeper: subprocess.Popen[bytes], layout: Layout) -> None:
        self._keeper, self._layout = keeper, layout
        self._heard = b""

    @classmethod
    @contextmanager
    def started(
        cls, environment: Mapping[str, str], layout: Layout, lock: int, terminal: Terminal
    ) -> Iterator[Components]:
        """Start all of them. The keeper inherits ``lock``, so that the state folder is free only when it is done."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)  # should the keeper be killed, what it kept is ours to end
        keeper = subprocess.Popen(
            [sys.executable, "-m", "kronos_health.airflow_plugin.serving.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(environment),
            pass_fds=(lock,),
            start_new_session=True,
        )
        components = cls(keeper, layout)
        try:
            components._order()
            yield components
        finally:
            components._end(terminal)

    def require(self) -> None:
        """Raise ``CheckError`` with the end of its log when a component has ended."""
        self._listen(0.0)

    def wait(self) -> None:
        """Return never: raises ``CheckError`` when a component ends."""
        while True:
            self._listen(None)

    def _order(self) -> None:
        commands = {
            name: [sys.executable, "-m", PROGRAMS.get(name, "airflow"), *words] for name, words in COMMANDS.items()
        }
        # Tasks that are asked to end still report how, so the api-server is the last to go.
        order = {"components": commands, "last": ["api-server"], "logs": str(self._layout.components)}
        assert self._keeper.stdin is not None  # noqa: S101 - for the type checker: it was asked for
        self._keeper.stdin.write(json.dumps(order).encode() + b"\n")
        self._keeper.stdin.flush()

    def _listen(self, timeout: float | None) -> None:
        assert self._keeper.stdout is not None  # noqa: S101 - for the type checker: it was asked for
        descriptor = self._keeper.stdout.fileno()
        if not select.select([descriptor], [], [], timeout)[0]:
            return
        chunk = os.read(descriptor, 4096)
        if not chunk:
            raise CheckError(f"Airflow's keeper ended unexpectedly. Logs: {self._layout.components}")
        self._heard += chunk
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            raise CheckError(self._obituary(json.loads(line)))

    def _obituary(self, said: Mapping[str, object]) -> str:
        log = self._layout.components / f"{said['ended']}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join([f"Airflow's {said['ended']} ended with {said['status']}. The end of {log}:", *lines])

    def _end(self, terminal: Terminal) -> None:
        """Let the keeper end everything; a second Ctrl-C does not stop it from doing so."""
        before = signal.getsignal(signal.SIGINT)
        _set_sigint(signal.SIG_IGN)
        try:
            terminal.say("Ending Airflow …")
            assert self._keeper.stdin is not None  # noqa: S101 - for the type checker: it was asked for
            self._keeper.stdin.close()
            if self._keeper.wait(_KEEPER_SECONDS) != 0:
                end_descendants(os.getpid(), _reap)
        except (OSError, subprocess.TimeoutExpired):
            terminal.say(f"The keeper (process {self._keeper.pid}) is still ending Airflow's processes.", "yellow")
        finally:
            _set_sigint(before)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def _set_sigint(handler: object) -> None:
    try:
        signal.signal(signal.SIGINT, handler)  # type: ignore[arg-type]
    except ValueError:  # not the main thread: then no Ctrl-C arrives here
        return
