"""Drives the trigger as the triggerer does, and writes what came of it; see ``conftest.run_program``."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.sdk import Asset
from airflow.triggers.base import TriggerEvent

from kronos_health.airflow_plugin import triggers
from kronos_health.airflow_plugin.building import LOG_HITS
from kronos_health.airflow_plugin.triggers import ANSWERED, CALLED, Calls, LogHits

HIT = "2026-11-20 10:05:00,000 ERROR failed: CUDAGraphs\n"


class Store:
    """The asset's state; broken as long as it is told to be."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.broken = False

    async def aget(self, key: str) -> Any:
        if self.broken:
            raise RuntimeError("the api-server is away")
        return self.values.get(key)

    async def aset(self, key: str, value: Any) -> None:
        if self.broken:
            raise RuntimeError("the api-server is away")
        self.values[key] = value


class Tasks:
    """The same state as a task sees it."""

    def __init__(self, store: Store) -> None:
        self.get, self.set = store.values.get, store.values.__setitem__


class Event:
    def __init__(self, payload: Any) -> None:
        self.extra = {"from_trigger": True, "payload": payload}


async def next_event(events: AsyncIterator[TriggerEvent], seconds: float) -> dict[str, str]:
    """The payload of the next event; empty when none comes."""
    try:
        event = await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(anext(events))), seconds)
    except TimeoutError:
        return {}
    return dict(event.payload)


async def longest_block(stop: asyncio.Event) -> float:
    """How long nobody else got a turn in the event loop."""
    longest, last = 0.0, time.monotonic()
    while not stop.is_set():
        await asyncio.sleep(0.01)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return longest


def started(store: Store) -> AsyncIterator[TriggerEvent]:
    trigger = LogHits(["one", "two", "three"], "digest")
    trigger.asset_state_store = store  # type: ignore[assignment]
    return trigger.run()


async def drive(folder: Path, said: list[str]) -> dict[str, Any]:
    store, stop, asset = Store(), asyncio.Event(), Asset(LOG_HITS)
    watch = asyncio.create_task(longest_block(stop))
    store.broken = True  # the events alone must do
    events = started(store)
    first_event = asyncio.ensure_future(anext(events))
    while not any(line.startswith("Following") for line in said):
        await asyncio.sleep(0.05)
    with (folder / "one.log").open("a", encoding="utf-8") as log:
        log.write(HIT)
    first = dict((await asyncio.wait_for(first_event, 30)).payload)
    store.broken = False
    calls = [Calls.read({asset: Tasks(store)}, asset, {asset: [Event(first)]})]
    opened = [list(calls[0].open(["one", "two", "three"]))]
    calls[0].answer(["one"])
    assert store.values[ANSWERED] == first
    opened.append(list(Calls.read({asset: Tasks(store)}, asset, {asset: [Event(first)]}).open(["one", "two"])))
    repeated = await next_event(events, 3.0)
    store.values[CALLED] = {"one": "7", "two": "8"}  # of an event that Airflow dropped
    opened.append(list(Calls.read({asset: Tasks(store)}, asset, {asset: [Event({"one": "7"})]}).open(["one", "two"])))
    after_restart = await next_event(started(store), 30)
    stop.set()
    return {
        "first": sorted(first),
        "repeated": sorted(repeated),
        "after_restart": sorted(after_restart),
        "open": opened,
        "blocked_seconds": await watch,
    }


def main() -> None:
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    triggers.log.addHandler(handler)
    triggers.log.setLevel(logging.INFO)
    folder = Path(os.environ["KRONOS_HEALTH_CONFIG"]).parent
    found = asyncio.run(drive(folder, said))
    Path(sys.argv[1]).write_text(json.dumps({**found, "said": said}))


if __name__ == "__main__":
    main()
