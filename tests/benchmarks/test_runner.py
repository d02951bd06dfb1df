"""The benchmarks run as scripts, as make starts them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "benchmarks", *words], cwd=ROOT, capture_output=True, text=True)


def it_hands_options_to_the_benchmark_that_is_named() -> None:
    run = _run("accuracy_rules", "--", "--runs", "5")
    assert run.returncode in (0, 1), run.stderr  # five runs may break any promise
    assert "5 simulated comparisons per line" in run.stdout


def it_refuses_options_for_several() -> None:
    run = _run("daily_looks", "accuracy_rules", "--", "--runs", "5")
    assert run.returncode == 2
    assert "options behind -- are for one benchmark: name it" in run.stderr


def it_names_the_benchmarks_that_there_are() -> None:
    run = _run("overhead")
    assert run.returncode == 2
    assert "there are: accuracy_rules, daily_looks, log_scan, log_to_slack, probe_overhead, start_up" in run.stderr


@pytest.mark.slow
def it_times_the_harness_against_a_bare_script_with_the_same_forecasts() -> None:
    run = _run("probe_overhead", "--", "--size", "tiny", "--pairs", "1", "--campaigns", "0", "--predictions", "3")
    assert run.returncode == 0, run.stderr
    assert "latency inside the harness / bare: median" in run.stdout


@pytest.mark.slow
def it_makes_a_dry_run_of_the_gpus_table() -> None:
    before = sorted(ROOT.glob("docs/measurements/*"))
    run = _run("--gpu", "gpu_variants", "--", "--dry-run", "--variant", "compiled_default")
    assert run.returncode == 0, run.stderr
    assert "| `compiled_default` | passed | 1/1 |" in run.stdout
    assert "this is a dry run on a CPU, and says nothing about CUDA" in run.stdout
    assert "**Yes**" not in run.stdout
    assert sorted(ROOT.glob("docs/measurements/*")) == before
