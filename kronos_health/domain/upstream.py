"""What changed around production: torch, Kronos, settings, deployments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DriftKind(StrEnum):
    """How production's settings differ from the decision."""

    MISSING = "missing"
    WRONG_VALUE = "wrong_value"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Release:
    """A release of a watched package (torch), as the package index lists it."""

    package: str
    version: str


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of the Kronos checkout or of its remote."""

    repository: str  # configured name, e.g. "kronos"
    commit: str
    committed_at: datetime | None
    subject: str
    ref: str  # "HEAD" for what is checked out, else the remote ref
    contained: bool | None = None  # a remote commit that HEAD's history already holds is no news; None: not known


@dataclass(frozen=True, slots=True)
class Drift:
    """One variable of ``.env.compile`` or of the running process that does not follow the decision."""

    where: str  # "file .env.compile" or "process 1234"
    key: str
    expected: str
    actual: str | None
    kind: DriftKind


@dataclass(frozen=True, slots=True)
class Deployment:
    """Production changed: a new revision of its checkout, a restarted process, or somebody said so."""

    deployed_at: datetime
    origin: str  # "revision", "process" or "reported"
    revision: str | None
    note: str
    first_look: bool = False  # it was there when the watch began: the line to count from, not news


@dataclass(frozen=True, slots=True)
class ProductionState:
    """What production runs: the revision of its checkout and since when its process runs; ``None`` where not known."""

    revision: str | None
    process_started_at: datetime | None


@dataclass(frozen=True, slots=True)
class DriftChanges:
    """What one look at production's settings changed: drift that began, that goes on, and that is gone.

    ``unseen`` is open too, but its place could not be read this time: neither confirmed nor cleared.
    """

    opened: tuple[Drift, ...] = ()
    still_open: tuple[Drift, ...] = ()
    cleared: tuple[Drift, ...] = ()
    unseen: tuple[Drift, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """When a subject was last looked up, and since when that fails; ``unknown_since`` is ``None`` while it works."""

    subject: str
    last_ok_at: datetime | None
    unknown_since: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that could not be looked up: an honest answer, never a failure of the run and never "no news"."""

    subject: str
    reason: str
