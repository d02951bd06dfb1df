"""Variants that other packages bring by the entry point group ``kronos_health.variants``.

An entry point names a table (a mapping), or a list of them, with the keys of ``variants.toml`` and a ``recipe``. It is
data: the recipe's module is imported by the worker, in the target's interpreter, and must be importable there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from kronos_health.domain.probes import LAYER_PREFIX, is_layer
from kronos_health.probe.variant_table import OWN_RECIPE, Variant, VariantProblem, variant_of

GROUP = "kronos_health.variants"


@dataclass(frozen=True, slots=True)
class Installed:
    """What was found: variants by name, and a line for each entry point that cannot be used."""

    variants: tuple[Variant, ...] = ()
    problems: tuple[str, ...] = ()


@cache
def installed(reserved: frozenset[str], recipes: frozenset[str]) -> Installed:
    """The variants of every entry point; those that cannot be used become problems and harm no other.

    ``reserved`` are names that are taken, ``recipes`` those the worker has.
    """
    found: dict[str, Variant] = {}
    problems: list[str] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        try:
            for variant in _variants(point):
                _check(variant, reserved | set(found), recipes)
                found[variant.name] = variant
        except Exception as error:  # a stranger's module may raise anything
            told = str(error) if isinstance(error, VariantProblem) else f"{type(error).__name__}: {error}"
            problems.append(f"entry point {point.name} = {point.value} of {_package(point)}: {told}")
    return Installed(tuple(found.values()), tuple(problems))


def _variants(point: EntryPoint) -> Iterable[Variant]:
    loaded: Any = point.load()
    tables = loaded if isinstance(loaded, list | tuple) else [loaded]
    for table in tables:
        if not isinstance(table, Mapping):
            raise VariantProblem(f"it must name a table or a list of tables, not {type(table).__name__}.")
        yield variant_of(table, point.name)


def _check(variant: Variant, taken: Iterable[str], recipes: frozenset[str]) -> None:
    if variant.name in taken:
        raise VariantProblem(f"{variant.name}: the name is taken. Choose another.")
    if is_layer(variant.name):
        raise VariantProblem(f"{variant.name}: names that begin with {LAYER_PREFIX} are for layers of the compiler.")
    if variant.recipe not in recipes and not OWN_RECIPE.fullmatch(variant.recipe):
        raise VariantProblem(f"{variant.name}: recipe must be module:function, or one of {', '.join(sorted(recipes))}.")


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown package"
