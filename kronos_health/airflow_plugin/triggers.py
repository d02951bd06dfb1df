"""The trigger that follows the logs inside Airflow's triggerer, and what it and the task it wakes tell each other.

It stores nothing of what it sees: it wakes the ordinary scan, whose cursor makes sure that no line is told twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from kronos_health.settings.models import Settings

log = logging.getLogger(__name__)

# Keys of the asset's state. One writer each: the trigger, and the one task that answers it.
CALLED, ANSWERED = "called", "answered"
_RETRY_SECONDS = 10.0
_ASK_SECONDS = 5.0  # how often the trigger looks whether it was answered, while it was not


def followed(settings: Settings) -> tuple[str, ...]:
    """The logs that Airflow follows: of the default queue, whose worker reads them; the others' hosts follow theirs."""
    return tuple(name for name, source in settings.sources.items() if not source.queue)


def state_of(settings: Settings) -> str:
    """A digest of the settings that matter to the trigger: Airflow replaces a trigger whose arguments have changed."""
    parts = [settings.follow.model_dump_json(), settings.logs.model_dump_json()]
    parts += [f"{name}={source.model_dump_json()}" for name, source in sorted(settings.sources.items())]
    if settings.logs.catalogue is not None:
        try:
            parts.append(hashlib.sha256(settings.logs.catalogue.read_bytes()).hexdigest())
        except OSError as error:
            parts.append(str(error.strerror))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class LogHits(BaseEventTrigger):
    """Fires when one of the critical signatures' fixed texts shows up in the logs ``names``.

    Files are read in a thread, a bounded number of bytes at a time. Nothing that is wrong with a file, the settings or
    Airflow's state ends it: a trigger that raises is started again every two seconds. ``settings`` is a digest, so that
    changed settings make another trigger.
    """

    def __init__(self, names: list[str], settings: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.names, self.settings = list(names), settings

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What another triggerer needs to go on."""
        return f"{type(self).__module__}.{type(self).__name__}", {"names": self.names, "settings": self.settings}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow until cancelled. After a restart everything is scanned once: nobody was looking in between."""
        from kronos_health.logs.waking import Waking

        follower, options = await self._begin()
        waking = Waking(options.pause_seconds)
        if await self._get(CALLED):
            waking.hit(self.names)
        asked_at = 0.0
        while True:
            pause = options.look_seconds
            try:
                waking.hit(await asyncio.to_thread(follower.look))
                pause = 0.01 if follower.busy else pause
            except Exception as error:
                log.warning("The logs could not be looked at: %s. It is tried again.", error)
                pause = _RETRY_SECONDS
            now = time.monotonic()
            if waking.unanswered and now - asked_at >= _ASK_SECONDS:
                asked_at = now
                waking.answered(await self._get(ANSWERED))
            if due := waking.due(now, str(time.time_ns())):
                await self._set(CALLED, waking.tickets)
                log.info("Waking a scan of %s", ", ".join(due))
                yield TriggerEvent({name: waking.tickets[name] for name in due})  # type: ignore[no-untyped-call]
            await asyncio.sleep(pause)

    async def _begin(self) -> Any:
        """A follower that stands at the ends of the files, and the settings it obeys; waits for good settings."""
        while True:
            try:
                return await asyncio.to_thread(self._opened)
            except Exception as error:
                log.warning("The logs cannot be followed: %s. It is tried again.", error)
                await asyncio.sleep(_RETRY_SECONDS)

    def _opened(self) -> tuple[Any, Any]:
        from kronos_health.airflow_plugin.settings import parsing_settings
        from kronos_health.checks.following import open_follower

        settings = parsing_settings()
        names = [name for name in self.names if name in settings.sources]
        follower = open_follower(settings, names, log.warning)
        follower.look()
        for name, source in settings.sources.items():
            if source.queue:
                log.info(
                    "%s is on the queue %s and not followed here: kronos-health follow on its host", name, source.queue
                )
        log.info("Following %s", ", ".join(names) or "nothing")
        return follower, settings.follow

    async def _get(self, key: str) -> dict[str, str]:
        """A mapping kept with the asset; empty where it cannot be had."""
        if self.asset_state_store is None:
            return {}
        try:
            return _mapping(await self.asset_state_store.aget(key))
        except Exception as error:
            log.warning("Airflow's state of the asset cannot be read: %s", error)
            return {}

    async def _set(self, key: str, value: Mapping[str, str]) -> None:
        if self.asset_state_store is None:
            return
        try:
            await self.asset_state_store.aset(key, dict(value))
        except Exception as error:  # the event carries the tickets as well
            log.warning("Airflow's state of the asset cannot be written: %s", error)


@dataclass(frozen=True, slots=True)
class Calls:
    """The trigger's calls as the woken task sees them: ticket by log, and the tickets answered so far."""

    state: Any
    called: Mapping[str, str]
    answered: Mapping[str, str]

    @classmethod
    def read(cls, stores: Any, asset: Any, events: Any) -> Calls:
        """From the asset's state and the events that began this run; what cannot be had counts as not called."""
        called: dict[str, str] = {}
        for event in (events or {}).get(asset, ()):
            called |= _mapping((event.extra or {}).get("payload"))
        try:
            state = stores[asset]
            return cls(state, called | _mapping(state.get(CALLED)), _mapping(state.get(ANSWERED)))
        except Exception as error:
            log.warning("Airflow's state of the asset cannot be read: %s", error)
            return cls(None, called, {})

    def open(self, sources: Iterable[str]) -> tuple[str, ...]:
        """Those of ``sources`` that were called for and not answered."""
        return tuple(name for name in sources if self.called.get(name) != self.answered.get(name))

    def answer(self, names: Iterable[str]) -> None:
        """Write down that ``names`` have been scanned since they were called for."""
        if self.state is None:
            return
        done = {name: self.called[name] for name in names if name in self.called}
        try:
            self.state.set(ANSWERED, {**self.answered, **done})
        except Exception as error:
            log.warning("Airflow's state of the asset cannot be written: %s", error)


def _mapping(value: Any) -> dict[str, str]:
    """What was stored, if it has the shape that is stored here."""
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, Mapping) else {}
