"""Looks at all files of a log at once: opens them, so that a rotation in between can neither hide nor double one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from kronos_health.domain.logs import Generation
from kronos_health.logs.discovery import Candidate, discover, listed_again, same_files
from kronos_health.logs.errors import LogProblem
from kronos_health.logs.generation import hint_of, remembered_paths
from kronos_health.logs.opening import OpenLog, open_log
from kronos_health.logs.places import Log

_ATTEMPTS = 5


@dataclass(slots=True)
class Look:
    """The files of a log at one moment.

    ``unchanged`` generations are in files to which nothing was written since they were read to their end; those were
    not opened. ``certain`` is ``False`` where a file could not be identified: then nothing is said to have vanished.
    """

    logs: list[OpenLog] = field(default_factory=list)
    unchanged: list[Generation] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    certain: bool = True
    candidates: int = 0

    def close(self) -> None:
        """Close every opened file."""
        for log in self.logs:
            log.close()
        self.logs.clear()


@contextmanager
def looked(log: Log, known: Sequence[Generation], host: str) -> Iterator[Look]:
    """All files of ``log``, opened; closed at the end."""
    look = _stable(log, known, host)
    try:
        yield look
    finally:
        look.close()


def _stable(log: Log, known: Sequence[Generation], host: str) -> Look:
    """Look again while files are being renamed: names and inodes must be the same before and after opening."""
    remembered = remembered_paths(known)
    look = Look()
    for _attempt in range(_ATTEMPTS):
        look.close()
        try:
            before = discover(log, remembered)
            look = _open(before, known, host)
            if log.siblings is not None and _settled(look, known):
                return look
            log = listed_again(log)
            if same_files(before, discover(log, remembered)):
                return look
        except OSError as error:
            look.close()
            problem = f"{log.live} cannot be looked for ({error.strerror}: {error.filename})."
            return Look(problems=[problem], certain=False)
    look.certain = False
    return look


def _settled(look: Look, known: Sequence[Generation]) -> bool:
    """Whether nothing was opened and nothing is missing: then a second look could show nothing else."""
    unchanged = {item.id for item in look.unchanged}
    return not look.logs and look.certain and all(item.finished or item.id in unchanged for item in known)


def settled_by_hint(known: Sequence[Generation]) -> dict[str, Generation]:
    """The generations that were read to their end, by what their files looked like then."""
    return {item.hint: item for item in known if item.hint and (item.finished or item.offset >= item.size_seen)}


def _open(candidates: Sequence[Candidate], known: Sequence[Generation], host: str) -> Look:
    settled = settled_by_hint(known)
    look = Look(candidates=len(candidates))
    for item in candidates:
        generation = settled.get(hint_of(host, item.device, item.inode, item.size, item.modified_ns))
        if generation is not None:
            look.unchanged.append(generation)
            continue
        try:
            log = open_log(item.path, live=item.live)
        except FileNotFoundError:
            look.certain = False  # renamed meanwhile: the second look will differ
        except LogProblem as problem:
            look.problems.append(str(problem))
            look.certain = False
        else:
            log.named = item.named
            look.logs.append(log)
    return look
