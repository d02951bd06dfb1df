"""The signatures and sample patterns in force: built-in catalogue, a user's own file, patterns of the settings."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from kronos_health.logs.entries import Entry, SamplePattern, Signature, sample_pattern, signature
from kronos_health.logs.errors import CatalogueError
from kronos_health.logs.units import unit_of_metric

Item = TypeVar("Item", Signature, SamplePattern)

_BUILT_IN = Path(__file__).with_name("catalogue.toml")
_REPLACEABLE = ("prediction_completed", "prediction_failed")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is looked for; names are unique."""

    signatures: tuple[Signature, ...]
    samples: tuple[SamplePattern, ...]

    def signature(self, name: str) -> Signature | None:
        """The signature ``name``; ``None`` if it is not in force any more (old findings keep its name)."""
        return next((item for item in self.signatures if item.name == name), None)


@cache
def built_in() -> Catalogue:
    """The catalogue that comes with the package."""
    return _read(_BUILT_IN)


def load_catalogue(path: Path | None = None, patterns: Mapping[str, str] | None = None) -> Catalogue:
    """The built-in catalogue with the entries of ``path`` and of ``logs.patterns`` put in.

    An entry of ``path`` replaces the built-in one of its name. A pattern replaces the regular expression of a sample or
    of ``prediction_completed`` and ``prediction_failed``; under any other name it is a sample of its own.

    Raises :class:`CatalogueError` with one line that names file, entry and key.
    """
    catalogue = built_in()
    if path is not None:
        extra = _read(path)
        catalogue = Catalogue(
            _merged(catalogue.signatures, extra.signatures), _merged(catalogue.samples, extra.samples)
        )
    for name, pattern in (patterns or {}).items():
        catalogue = _with_pattern(catalogue, name, pattern)
    _check_references(catalogue, path or _BUILT_IN)
    return catalogue


def _read(path: Path) -> Catalogue:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(
            f"{path}: cannot be read ({error.strerror}). Name a TOML file in logs.catalogue."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: is not TOML ({error}).") from error
    for key in tables:
        if key not in {"signatures", "samples"}:
            raise CatalogueError(f"{path}: {key}: is not known. Write [[signatures]] and [[samples]] tables.")
    signatures = [signature(entry) for entry in _entries(path, tables, "signatures", "name")]
    samples = [sample_pattern(entry) for entry in _entries(path, tables, "samples", "metric")]
    return Catalogue(tuple(signatures), tuple(samples))


def _entries(path: Path, tables: Mapping[str, object], kind: str, name_key: str) -> list[Entry]:
    found = tables.get(kind, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise CatalogueError(f"{path}: {kind}: must be tables. Write [[{kind}]].")
    entries = [Entry(str(path), f"{kind}[{index}]", item, name_key) for index, item in enumerate(found, start=1)]
    names = [entry.name for entry in entries]
    for entry in entries:
        if names.count(entry.name) > 1:
            raise entry.wrong(name_key, f"{entry.name!r} stands here more than once")
    return entries


def _merged(present: Sequence[Item], added: Sequence[Item]) -> tuple[Item, ...]:
    by_name = {item.name: item for item in present} | {item.name: item for item in added}
    return tuple(by_name.values())


def _with_pattern(catalogue: Catalogue, name: str, pattern: str) -> Catalogue:
    known = catalogue.signature(name)
    if known is not None and name not in _REPLACEABLE:
        raise CatalogueError(
            f"logs.patterns.{name}: only {' and '.join(_REPLACEABLE)} and samples can be replaced here. "
            "Put the signature into the file named by logs.catalogue."
        )
    entry = Entry("logs.patterns", name, {"regex": pattern, "metric": name, "name": name}, "name", exact=True)
    if known is not None:
        replaced = known.with_expressions(entry.expressions("regex"), entry.literals())
        return Catalogue(_merged(catalogue.signatures, [replaced]), catalogue.samples)
    present = next((item for item in catalogue.samples if item.name == name), None)
    unit = present.unit if present else unit_of_metric(name)
    titled = entry.with_value("title", present.title if present else name)
    sample = sample_pattern(titled.with_value("unit", unit or ""))
    return Catalogue(catalogue.signatures, _merged(catalogue.samples, [sample]))


def _check_references(catalogue: Catalogue, path: Path) -> None:
    names = {item.name for item in catalogue.signatures}
    for item in catalogue.signatures:
        for other in item.unless:
            if other not in names:
                raise CatalogueError(f"{path}: signatures ({item.name}): unless: there is no signature {other!r}.")
