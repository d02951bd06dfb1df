"""The wordings of torch's releases (torch_wordings.toml)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).parent / "torch_wordings.toml"
_DATA = tomllib.loads(_FILE.read_text())

RELEASES: tuple[str, ...] = tuple(_DATA["releases"])
LINUX: tuple[str, ...] = tuple(_DATA["linux"])


@dataclass(frozen=True)
class Wording:
    """One wording: what stands in torch's sources, since when and until when, and what is printed."""

    signature: str
    file: str
    source: str
    first: str
    last: str
    printed: str
    reason: str | None = None
    how: str | None = None
    exact: bool = False

    @property
    def id(self) -> str:
        return f"{self.signature}-{self.first}-{self.file.rsplit('/', 1)[-1]}-{self.source[:40]}"

    @property
    def span(self) -> tuple[str, ...]:
        """The releases from first to last."""
        return between(self.first, self.last)

    @property
    def read(self) -> tuple[str, ...]:
        """Those of them whose file was read."""
        return tuple(item for item in self.span if item in LINUX or not self.file.startswith("torch/lib/"))


@dataclass(frozen=True)
class Absent:
    """Why a signature has no wording in some releases."""

    signature: str
    first: str
    last: str
    why: str

    @property
    def span(self) -> tuple[str, ...]:
        return between(self.first, self.last)


def between(first: str, last: str) -> tuple[str, ...]:
    """The releases from ``first`` to ``last``, both included."""
    return RELEASES[RELEASES.index(first) : RELEASES.index(last) + 1]


WORDINGS = tuple(Wording(**item) for item in _DATA["wordings"])
ABSENT = tuple(Absent(**item) for item in _DATA["absent"])
