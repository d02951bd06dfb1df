"""Follows the live files of several logs and says which logs a scan should read at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from kronos_health.domain.logs import Severity
from kronos_health.logs.catalogue import Catalogue
from kronos_health.logs.places import live_files
from kronos_health.logs.tail import Literals, Tail
from kronos_health.settings.models import Source

# What one look may read, of one file and in all: a burst is looked at in several looks, none of which takes long.
MOST_OF_ONE = 16 * 1024**2
MOST_IN_ALL = 64 * 1024**2
_LIST_SECONDS = 5.0  # how often the files of a log are looked for
_ABSENT_LISTS = 12  # a file that is no more among them is let go of after a minute: it may be between two names

Say = Callable[[str], None]
LiveFiles = Callable[[str], tuple[Path, ...]]


class Follower:
    """Looks at what is new in the files of ``sources``, from where each ends when it is first looked at.

    Only the fixed texts of the catalogue's critical signatures are looked for. ``say`` hears, once each, what cannot be
    followed and why, and that it can be again. ``busy`` says that more is waiting than one look may read.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        catalogue: Catalogue,
        say: Say,
        *,
        find: LiveFiles = live_files,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.busy = False
        self._sources, self._say, self._find, self._clock = dict(sources), say, find, clock
        self._literals = {
            encoding: _critical(catalogue, encoding) for encoding in {source.encoding for source in sources.values()}
        }
        self._tails: dict[tuple[str, Path], Tail] = {}
        self._absent: dict[tuple[str, Path], int] = {}
        self._problems: dict[tuple[str, str], str] = {}
        self._listed_at: float | None = None
        self._turn = 0
        for signature in catalogue.signatures:
            if signature.severity is Severity.CRITICAL and signature.literals is None:
                say(f"{signature.name} has no fixed text to look for: it is left to the regular scan")

    def look(self) -> frozenset[str]:
        """The logs in which something critical seems to be new. Reads a bounded number of bytes; raises no OSError."""
        self._list()
        hits: set[str] = set()
        budget, busy = MOST_IN_ALL, False
        tails = list(self._tails.items())
        self._turn = (self._turn + 1) % max(len(tails), 1)
        for key, tail in tails[self._turn :] + tails[: self._turn]:  # no file is always the last to be read
            if budget <= 0:
                busy = True
                break
            seen = tail.look(min(MOST_OF_ONE, budget))
            budget -= seen.read
            busy |= seen.left > 0 and not seen.problem
            self._note(key[0], f"{key[1]}", seen.problem)
            if seen.hit:
                hits.add(key[0])
        self.busy = busy
        return frozenset(hits)

    def _list(self) -> None:
        """Take up files that are new to a log and let go of those that are no longer its own."""
        now, first = self._clock(), self._listed_at is None
        if self._listed_at is not None and now - self._listed_at < _LIST_SECONDS:
            return
        self._listed_at = now
        for name, source in self._sources.items():
            found = self._find(source.path)
            nothing = (
                f"= {source.path} shows no file here; what is written is followed once it does" if not found else None
            )
            self._note(name, f"sources.{name}.path", nothing)
            for path in found:
                self._absent.pop((name, path), None)
                if (name, path) not in self._tails:
                    literals = self._literals[source.encoding]
                    self._tails[name, path] = Tail(path, literals, from_start=not first)
            self._let_go(name, frozenset(found))

    def _let_go(self, name: str, found: frozenset[Path]) -> None:
        for key in [key for key in self._tails if key[0] == name and key[1] not in found]:
            self._absent[key] = self._absent.get(key, 0) + 1
            if self._absent[key] > _ABSENT_LISTS:
                del self._tails[key], self._absent[key]
                self._problems.pop((name, str(key[1])), None)

    def _note(self, name: str, what: str, problem: str | None) -> None:
        key = (name, what)
        if problem == self._problems.get(key):
            return
        if problem:
            self._problems[key] = problem
            self._say(f"{name}: {what} {problem}")
        else:
            del self._problems[key]
            self._say(f"{name}: {what} is followed")


def _critical(catalogue: Catalogue, encoding: str) -> Literals:
    return Literals((item for item in catalogue.signatures if item.severity is Severity.CRITICAL), encoding)
