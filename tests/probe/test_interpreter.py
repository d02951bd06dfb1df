"""A target's interpreter that cannot be used gets one line: which target, which key, what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kronos_health.probe.claim import target_device
from kronos_health.probe.interpreter import TargetProblem, inspect
from kronos_health.settings.models import Probe, Target


def script(folder: Path, text: str) -> Path:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def answering(answer: str) -> str:
    """A shell script that answers like an interpreter would: the descriptor is its third argument."""
    return f"echo '{answer}' > /proc/self/fd/$3"


def it_knows_this_interpreter(tmp_path: Path) -> None:
    found = inspect("kronos", Target(), tmp_path)
    assert found.path == sys.executable
    assert found.python.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert found.torch[0].isdigit()
    assert target_device("kronos", Target(), Probe(), tmp_path) == ("cuda" if found.cuda else "cpu")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def it_asks_no_interpreter_where_the_settings_say_the_device(tmp_path: Path, device: str) -> None:
    target = Target(interpreter=tmp_path / "nowhere")
    assert target_device("kronos", target, Probe(device=device), tmp_path) == device  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'exec {sys.executable} -S "$@"', "has no torch. Install torch there"),
        (answering('{"python": [3, 9, 2], "torch": true}'), "Python 3.9.2 is too old. The worker needs 3.10 or newer."),
        (
            answering('{"python": [3, 11, 2], "torch": true, "error": "OSError: libcudart.so: not found"}'),
            "its torch cannot be imported (OSError: libcudart.so: not found)",
        ),
        ("echo 'command not found' >&2; exit 127", "did not answer like a Python (exit status 127: command not found)"),
        ("kill -SEGV $$", "did not answer like a Python (SIGSEGV)"),
        ("exit 0", "did not answer like a Python (exit status 0)"),
    ],
)
def it_says_why_an_interpreter_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    path = script(tmp_path, text)
    with pytest.raises(TargetProblem) as problem:
        inspect("toto", Target(interpreter=path), tmp_path / "state")
    assert str(problem.value).startswith(f"targets.toto.interpreter = {path}: ")
    assert words in str(problem.value)
    assert "\n" not in str(problem.value)


def it_says_why_a_file_is_no_interpreter(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    for path, words in [
        (tmp_path / "nowhere", "there is no such file"),
        (tmp_path, "this is a folder"),
        (tmp_path / "plain", "not executable"),
    ]:
        with pytest.raises(TargetProblem, match=words):
            inspect("toto", Target(interpreter=path), tmp_path)


def it_keeps_a_virtual_environments_own_path(tmp_path: Path) -> None:
    """A resolved symbolic link would be the base interpreter, without the environment's packages."""
    link = tmp_path / "python"
    link.symlink_to(script(tmp_path / "..", answering('{"python": [3, 12, 1], "torch": true, "version": "2.9"}')))
    assert inspect("toto", Target(interpreter=link), tmp_path / "state").path == str(link)


def it_says_when_it_has_nowhere_to_work(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    path = script(tmp_path, "exit 0")
    with pytest.raises(TargetProblem, match="a probe cannot work there"):
        target_device("toto", Target(interpreter=path), Probe(), tmp_path / "state")
