"""Processes that have everything imported already, so that a kill hits what they do and not their start."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess

_CONTEXT = multiprocessing.get_context("forkserver")
# One list for all tests: the server that forks is started once, by the first of them.
_IMPORTED = ("kronos_health.cli", "kronos_health.checks.scanning", "kronos_health.logs.catalogue", "ddsketch.mapping")


def started(target: Callable[..., None], *arguments: object) -> BaseProcess:
    """A running process that calls ``target``, a function of a module, and ends."""
    _CONTEXT.set_forkserver_preload([*_IMPORTED, "tests.logs.test_killed", "tests.checks.test_killed_scan"])
    process = _CONTEXT.Process(target=target, args=arguments)
    process.start()
    return process
