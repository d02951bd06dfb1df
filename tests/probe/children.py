"""Real child programs that behave in one particular way, written to a folder and run by path like the worker."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

# What every one of them can use: say(event, ...) writes an event; a healthy child calls healthy().
PRELUDE = """
import json, os, signal, subprocess, sys, time
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
EVENTS = int(arguments["--events-fd"])
ORDER = json.load(open(arguments["--spec"])) if "--spec" in arguments else {}

def say(event, **fields):
    os.write(EVENTS, json.dumps({"event": event, "t": 0.0, **fields}).encode() + b"\\n")

def begin(device="cpu"):
    say("hello", protocol=1, pid=os.getpid(), python="3.11.7")
    say("phase", phase="load", detail="")
    say("environment", device=device, python="3.11.7", torch="2.13.0", cuda=None, triton=None, driver=None, gpu=None,
        host="here", target_revision="r1", weights_revision=None, dtype="float32", model_shape="tiny",
        timing_method="perf_counter")
    say("loaded", import_ms=10.0, load_ms=5.0)
    if ORDER.get("warmups"):
        say("phase", phase="warm_up", detail="")
    for index in range(ORDER.get("warmups", 0)):
        say("warm_up", index=index, latency_ms=50.0 - index, error=None)
    say("phase", phase="predict", detail="")

def predict(index, value=100.0, **fields):
    seed = ORDER.get("seed", 0) + 1000 * ORDER.get("iteration", 0) + index
    say("prediction", index=index, seed=seed, latency_ms=10.0 * (3 if index == 0 else 1) + index, value=value,
        absolute_error=2.0, naive_error=2.5, **fields)

COUNTERS = dict(frames_total=2, frames_ok=2, graphs=2, recompiles=0, recompile_limit_hits=0, graph_breaks=0,
                cudagraph_skips=0, cudagraph_recordings=0, cudagraph_replays=None, cache_hits=0, cache_misses=2,
                cache_bypasses=0, reasons=[])

def finish(**counters):
    say("counters", **{**COUNTERS, **counters})
    say("memory", rss_peak_mb=123.0, device_allocated_mb=None, device_reserved_mb=None, device_process_mb=None)
    say("check", name="outputs_kept", ok=True, detail="")
    say("done")

def healthy():
    begin()
    for index in range(ORDER.get("predictions", 4)):
        predict(index)
    finish()
"""


def program(folder: Path, body: str, name: str = "worker") -> Path:
    """A folder that is run by path, as the worker's is."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "__main__.py").write_text(PRELUDE + textwrap.dedent(body))
    return place


def wait_for_pids(path: Path, count: int, seconds: float = 10.0) -> list[int]:
    """The pids that a program writes into ``path``, one a line, once there are ``count``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        words = path.read_text().split() if path.exists() else []
        if len(words) >= count:
            return [int(word) for word in words]
        time.sleep(0.02)
    raise AssertionError(f"{count} processes were expected in {path}")
