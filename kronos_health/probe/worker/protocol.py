"""The worker's side of the probe protocol: one JSON object per line on an inherited descriptor, flushed at once."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from typing import Any

PROTOCOL_VERSION = 1
PARENT_GONE = 75  # exit status when nobody reads the events any more (EX_TEMPFAIL)


class EventWriter:
    """Writes events to a descriptor, in order, from any thread.

    The descriptor is made non-inheritable, so that a compiler process that outlives the worker cannot hold the parent's
    pipe open. When the reader is gone there is nobody to work for: the process ends quietly with :data:`PARENT_GONE`.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._started = time.monotonic()
        self._lock = threading.Lock()
        os.set_inheritable(descriptor, False)

    def emit(self, event: str, **fields: Any) -> None:
        """Send one event with its time ``t`` in seconds since the worker started."""
        elapsed = round(time.monotonic() - self._started, 6)
        record = {"event": event, "t": elapsed, **_finite(fields)}
        line = json.dumps(record, ensure_ascii=True, allow_nan=False, default=str) + "\n"
        with self._lock:
            self._write(line.encode("ascii"))

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:  # closed pipe or descriptor
            os._exit(PARENT_GONE)


def _finite(value: Any) -> Any:
    """``value`` with NaN and infinities as null: JSON has no words for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
