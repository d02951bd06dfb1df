"""How long people and the dag-processor wait before anything happens: the command line, and each DAG file.

Prints the median of fresh processes, in milliseconds; a DAG file's figure is without importing Airflow itself.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = 5

_PARSE = """
import json, runpy, sys, time
import airflow.sdk
from kronos_health.airflow_plugin import building
begun = time.perf_counter()
runpy.run_path(sys.argv[1])
heavy = sorted({"torch", "pandas", "scipy", "matplotlib", "sktime"} & set(sys.modules))
print(json.dumps([(time.perf_counter() - begun) * 1000, heavy]))
"""


def command_ms(*words: str) -> float:
    """Median wall time of a command of ours."""
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        subprocess.run(
            [Path(sys.executable).with_name("kronos-health"), *words], cwd=ROOT, check=True, capture_output=True
        )
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def dag_ms(dag: Path, home: str) -> tuple[float, list[str]]:
    """Median time to run one DAG file, and the heavy modules it brought in."""
    times, heavy = [], []
    for _ in range(RUNS):
        run = subprocess.run(
            [sys.executable, "-c", _PARSE, dag], cwd=ROOT, env={**os.environ, "AIRFLOW_HOME": home},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        took, heavy = json.loads(run.stdout.splitlines()[-1])
        times.append(took)
    return statistics.median(times), heavy


def main() -> None:
    """Print one line for each."""
    for words in (("--version",), ("--help",), ("config", "check")):
        print(f"{'kronos-health ' + ' '.join(words):<40} {command_ms(*words):>8.0f} ms")
    with tempfile.TemporaryDirectory() as home:
        for dag in sorted((ROOT / "dags").glob("*.py")):
            took, heavy = dag_ms(dag, home)
            print(f"{dag.name:<40} {took:>8.0f} ms{'  brings in ' + ', '.join(heavy) if heavy else ''}")


if __name__ == "__main__":
    main()
