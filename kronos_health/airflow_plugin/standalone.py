"""``kronos-health up``: a real Airflow on this machine, the first check through its DAGs, the verdict, and the page.

Everything it keeps is under the state folder; every process it starts ends with it, however it is ended.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from kronos_health.airflow_plugin.serving.components import Components
from kronos_health.airflow_plugin.serving.environment import Address, airflow_environment, dags_folder
from kronos_health.airflow_plugin.serving.first_check import DAG_IDS, FirstCheck
from kronos_health.airflow_plugin.serving.prepare import PROBLEM
from kronos_health.airflow_plugin.serving.rest import Airflow, AirflowAway
from kronos_health.airflow_plugin.serving.state import USER, Layout, forget_run, secrets_of, take_lock
from kronos_health.airflow_plugin.serving.terminal import Terminal
from kronos_health.checks.errors import CheckError
from kronos_health.settings.command import own_command
from kronos_health.settings.loading import PREFIX, LoadedSettings, load_settings

DEFAULT_PORT = 8080
PAGE = "/plugin/kronos-health"  # the health page inside Airflow's own
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PORTS_TRIED = 100
_START_SECONDS = 300.0
_HEALTHY = {"metadatabase", "scheduler", "dag_processor", "triggerer"}
POOLS = Path(__file__).with_name("pools.json")


def serve(
    config: Path | None = None,
    *,
    port: int | None = None,
    host: str = "127.0.0.1",
    once: bool = False,
    console: Console | None = None,
) -> int:
    """Start Airflow, run the first check, print the verdict, and serve until Ctrl-C or SIGTERM.

    ``config`` names the settings file as ``load_settings`` takes it; ``port`` is where to look for a free one first,
    ``once`` ends after the verdict. Returns 0, or 2 when the check could not be made. Raises ``SettingsError``,
    ``StoreError`` or ``CheckError`` with a line for people; then nothing is left running.
    """
    terminal = Terminal(console)
    loaded = load_settings(config)
    layout = Layout(loaded.settings.state_dir)
    layout.make()
    lock, crashed = take_lock(layout)
    with lock:
        if crashed:
            terminal.say(
                f"An earlier kronos-health up (process {crashed}) did not end tidily; its data is kept.", "yellow"
            )
        with _ending_at_sigterm():
            try:
                return _Up(terminal, loaded, layout, lock.descriptor).run(port, host, once)
            except KeyboardInterrupt:
                terminal.say("Ended.")
                return 0
            finally:
                forget_run(lock)


@dataclass(frozen=True, slots=True)
class _Up:
    """One run of ``up``."""

    terminal: Terminal
    loaded: LoadedSettings
    layout: Layout
    lock: int

    def run(self, port: int | None, host: str, once: bool) -> int:
        secrets = secrets_of(self.layout)
        address = self._free_address(host, port or DEFAULT_PORT)
        environment = airflow_environment(os.environ, self.layout, secrets, address, self.loaded.path)
        if not self.loaded.settings.page_url:
            environment[f"{PREFIX}PAGE_URL"] = f"{address.url}{PAGE}"
        if not self.loaded.settings.command:
            environment[f"{PREFIX}COMMAND"] = own_command()
        self.terminal.say(f"State: {self.layout.state} · settings: {self.loaded.path or 'defaults'}")
        with ExitStack() as stack:
            self._prepare(environment)
            components = stack.enter_context(Components.started(environment, self.layout, self.lock, self.terminal))
            airflow = Airflow(address, secrets.password)
            stack.callback(airflow.close)
            fine = self._check(airflow, components)
            self._introduce(address, secrets.password)
            if not once:
                components.wait()
            return 0 if fine else 2

    def _free_address(self, host: str, wanted: int) -> Address:
        for port in range(wanted, min(wanted + _PORTS_TRIED, 65536)):
            if is_free(host, port):
                if port != wanted:
                    self.terminal.say(f"Port {wanted} is taken by another program; using {port}.", "yellow")
                return Address(host, port)
        raise CheckError(
            f"no port from {wanted} to {wanted + _PORTS_TRIED - 1} is free on {host}. Choose one: --port N"
        )

    def _prepare(self, environment: dict[str, str]) -> None:
        """Bring both databases up to date. Raises ``CheckError``."""
        with self.terminal.waiting("Databases") as waiting:
            log = self.layout.components / "prepare.log"
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "kronos_health.airflow_plugin.serving.prepare"],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
                try:
                    while process.poll() is None:
                        time.sleep(0.1)
                        waiting("")
                finally:
                    process.kill()
                    process.wait()
            if process.returncode != 0:
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
                ours = [line.removeprefix(PROBLEM) for line in lines if line.startswith(PROBLEM)]
                raise CheckError("\n".join(ours) or f"the databases could not be prepared; see {log}")

    def _check(self, airflow: Airflow, components: Components) -> bool:
        try:
            self._await_airflow(airflow, components)
            check = FirstCheck(airflow, self.terminal, self.layout, components.require)
            check.end_left_overs()
            self.terminal.say("First check, through the DAGs")
            fine = check.run()
            for sentence in check.verdict():
                self.terminal.say()
                self.terminal.say(sentence, "bold")
            return fine
        except AirflowAway as error:
            raise CheckError(f"{error}. Logs: {self.layout.components}") from error

    def _await_airflow(self, airflow: Airflow, components: Components) -> None:
        """Return when every component is healthy and every DAG is known. Raises ``CheckError`` or ``AirflowAway``."""
        deadline = time.monotonic() + _START_SECONDS
        with self.terminal.waiting("Airflow") as waiting:
            while missing := _HEALTHY - {name for name, state in airflow.health().items() if state == "healthy"}:
                self._pause(components, deadline, ", ".join(sorted(missing)))
                waiting(f"waiting for {', '.join(sorted(missing))}")
            airflow.log_in()
            airflow.set_pools(POOLS)
            while unknown := set(DAG_IDS) - airflow.dags():
                if errors := airflow.import_errors():
                    listed = "\n".join(f"{dags_folder() / name}: {why}" for name, why in errors.items())
                    raise CheckError(f"Airflow cannot read these DAGs:\n{listed}")
                self._pause(components, deadline, ", ".join(sorted(unknown)))
                waiting(f"reading {len(unknown)} DAGs")

    def _pause(self, components: Components, deadline: float, missing: str) -> None:
        components.require()
        if time.monotonic() > deadline:
            raise CheckError(
                f"Airflow was not ready after {_START_SECONDS:.0f} s: {missing}. Logs: {self.layout.components}"
            )
        time.sleep(0.5)

    def _introduce(self, address: Address, password: str) -> None:
        self.terminal.say()
        self.terminal.say(f"Page     {address.url}{PAGE}")
        self.terminal.say(f"Airflow  {address.url}/")
        self.terminal.say(f"Login    {USER} / {password}")
        self.terminal.say("Ctrl-C ends everything; the data stays.")


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there. One on all addresses is in the way of one on this."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the api-server does
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@contextmanager
def _ending_at_sigterm() -> Iterator[None]:
    """SIGTERM and a closed terminal end like Ctrl-C does, which itself works also where a shell had it ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
