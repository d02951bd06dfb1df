"""One event is found once and whole, in whatever form loggers, containers and launchers write it."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from kronos_health.logs.report import FileReport, scan_file
from tests.logs.support import REUSE, line, reuse

EVENT = reuse("one")
TRACEBACK = EVENT.split("\n", 1)[1]
MESSAGE = f"RuntimeError: {REUSE}"
GROUP = f"""  + Exception Group Traceback (most recent call last):
  |   File "/srv/a.py", line 3, in <module>
  |     raise ExceptionGroup("several", [first, second])
  | ExceptionGroup: several (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/srv/a.py", line 1, in f
    |     x = model(x)
    |         ^^^^^^^^
    | {MESSAGE}
    +---------------- 2 ----------------
    | ExceptionGroup: nested (1 sub-exception)
    +-+---------------- 1 ----------------
      | ValueError: deep
      +------------------------------------
"""
CHAINED = (
    f"{TRACEBACK}\nThe above exception was the direct cause of the following exception:\n\n"
    'Traceback (most recent call last):\n  File "/srv/b.py", line 3, in g\n    run()\n    ~~~^^\n'
    f"RuntimeError: Kronos run failed: {REUSE}\n"
)


def docker(text: str, size: int = 16_384) -> str:
    """What docker's json-file driver writes: a JSON line per line, long ones in parts."""
    parts = [one[at : at + size] for one in text.splitlines(True) for at in range(0, len(one), size)]
    time = "2025-10-30T09:08:09.123456789Z"
    lines = (json.dumps({"log": part, "stream": "stderr", "time": time}, separators=(",", ":")) for part in parts)
    return "".join(f"{one}\n" for one in lines)


def before(prefix: str, text: str) -> str:
    return textwrap.indent(text, prefix, lambda _line: True)


def wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width)) + "\n"


FINE = line("fine")
WHOLE = {
    "exception group": line("it broke", "ERROR") + GROUP,
    "chained": line("it broke", "ERROR") + CHAINED,
    "chained, without a line above": CHAINED,
    "structlog as JSON": json.dumps({"event": "failed", "level": "error", "exception": TRACEBACK}) + "\n",
    "structlog as key=value": f"timestamp='2025-10-30T09:08:09Z' level=error event='failed' exception={TRACEBACK!r}\n",
    "structlog on the console": "\x1b[2m2025-10-30 09:08:09\x1b[0m [\x1b[31m\x1b[1merror    \x1b[0m] failed\n"
    + TRACEBACK,
    "logging": f"2025-10-30 09:08:09,123 ERROR trade: it broke\n{TRACEBACK}",
    "glog": f"E1030 09:08:09.060000 123 trade.py:12] {MESSAGE}\n",
    "docker json-file": docker(EVENT),
    "docker json-file, long lines in parts": docker(EVENT, 50),
    "docker logs -t": before("2025-10-30T09:08:09.123456789Z ", EVENT),
    "docker compose logs": before("trader-1  | ", EVENT),
    "docker compose logs -t": before("trader-1  | 2025-10-30T09:08:09.123456789Z ", EVENT),
    "Kubernetes": before("2025-10-30T09:08:09.123456789Z stderr F ", EVENT),
    "torchrun": before("[default0]:", EVENT),
    "rank": before("[rank0]: ", EVENT),
    "rank, without a line above": before("[rank0]: ", TRACEBACK),
    "wrapped": line("it broke", "ERROR") + wrapped(MESSAGE, 30),
    "quoted": line(f"it broke: {MESSAGE + chr(10) + TRACEBACK!r}", "ERROR"),
    "quoted as JSON": line(f"it broke: {json.dumps({'error': EVENT})}", "ERROR"),
    "repeated by an outer layer": EVENT
    + f"\nDuring handling of the above exception, another exception occurred:\n\n{TRACEBACK}",
}


def report(tmp_path: Path, text: str) -> FileReport:
    path = tmp_path / "trade.log"
    path.write_text(text)
    return scan_file(path)


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
def it_finds_one_event_in_one_record(tmp_path: Path, text: str) -> None:
    found = report(tmp_path, text)
    assert {item.signature: item.count for item in found.findings if item.signature != "prediction_failed"} == {
        "graph_reuse": 1
    }
    assert found.records == 1


@pytest.mark.parametrize(
    "wrap",
    [
        docker,
        lambda text: before("2025-10-30T09:08:09.123456789Z ", text),
        lambda text: before("trader-1  | ", text),
        lambda text: before("[default0]:", text),
        lambda text: before("[rank0]: ", text),
    ],
    ids=["json-file", "docker -t", "compose", "torchrun", "rank"],
)
def it_keeps_the_events_of_an_enveloped_log_apart(tmp_path: Path, wrap: object) -> None:
    assert callable(wrap)
    found = report(tmp_path, wrap(FINE + EVENT + FINE + EVENT + FINE))
    assert {item.signature: item.count for item in found.findings} == {"graph_reuse": 2}
    assert found.records == 5
    plain = report(tmp_path, FINE + EVENT)
    assert found.findings[0].fingerprint == plain.findings[0].fingerprint


LOOK_ALIKES = {
    "source": 'raise RuntimeError(f"accessing tensor output of CUDAGraphs that has been overwritten by {what}")\n',
    "a literal": '    "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run. "\n',
    "found by grep": "model.py:12:  if 'accessing tensor output of CUDAGraphs that has been overwritten' in text:\n",
    "capture's progress": "Capturing CUDA graphs: 100%|██████████| 35/35 [00:12<00:00]\n"
    "Capturing CUDA graph shapes: 50%|#####     | 3/6\n",
    "settings": line(
        "{'cudagraph_skip_dynamic_graphs': False, 'recompile_limit': 8, 'fail_on_recompile_limit_hit': False}"
    )
    + "torch._dynamo.config.recompile_limit = 8\n",
    "settings as JSON": json.dumps({"triton": {"cudagraph_unexpected_rerecord_limit": 128}, "cache_size_limit": 8})
    + "\n",
    "what is tried again": line("retrying on errors matching 'CUDA out of memory'"),
}


@pytest.mark.parametrize("text", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def it_lets_look_alikes_pass(tmp_path: Path, text: str) -> None:
    assert report(tmp_path, text).findings == ()


def it_leaves_columns_that_look_like_a_containers_name_alone(tmp_path: Path) -> None:
    found = report(tmp_path, FINE.replace("fine", "ETHUSD MaxDiff 0.1043 | BTC MaxDiff 0.2"))
    assert [(item.symbol, item.max) for item in found.samples] == [("BTC", 0.2), ("ETHUSD", 0.1043)]
