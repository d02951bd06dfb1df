"""Runs the worker as its supervisor does: a real process, a spec file, a pipe of events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kronos_health.probe

WORKER = Path(kronos_health.probe.__file__).parent / "worker"
PLANTED = Path(__file__).parent / "planted"
SMALL = {"rows": 120, "lookback": 16, "max_context": 16, "pred_len": 1, "sample_count": 2}


@dataclass(frozen=True)
class Run:
    """What a finished worker left behind."""

    status: int
    events: list[dict[str, Any]]
    stderr: str

    def all(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.events if one["event"] == event]

    def one(self, event: str) -> dict[str, Any]:
        (found,) = self.all(event)
        return found

    @property
    def finished(self) -> bool:
        return self.status == 0 and bool(self.events) and self.events[-1]["event"] == "done"

    @property
    def values(self) -> list[float]:
        return [one["value"] for one in self.all("prediction")]

    @property
    def failure(self) -> dict[str, Any] | None:
        found = self.all("error")
        assert len(found) <= 1
        return found[0] if found else None


def spec(**changes: Any) -> dict[str, Any]:
    """A spec for the tiny model; tables such as ``evaluation`` are merged, the rest is replaced."""
    base: dict[str, Any] = {
        "protocol": 1,
        "kind": "measured",
        "target": {"name": "kronos", "loader": "kronos", "size": "tiny"},
        "variant": {"name": "eager", "recipe": "eager", "options": {}},
        "device": "cpu",
        "regime": "saturated",
        "iteration": 0,
        "predictions": 3,
        "seed": 1000,
        "evaluation": SMALL,
        "threads": 1,
    }
    for key, value in changes.items():
        base[key] = {**base[key], **value} if isinstance(value, dict) else value
    return base


def variant(recipe: str, **options: Any) -> dict[str, Any]:
    return {"name": recipe, "recipe": recipe, "options": options}


PYTHON = (sys.executable, "-P")


def start(
    order: Any, folder: Path, *, python: tuple[str, ...] = PYTHON, worker: Path = WORKER
) -> tuple[subprocess.Popen[str], int]:
    """The running worker and the read end of its events; stderr goes to ``folder/stderr``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "spec.json"
    path.write_text(order if isinstance(order, str) else json.dumps(order))
    reading, writing = os.pipe()
    environment = {
        **os.environ,
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "TORCHINDUCTOR_VEC_ISA_OK": "1",
        "HF_HUB_OFFLINE": "1",
    }
    command = [*python, str(worker), "--spec", str(path), "--events-fd", str(writing)]
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            pass_fds=[writing],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
        )
    os.close(writing)
    return process, reading


def run(
    order: Any, folder: Path, *, python: tuple[str, ...] = PYTHON, seconds: float = 240, worker: Path = WORKER
) -> Run:
    """Run the worker to its end; ``order`` is a spec, or the text of its file."""
    process, reading = start(order, folder, python=python, worker=worker)
    try:
        with os.fdopen(reading, encoding="utf-8") as pipe:
            lines = pipe.read().splitlines()
        status = process.wait(seconds)
    finally:
        process.kill()
        process.wait()
    return Run(status, [json.loads(line) for line in lines], (folder / "stderr").read_text())


def run_all(orders: dict[str, Any], folder: Path) -> dict[str, Run]:
    """Run several workers, two at a time, in order. Their folders have no blanks: compiling breaks on them."""
    with ThreadPoolExecutor(2) as pool:
        started = {name: pool.submit(run, order, folder / name.replace(" ", "-")) for name, order in orders.items()}
        return {name: future.result() for name, future in started.items()}


def toy(**options: str) -> dict[str, Any]:
    """A target made by the factory in ``planted/toys.py``; ``fault`` says what goes wrong with it."""
    return {"name": "toy", "loader": "toys:make", "python_path": [str(PLANTED)], "options": options}
