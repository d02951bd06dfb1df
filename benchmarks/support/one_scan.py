"""One scan of logs by the real use case, in a process of its own: into a store that lies where it is told.

``python -m benchmarks.support.one_scan DATABASE LOG …`` migrates the database, scans each log as a source of its own
and prints one line of JSON: seconds of scanning, processor seconds, anonymous memory, what was found.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from kronos_health.checks.context import open_context
from kronos_health.checks.scanning import scan
from kronos_health.settings.models import Settings
from kronos_health.store import migrations
from kronos_health.store.database import open_engine


def anonymous_mb() -> float:
    """The process's own memory, mapped files apart."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def main(database: str, *logs: str) -> None:
    """Scan ``logs`` into the SQLite file ``database``."""
    settings = Settings.model_validate(
        {
            "database": {"url": f"sqlite:///{database}"},
            "state_dir": str(Path(database).parent),
            "sources": {f"log{number}": {"path": path} for number, path in enumerate(logs)},
            "logs": {"idle_seconds": 0, "max_bytes": 1 << 40, "max_seconds": 3600, "max_events": 1 << 40},
        }
    )
    migrations.upgrade(open_engine(settings.database_url))
    context = open_context(settings)
    started, cpu = time.perf_counter(), time.process_time()
    peak, ended = [anonymous_mb()], threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            peak.append(anonymous_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    summaries = [scan(context, name) for name in settings.sources]
    taken, spent = time.perf_counter() - started, time.process_time() - cpu
    ended.set()
    watcher.join()
    print(
        json.dumps(
            {
                "scan": taken,
                "cpu": spent,
                "anonymous_mb": max(peak),
                "bytes": sum(item.counts.bytes for item in summaries),
                "records": sum(item.counts.records for item in summaries),
                "lag": sum(item.counts.lag_bytes for item in summaries),
                "samples": sum(item.samples for item in summaries),
                "problems": [item.problem for item in summaries if item.problem],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
