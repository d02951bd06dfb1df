"""docker/compose.yaml on a plain host: its own commands and environments, with containers' names and paths put here."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine

from tests.packaging.compose import ROOT, environment, new_environment, services
from tests.support.postgres import postgres_server


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Stack:
    """The services as processes, each in a session of its own. ``folder`` holds all they write."""

    def __init__(self, folder: Path, postgres_url: str) -> None:
        self.folder = folder
        self.variables = new_environment()
        self.services = services(self.variables)
        self.ports = {name: free_port() for name in ("api", "redis", "scheduler", "worker", "gpu-worker", "triggerer")}
        self.socket_folder = postgres_url.partition("?host=")[2]
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        """Where the api-server answers."""
        return f"http://127.0.0.1:{self.ports['api']}"

    @property
    def history_url(self) -> str:
        """The history database as the services reach it."""
        return self.environment("worker")["KRONOS_HEALTH__DATABASE__URL"]

    def environment(self, name: str) -> dict[str, str]:
        """What the service's process sees: the compose file's words, then only what makes room on one host."""
        composed = environment(self.services[name], self.variables)
        here = {key: self._here(value) for key, value in composed.items()}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "HOSTNAME": socket.gethostname(),
            "LANG": "C.UTF-8",
            # ENV of the images.
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "KRONOS_HEALTH_STATE_DIR": str(self.folder / "state"),
            **here,
            # In containers each has a host to itself.
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.ports["api"]),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.folder / "airflow/logs"),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self.ports["triggerer"]),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self.ports.get(name, self.ports["worker"])),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.ports["scheduler"]),
        }

    def _here(self, text: str) -> str:
        """Containers' host names and paths, as they are on this host."""
        for there, here in {
            "@postgres:5432/airflow": f"@/airflow?host={self.socket_folder}",
            "@postgres:5432/kronos_health": f"@/kronos_health?host={self.socket_folder}",
            "@redis:6379": f"@127.0.0.1:{self.ports['redis']}",
            "//api-server:8080": f"//127.0.0.1:{self.ports['api']}",
            "//localhost:8080": f"//127.0.0.1:{self.ports['api']}",
            "//localhost:8974": f"//127.0.0.1:{self.ports['scheduler']}",
            "/opt/airflow/dags": str(ROOT / "dags"),
            "/opt/airflow/login": str(self.folder / "login"),
            "/opt/kronos-health/init.sh": str(ROOT / "docker/init.sh"),
            "/etc/kronos-health": str(self._settings_folder()),
        }.items():
            text = text.replace(there, here)
        return text

    def _settings_folder(self) -> Path:
        """The mounted folder of settings: the shipped example unless a variable names another."""
        mounted = self.services["worker"]["volumes"][0].partition(":")[0]
        return (ROOT / "docker" / mounted).resolve()

    def command(self, name: str) -> list[str]:
        """The service's own start command."""
        return [self._here(word) for word in self.services[name]["command"]]

    def make_databases(self) -> None:
        """What the postgres image does on an empty volume: the first role and database, then our script."""
        url = f"postgresql+psycopg://kronos@/postgres?host={self.socket_folder}"
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE ROLE airflow SUPERUSER LOGIN")
            connection.exec_driver_sql("CREATE DATABASE airflow OWNER airflow")
        engine.dispose()
        seen = environment(self.services["postgres"], self.variables)
        subprocess.run(
            [ROOT / "docker/postgres-databases.sh"],
            env={"PATH": os.environ["PATH"], "PGHOST": self.socket_folder, **seen},
            check=True,
            capture_output=True,
        )

    def start_redis(self) -> None:
        """The service's own shell command, on a port of its own."""
        *shell, words = self.command("redis")
        here = f"{words} --bind 127.0.0.1 --port {self.ports['redis']} --dir {self.folder}"
        self._start("redis", [*shell, here], self.environment("redis"))

    def run_init(self) -> str:
        """Run the init service to its end and return what it printed. Raises when it fails."""
        run = subprocess.run(
            self.command("init"),
            env=self.environment("init"),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def start(self, name: str) -> None:
        """Start one of Airflow's services."""
        command = self.command(name)
        if name == "gpu-worker":  # two workers on one host need two names
            command += ["--celery-hostname", "gpu@%h"]
        self._start(name, command, self.environment(name))

    def _start(self, name: str, command: list[str], seen: Mapping[str, str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                command, env=dict(seen), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def wait_until_healthy(self, name: str, seconds: float = 180) -> None:
        """Run the service's own health check until it succeeds. Raises with its log when it does not, or ended."""
        deadline = time.monotonic() + seconds
        while not self._healthy(name):
            if self.running[name].poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{name} is not healthy:\n{self.log(name)[-6000:]}")
            time.sleep(1)

    def _healthy(self, name: str) -> bool:
        kind, *words = [self._here(word) for word in self.services[name]["healthcheck"]["test"]]
        seen = self.environment(name)
        if name == "gpu-worker":
            words = [word.replace("celery@", "gpu@") for word in words]
        if name == "redis":
            words[1:1] = ["-p", str(self.ports["redis"])]
        command = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        return subprocess.run(command, env=seen, cwd=self.folder, capture_output=True, check=False).returncode == 0

    def log(self, name: str) -> str:
        """What the service has printed."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self, name: str, seconds: float = 60) -> int:
        """End the service as Compose does, SIGTERM to its first process, and return its status."""
        process = self.running.pop(name)
        process.terminate()
        try:
            return process.wait(timeout=seconds)
        finally:
            _kill_session(process.pid)

    def stop_all(self) -> None:
        """End whatever still runs; nothing outlives the test."""
        for name in reversed([*self.running]):
            process = self.running.pop(name)
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
            _kill_session(process.pid)


def _kill_session(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def plain_host(folder: Path) -> Iterator[Stack]:
    """PostgreSQL and Redis up, both databases made, nothing of Airflow started yet."""
    if shutil.which("redis-server") is None:
        raise RuntimeError("redis-server was not found; on Debian: apt-get install redis-server")
    with postgres_server() as url:
        stack = Stack(folder, url)
        try:
            stack.make_databases()
            stack.start_redis()
            stack.wait_until_healthy("redis", 30)
            yield stack
        finally:
            stack.stop_all()
