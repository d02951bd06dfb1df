"""What pip is given of our environment, what it may bring, and what is told when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from kronos_health.probe.child import ChildEnd, StopReason
from kronos_health.probe.pip import CUDA_PACKAGES, one_line, pip_environment, unwanted_packages, why


def ended(stderr: str = "", **changes: object) -> ChildEnd:
    values: dict[str, object] = {
        "duration_ms": 1.0, "exit_status": 1, "signal": None, "stopped": None, "memory_mb": 1.0, "kernel_oom": False,
        "stderr_tail": stderr, "half_line": "", "dropped_lines": 0, "truncated": False,
    }  # fmt: skip
    return ChildEnd(**{**values, **changes})  # type: ignore[arg-type]


CONFLICT = """
The conflict is caused by:
    The user requested torch==2.15.0
    The user requested (constraint) torch<=2.14.1
"""


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (ended("WARNING: x\nERROR: No matching distribution found for torch==9.9\n"),
         "No matching distribution found for torch==9.9"),
        (ended("ERROR: Cannot install torch==2.15.0 because these package versions have conflicting dependencies.\n"
               "ERROR: ResolutionImpossible: for help visit a page\n"),
         ("Cannot install torch==2.15.0 because these package versions have conflicting dependencies. The user "
         "requested torch==2.15.0 The user requested (constraint) torch<=2.14.1")),
        (ended("WARNING: Retrying (Retry(total=0)) after connection broken\nERROR: No matching distribution found\n"),
         "No matching distribution found (a package index did not answer)"),
        (ended("ERROR: Could not install packages: [Errno 28] No space left on device\n"),
         "Could not install packages: [Errno 28] No space left on device"),
        (ended("/usr/bin/python3: No module named venv\n"), "/usr/bin/python3: No module named venv"),
        (ended(exit_status=3), "exit status 3"),
        (ended(exit_status=None, signal="SIGKILL"), "SIGKILL"),
        (ended(exit_status=None, stopped=StopReason.DEADLINE), "it did not end in the time it has"),
        (ended(start_error="/gone/python: No such file or directory"), "/gone/python: No such file or directory"),
    ],
)  # fmt: skip
def it_tells_why_in_pips_own_words(end: ChildEnd, told: str) -> None:
    assert why(end, CONFLICT if "Cannot install" in end.stderr_tail else "") == told


def it_looks_at_the_log_when_nothing_was_said_on_stderr() -> None:
    log = "The virtual environment was not created successfully because ensurepip is not\navailable.\n"
    assert why(ended(), log).startswith("The virtual environment was not created successfully because ensurepip is not")


def it_shows_no_password_of_an_index() -> None:
    assert one_line("no answer from https://me:hunter2@mirror/simple\n  at all") == (
        "no answer from https://***@mirror/simple at all"
    )


def it_names_cuda_packages_in_pips_report_and_leaves_harmless_ones() -> None:
    names = ("torch", "nvidia-cublas", "nvidia_nccl_cu13", "triton", "nvidia-ml-py", "cuda-bindings", "numpy")
    report = {"install": [{"metadata": {"name": name, "version": "1"}} for name in names]}
    assert unwanted_packages(report, CUDA_PACKAGES) == (
        "nvidia-cublas 1",
        "nvidia-nccl-cu13 1",
        "triton 1",
        "cuda-bindings 1",
    )
    assert unwanted_packages({}, CUDA_PACKAGES) == ()


def it_hands_on_pips_configuration_and_no_secret(tmp_path: Path) -> None:
    parent = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "PIP_INDEX_URL": "https://mirror/simple",
        "PIP_TARGET": "/elsewhere",
        "PIP_USER": "1",
        "AIRFLOW_CONN_X": "secret",
        "KRONOS_HEALTH__SLACK__TOKEN": "secret",
        "PYTHONPATH": "/ours",
    }
    passed = pip_environment(parent, tmp_path)
    assert (passed["PIP_INDEX_URL"], passed["HOME"], passed["PIP_USER"]) == ("https://mirror/simple", "/home/me", "0")
    assert not {"PIP_TARGET", "AIRFLOW_CONN_X", "KRONOS_HEALTH__SLACK__TOKEN", "PYTHONPATH"} & passed.keys()
