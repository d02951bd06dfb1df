"""The images and the compose file: as far as they can be proved without a Docker engine. See also test_stack.py."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from tests.packaging.compose import COMPOSE, ROOT, environment, new_environment, services

DOCKERFILES = [ROOT / "docker/Dockerfile", ROOT / "docker/Dockerfile.gpu"]
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer", "worker", "gpu-worker"}
WORKERS = {"worker", "gpu-worker"}

_PARSE = """
import json, sys
from airflow.cli.cli_parser import get_parser
for command in json.load(sys.stdin):
    get_parser().parse_args(command)
"""


@pytest.fixture(scope="module")
def variables() -> dict[str, str]:
    return new_environment()


@pytest.fixture(scope="module")
def composed(variables: dict[str, str]) -> dict[str, dict[str, Any]]:
    return services(variables)


class DescribeSecrets:
    def it_stands_none_in_the_compose_file(self) -> None:
        secret = re.compile(r"(PASSWORD|SECRET|_KEY|TOKEN|AUTH)$")
        written = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
        literals = [
            (name, key)
            for name, service in written.items()
            for key, value in service.get("environment", {}).items()
            if secret.search(key) and value is not None and not str(value).startswith("${")
        ]
        assert literals == []

    def it_is_refused_to_start_without_them(self) -> None:
        with pytest.raises(KeyError, match=r"new-env\.sh"):
            services({})

    def it_fills_every_secret_with_something_new(self, variables: dict[str, str]) -> None:
        again = new_environment()
        secrets = [name for name in variables if re.search(r"PASSWORD|SECRET|FERNET", name)]
        assert len(secrets) == 7
        assert all(variables[name] != again[name] for name in secrets)

    def it_makes_keys_that_airflow_accepts(self, variables: dict[str, str]) -> None:
        assert len(variables["JWT_SECRET"]) >= 64
        assert Fernet(variables["FERNET_KEY"]).encrypt(b"anything")

    @pytest.mark.parametrize("name", sorted(WORKERS))
    def it_keeps_airflows_database_and_signing_key_from_workers(
        self, name: str, composed: dict[str, dict[str, Any]], variables: dict[str, str]
    ) -> None:
        seen = environment(composed[name], variables)
        assert "AIRFLOW__API_AUTH__JWT_SECRET" not in seen
        assert not [key for key, value in seen.items() if variables["POSTGRES_PASSWORD"] in value]


class DescribeServices:
    def it_runs_every_part_of_airflow(self, composed: dict[str, dict[str, Any]]) -> None:
        assert set(composed) == AIRFLOW | {"postgres", "redis", "init", "slack-listen"}

    def it_migrates_before_anything_else_starts(self, composed: dict[str, dict[str, Any]]) -> None:
        assert composed["init"]["depends_on"] == {
            "postgres": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
        }
        for name in AIRFLOW:
            assert composed[name]["depends_on"]["init"] == {"condition": "service_completed_successfully"}

    def it_watches_and_restarts_whatever_keeps_running(self, composed: dict[str, dict[str, Any]]) -> None:
        for name in set(composed) - {"init"}:
            assert composed[name]["healthcheck"]["test"], name
            assert composed[name]["restart"] == "unless-stopped", name

    def it_publishes_the_interface_on_the_loopback_address_alone(self, composed: dict[str, dict[str, Any]]) -> None:
        published = {name: service["ports"] for name, service in composed.items() if "ports" in service}
        assert published == {"api-server": ["127.0.0.1:8080:8080"]}

    def it_gives_the_gpu_to_one_task_at_a_time(self, composed: dict[str, dict[str, Any]]) -> None:
        worker = composed["gpu-worker"]
        assert worker["profiles"] == ["gpu"]
        assert worker["command"][-4:] == ["--queues", "gpu", "--concurrency", "1"]
        device = {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
        assert worker["deploy"]["resources"]["reservations"]["devices"] == [device]

    @pytest.mark.parametrize("name", sorted(WORKERS))
    def it_lets_workers_finish_what_they_do(self, name: str, composed: dict[str, dict[str, Any]]) -> None:
        assert composed[name]["environment"]["DUMB_INIT_SETSID"] == "0"
        assert composed[name]["stop_grace_period"] == "2m"

    def it_writes_environment_values_as_text(self, composed: dict[str, dict[str, Any]]) -> None:
        for name, service in composed.items():
            for key, value in service.get("environment", {}).items():
                assert value is None or isinstance(value, str), (name, key)


class DescribeStartCommands:
    def it_starts_only_programs_that_a_plain_host_has(self, composed: dict[str, dict[str, Any]]) -> None:
        scripts = Path(sys.executable).parent
        for name, service in composed.items():
            program = service.get("command", ["sh"])[0]
            assert (scripts / program).exists() or shutil.which(program), f"{name}: {program}"

    def it_starts_airflow_with_arguments_that_it_knows(
        self, composed: dict[str, dict[str, Any]], tmp_path: Path
    ) -> None:
        commands = [
            service["command"][1:] for service in composed.values() if service.get("command", [""])[0] == "airflow"
        ]
        checks = [service["healthcheck"]["test"] for name, service in composed.items() if name in AIRFLOW]
        commands += [check[2:] for check in checks if check[1] == "airflow"]
        assert len(commands) == len(AIRFLOW) + 2
        run = subprocess.run(
            [sys.executable, "-c", _PARSE],
            input=json.dumps(commands),
            env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert run.returncode == 0, run.stderr

    def it_reads_the_queue_that_tasks_go_to_by_default(self, composed: dict[str, dict[str, Any]]) -> None:
        command = composed["worker"]["command"]
        assert command[command.index("--queues") + 1] == "default"  # Airflow's [operators] default_queue


class DescribeImages:
    @pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
    def it_copies_only_what_is_there_and_sent_to_the_builder(self, dockerfile: Path) -> None:
        allowed = [line[1:].strip() for line in _lines(ROOT / ".dockerignore") if line.startswith("!")]
        sources = _copied(dockerfile)
        assert "constraints.txt" in sources
        for source in sources:
            assert (ROOT / source).exists(), source
            assert any(
                fnmatch.fnmatch(f"{source}/x" if (ROOT / source).is_dir() else source, pattern) for pattern in allowed
            ), source

    def it_rests_on_the_airflow_that_was_tested(self) -> None:
        tested = re.search(r"^apache-airflow==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
        assert tested is not None
        assert f"apache/airflow:{tested[1]}-python3.11" in DOCKERFILES[0].read_text()

    def it_keeps_cuda_out_of_the_default_image(self) -> None:
        assert "ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu" in DOCKERFILES[0].read_text()

    def it_brings_a_compiler_to_where_models_are_compiled(self) -> None:
        for dockerfile in DOCKERFILES:
            assert re.search(r"apt-get install .*\bg\+\+", dockerfile.read_text()), dockerfile

    def it_keeps_the_running_user_unprivileged(self) -> None:
        for dockerfile in DOCKERFILES:
            assert re.findall(r"^USER (\S+)", dockerfile.read_text(), re.MULTILINE)[-1] == "50000:0"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _copied(dockerfile: Path) -> list[str]:
    sources: list[str] = []
    for line in _lines(dockerfile):
        if line.startswith("COPY "):
            words = [word for word in line.split()[1:] if not word.startswith("--")]
            sources += words[:-1]
    return sources
