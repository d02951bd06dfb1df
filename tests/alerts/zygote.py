"""A deliverer to be killed: imports once, then forks a delivering child for every line on standard input.

Started as ``python -m tests.alerts.zygote URL SETTINGS_JSON``; answers each line with the child's process id, and with
``ended`` once it is gone. Forking spares the test a second of imports for every kill.
"""

from __future__ import annotations

import io
import json
import os
import sys
from datetime import UTC, datetime

from kronos_health.alerts.outbox import deliver
from kronos_health.alerts.registry import open_channels
from kronos_health.alerts.settling import Pace
from kronos_health.settings.models import Settings
from kronos_health.store.database import open_engine

PACE = Pace(between=0.0, before_reading_back=0.3, backoff=0.1, longest=1.0)


def _deliver(url: str, settings: Settings) -> None:
    engine = open_engine(url)
    # What Slack refuses goes to the console as well; standard output is where the test listens.
    channels = open_channels(settings, io.StringIO())
    deliver(engine, channels, settings, lambda: datetime.now(UTC), patience_seconds=600.0, pace=PACE)


def main() -> None:
    url, settings = sys.argv[1], Settings.model_validate(json.loads(sys.argv[2]))
    for _line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                _deliver(url, settings)
            finally:
                os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
