"""What is looked for in logs: list it, try it on a file, propose entries for what nothing looks for."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from kronos_health.checks.context import Context
from kronos_health.checks.errors import CheckError
from kronos_health.checks.scanning import catalogue_of, scan_single_file
from kronos_health.domain.logs import Severity
from kronos_health.logs.catalogue import Catalogue, load_catalogue
from kronos_health.logs.errors import CatalogueError
from kronos_health.logs.proposing import Seen, propose
from kronos_health.settings.models import Settings
from kronos_health.store.database import reading
from kronos_health.store.log_errors import StoredError, error_kinds


@dataclass(frozen=True, slots=True)
class Listed:
    """A signature in force, and the records it was found in: ``None`` where no file was read."""

    name: str
    severity: Severity
    title: str
    records: int | None = None


@dataclass(frozen=True, slots=True)
class Proposals:
    """Ready catalogue entries as TOML, and why there is none for some kinds."""

    toml: str
    entries: int
    refused: tuple[str, ...]


def signatures(settings: Settings) -> tuple[Listed, ...]:
    """The signatures in force. Raises :class:`CheckError` for a wrong catalogue."""
    return tuple(Listed(item.name, item.severity, item.title) for item in catalogue_of(settings).signatures)


def tried(settings: Settings, path: Path) -> tuple[Listed, ...]:
    """The same with the records of the file ``path`` that each is found in."""
    found = {listed.name: 0 for listed in signatures(settings)}
    for finding in scan_single_file(path, settings).findings:
        found[finding.signature] += finding.count
    return tuple(Listed(item.name, item.severity, item.title, found[item.name]) for item in signatures(settings))


def proposals(context: Context, fingerprint: str | None, limit: int) -> Proposals:
    """Entries for one kind of error, or for the ``limit`` most frequent ones that the catalogue still does not know.

    Raises :class:`CheckError` where there is nothing to propose for.
    """
    catalogue = catalogue_of(context.settings)
    with reading(context.engine) as connection:
        kinds = error_kinds(connection, fingerprint)
    if not kinds:
        raise CheckError(_nothing(fingerprint))
    names = {item.name for item in catalogue.signatures}
    texts, refused = [], []
    for stored in _distinct(kinds)[: limit if fingerprint is None else None]:
        try:
            text = propose(_seen(stored), names)
        except CatalogueError as error:
            refused.append(str(error))
            continue
        names |= {item.name for item in _loaded(text).signatures}
        texts.append(text)
    return Proposals("\n".join(texts), len(texts), tuple(refused))


def append(path: Path, found: Proposals) -> None:
    """Add entries to a catalogue file, made if need be; a file that would not load is left as it is."""
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        text = f"{before.rstrip()}\n\n{found.toml}" if before.strip() else found.toml
        _loaded(text)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CheckError(f"{path} cannot be written: {error.strerror}.") from error
    except CatalogueError as error:
        raise CheckError(f"{path} would not load with the proposals in it, and is as it was: {error}") from error


def _loaded(text: str) -> Catalogue:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proposal.toml"
        path.write_text(text, encoding="utf-8")
        return load_catalogue(path)


def _distinct(kinds: tuple[StoredError, ...]) -> list[StoredError]:
    """One of each fingerprint: several logs may know the same kind."""
    return list({stored.kind.fingerprint: stored for stored in reversed(kinds)}.values())[::-1]


def _seen(stored: StoredError) -> Seen:
    kind = stored.kind
    return Seen(kind.fingerprint, stored.source, kind.record, kind.count, kind.first_at, kind.last_at)


def _nothing(fingerprint: str | None) -> str:
    if fingerprint is None:
        return "no unknown error is stored: nothing to propose. Errors that no signature knows are grouped by scans."
    return f"no unknown error has a fingerprint that begins with {fingerprint}. See: kronos-health query unknown_errors"
