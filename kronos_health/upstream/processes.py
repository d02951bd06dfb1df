"""The running processes of production, through /proc."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

import kronos_health
from kronos_health.domain.upstream import Unknown

PROCESSES = "production.process"  # the setting to name in messages
_ATTRIBUTES = ["pid", "ppid", "name", "cmdline", "create_time", "status", "username"]
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*t?$")
_CHECKER = "kronos-health"
_PACKAGE = str(Path(kronos_health.__file__).parent)


@dataclass(frozen=True, slots=True)
class ProductionProcess:
    """One running process. ``environment`` is what it was started with, ``None`` where it may not be read."""

    pid: int
    started_at: datetime
    command: str
    user: str | None
    environment: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class ProcessLook:
    """Production's processes, oldest first; ``unknown`` says why there is none to see."""

    processes: tuple[ProductionProcess, ...]
    unknown: Unknown | None = None

    @property
    def started_at(self) -> datetime | None:
        """When the newest of them started."""
        return max((process.started_at for process in self.processes), default=None)


def production_processes(pattern: str) -> ProcessLook:
    """Python processes whose command line matches ``pattern`` (a regular expression).

    Shells, editors and pagers that merely name the program do not count, nor do processes of this checker, nor one
    whose parent counts already (a forked worker: same environment, and its start is no deployment).
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        return ProcessLook((), Unknown("processes", f"{PROCESSES} is no regular expression: {error}"))
    running = {process.pid: process for process in psutil.process_iter(_ATTRIBUTES)}
    own = _own(running)
    matching = {
        pid: process
        for pid, process in running.items()
        if pid not in own and _runs_python(process) and wanted.search(" ".join(process.info["cmdline"] or ()))
    }
    roots = [process for process in matching.values() if process.info["ppid"] not in matching]
    described = [_described(process) for process in roots]
    found = sorted((process for process in described if process), key=lambda process: (process.started_at, process.pid))
    if not found:
        return ProcessLook((), Unknown("running process", f"no running process matches {PROCESSES} = {pattern!r}"))
    return ProcessLook(tuple(found))


def _runs_python(process: psutil.Process) -> bool:
    command = process.info["cmdline"] or []
    if not command or process.info["status"] == psutil.STATUS_ZOMBIE:
        return False
    names = [process.info["name"] or "", Path(command[0]).name]
    with suppress(psutil.Error):  # another user's: its name and command line still tell
        names.append(Path(process.exe()).name)
    return any(_PYTHON.match(name) for name in names)


def _own(running: Mapping[int, psutil.Process]) -> set[int]:
    """This process, what started it, every process of this checker, and what those started."""
    marked = {pid for pid, process in running.items() if _is_checker(process.info["cmdline"] or ())}
    own = set(marked)
    for pid in running:
        if marked.intersection(_ancestors(pid, running)):
            own.add(pid)
    return own | {os.getpid(), *_ancestors(os.getpid(), running)}


def _is_checker(command: Iterable[str]) -> bool:
    return any(
        Path(part).name == _CHECKER
        or part == kronos_health.__name__
        or part.startswith((f"{kronos_health.__name__}.", f"{_PACKAGE}{os.sep}"))
        for part in command
    )


def _ancestors(pid: int, running: Mapping[int, psutil.Process]) -> list[int]:
    found: list[int] = []
    while pid in running and running[pid].info["ppid"] not in (None, 0, pid, *found):
        pid = running[pid].info["ppid"]
        found.append(pid)
    return found


def _described(process: psutil.Process) -> ProductionProcess | None:
    try:
        environment: Mapping[str, str] | None = process.environ()
    except psutil.NoSuchProcess:
        return None  # it ended between the two looks
    except (psutil.Error, OSError):
        environment = None
    return ProductionProcess(
        process.pid,
        datetime.fromtimestamp(process.info["create_time"], UTC),
        " ".join(process.info["cmdline"]),
        process.info["username"],
        environment,
    )
