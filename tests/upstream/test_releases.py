"""Releases come from pip itself, whichever index it is told to use; a silent index is never "no news"."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kronos_health.upstream.releases import ReleaseLook, final_releases, listed_versions, look_up_releases
from tests.upstream.conftest import CLOSED

Index = tuple[str, list[str]]
Use = Callable[..., None]


def _versions(look: ReleaseLook) -> list[str]:
    return [release.version for release in look.releases]


def it_lists_final_releases_newest_first_and_one_for_all_builds(package_index: Index, use_indexes: Use) -> None:
    address, versions = package_index
    versions += ["2.9.1", "2.10.0", "2.13.0", "2.13.0+cpu", "2.14.0rc1", "2.15.0.dev20261101"]
    use_indexes(address)
    look = look_up_releases("torch", None, timeout_seconds=60)
    assert (_versions(look), look.unknown) == (["2.13.0", "2.10.0", "2.9.1"], None)


def it_asks_the_pip_of_the_interpreter_it_is_given(package_index: Index, use_indexes: Use, newer_python: Path) -> None:
    address, versions = package_index
    versions += ["2.13.0", "2.14.0a1"]
    use_indexes(address)
    look = look_up_releases("torch", newer_python, timeout_seconds=60)
    assert (_versions(look), look.unknown) == (["2.13.0"], None)


def it_sees_a_release_the_moment_the_index_carries_it(package_index: Index, use_indexes: Use) -> None:
    address, versions = package_index
    versions.append("2.13.0")
    use_indexes(address)
    before = look_up_releases("torch", None, timeout_seconds=60)
    versions.append("2.14.0")
    after = look_up_releases("torch", None, timeout_seconds=60)
    assert {release.version for release in set(after.releases) - set(before.releases)} == {"2.14.0"}


def it_says_so_when_no_index_answers(use_indexes: Use) -> None:
    use_indexes(CLOSED)
    look = look_up_releases("torch", None, timeout_seconds=60)
    assert look.releases == ()
    assert look.unknown is not None
    assert look.unknown.subject == "torch"
    assert "127.0.0.1:1" in look.unknown.reason
    assert "refused" in look.unknown.reason


@pytest.mark.parametrize("pip", ["ours", "newer"])
def it_does_not_take_what_is_left_for_everything_when_one_index_is_silent(
    package_index: Index, use_indexes: Use, newer_python: Path, pip: str
) -> None:
    address, versions = package_index
    versions.append("2.13.0")
    use_indexes(CLOSED, address)
    look = look_up_releases("torch", newer_python if pip == "newer" else None, timeout_seconds=60)
    assert _versions(look) == ["2.13.0"]
    assert look.unknown is not None
    assert look.unknown.reason.startswith("not every package index answered: http://127.0.0.1:1/")


def it_does_not_mind_an_index_that_lacks_the_package(package_index: Index, use_indexes: Use) -> None:
    address, versions = package_index
    versions.append("2.13.0")
    use_indexes(address, address.replace("/simple", "/empty"))
    look = look_up_releases("torch", None, timeout_seconds=60)
    assert (_versions(look), look.unknown) == (["2.13.0"], None)


def it_says_so_when_the_package_does_not_exist(package_index: Index, use_indexes: Use) -> None:
    use_indexes(package_index[0])
    look = look_up_releases("torhc", None, timeout_seconds=60)
    assert look.unknown is not None
    assert "No matching distribution found for torhc" in look.unknown.reason


def it_gives_up_in_time(package_index: Index, use_indexes: Use) -> None:
    use_indexes(package_index[0])
    look = look_up_releases("torch", None, timeout_seconds=0.05)
    assert look.unknown is not None
    assert look.unknown.reason == f"pip of {sys.executable}: no answer within 0.05 s"


def it_names_an_interpreter_that_cannot_be_asked(tmp_path: Path) -> None:
    look = look_up_releases("torch", tmp_path / "python", timeout_seconds=60)
    assert look.unknown is not None
    assert look.unknown.reason.endswith("cannot be started: No such file or directory")


def it_names_the_setting_for_an_interpreter_without_pip(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    look = look_up_releases("torch", tmp_path / "bin" / "python", timeout_seconds=60)
    assert look.unknown is not None
    assert "has no pip: set upstream.torch_interpreter" in look.unknown.reason


def it_never_shows_the_password_of_a_mirror(use_indexes: Use) -> None:
    use_indexes("http://user:hunter2@127.0.0.1:1/simple")
    look = look_up_releases("torch", None, timeout_seconds=60)
    assert look.unknown is not None
    assert "hunter2" not in look.unknown.reason


def it_hands_no_secret_of_a_task_to_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = tmp_path / "python"
    spy.write_text(f"#!/bin/sh\nenv > {tmp_path / 'environment'}\n")
    spy.chmod(0o755)
    monkeypatch.setenv("AIRFLOW_CONN_KRONOS_HEALTH_DB", "postgresql://u:hunter2@db/kronos")
    monkeypatch.setenv("PIP_PROXY", "http://proxy.example")
    look_up_releases("torch", spy, timeout_seconds=10)
    environment = (tmp_path / "environment").read_text()
    assert "hunter2" not in environment
    assert "PIP_PROXY=http://proxy.example" in environment


@pytest.mark.parametrize(
    ("output", "versions"),
    [
        ('{"name": "torch", "versions": ["2.15.0", "2.14.1"], "latest": "2.15.0"}\n', ("2.15.0", "2.14.1")),  # 26.3
        ("torch (2.15.0)\nAvailable versions: 2.15.0, 2.14.1\n  INSTALLED: 2.13.0+cpu\n", ("2.15.0", "2.14.1")),  # 23.2
        ('{"name": "torch"}\n', ()),
        ("{broken\n", ()),
        ("", ()),
    ],
)
def it_reads_what_pip_prints(output: str, versions: tuple[str, ...]) -> None:
    assert listed_versions(output) == versions


def it_passes_over_versions_that_no_standard_knows() -> None:
    assert [release.version for release in final_releases("torch", ("2.13.0", "nightly", "1.0.post2"))] == [
        "2.13.0",
        "1.0.post2",
    ]
