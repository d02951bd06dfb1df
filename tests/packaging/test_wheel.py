"""What pip installs: one wheel that carries everything, and finds it without the checkout."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked where nothing else of the checkout is."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def _run(installed: Path, code: str, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KRONOS_HEALTH")}
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**environment, "PYTHONPATH": str(installed)}, cwd=installed, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


class DescribeContents:
    def it_carries_every_file_of_the_package(self, contents: set[str]) -> None:
        package = ROOT / "kronos_health"
        there = {
            path.relative_to(ROOT).as_posix()
            for path in package.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
        }
        assert "kronos_health/store/migrations/script.py.mako" in there
        assert "kronos_health/airflow_plugin/pools.json" in there
        assert there - contents == set()

    @pytest.mark.parametrize("folder", ["sql", "dags"])
    def it_carries_what_lies_beside_the_package(self, folder: str, contents: set[str]) -> None:
        there = {f"kronos_health/{path.relative_to(ROOT).as_posix()}" for path in _files(ROOT / folder)}
        assert there
        assert there - contents == set()

    def it_carries_the_worker_that_travels(self, contents: set[str]) -> None:
        assert "kronos_health/probe/worker/__main__.py" in contents

    def it_carries_nothing_else(self, contents: set[str]) -> None:
        top = {name.split("/")[0] for name in contents}
        assert {name for name in top if not name.endswith(".dist-info")} == {"kronos_health"}
        assert not [name for name in contents if "__pycache__" in name or name.startswith("tests/")]


class DescribeInstalledWheel:
    def it_is_the_wheel_that_is_imported(self, installed: Path) -> None:
        assert _run(installed, "import kronos_health; print(kronos_health.__file__)").startswith(str(installed))

    def it_migrates_a_database_with_its_own_sql(self, installed: Path, tmp_path: Path) -> None:
        code = """
import sys
from sqlalchemy import inspect
from kronos_health.store import sqlfiles
from kronos_health.store.database import open_engine
from kronos_health.store.migrations import check, upgrade
engine = open_engine(f"sqlite:///{sys.argv[1]}")
upgrade(engine)
check(engine)
print(sqlfiles.folder(), len(inspect(engine).get_view_names()), len(sqlfiles.queries("sqlite")))
"""
        folder, views, queries = _run(installed, code, str(tmp_path / "history.db")).split()
        assert Path(folder) == installed / "kronos_health/sql"
        assert int(views) > 0
        assert int(queries) > 0

    def it_answers_as_a_command(self, installed: Path) -> None:
        code = "import sys; from kronos_health.cli import main; sys.argv = ['kronos-health', '--version']; main()"
        assert _run(installed, code).strip() == importlib.metadata.version("kronos-health")


class DescribeEntryPoints:
    @pytest.mark.parametrize(
        ("group", "name"),
        [
            ("console_scripts", "kronos-health"),
            ("airflow.plugins", "kronos_health"),
            ("apache_airflow_provider", "provider_info"),
        ],
    )
    def it_names_something_that_loads(self, group: str, name: str, tmp_path: Path) -> None:
        code = """
import importlib.metadata, sys
entries = importlib.metadata.distribution("kronos-health").entry_points
(entry,) = entries.select(group=sys.argv[1], name=sys.argv[2])
assert entry.load()
"""
        subprocess.run(
            [sys.executable, "-c", code, group, name], env={**os.environ, "AIRFLOW_HOME": str(tmp_path)}, check=True
        )


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
