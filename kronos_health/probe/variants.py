"""The ways to run a target that the project knows, as data for forms, help texts and reports; free of torch.

``variants.toml`` describes the built-in ones; other packages bring theirs by entry point, and anybody can name a
``module:function``. See docs/worker-protocol.md.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path

from kronos_health.domain.probes import is_layer
from kronos_health.probe.installed_variants import Installed, installed
from kronos_health.probe.ladder import RUNGS
from kronos_health.probe.variant_table import OWN_RECIPE, Variant, variant_of

__all__ = ["ALL", "BUILT_IN", "LADDER", "UnknownVariant", "Variant", "expand", "find_variant", "from_elsewhere"]

ALL = "all"  # every variant that is a way to run production, other packages' included
LADDER = "ladder"  # eager and the layers of the compiler


class UnknownVariant(LookupError):
    """A name that is neither a variant nor of the form ``module:function``."""


def _built_in() -> tuple[Variant, ...]:
    tables = tomllib.loads(Path(__file__).with_name("variants.toml").read_text(encoding="utf-8"))
    return tuple(variant_of(table, name) for name, table in tables.items())


BUILT_IN: tuple[Variant, ...] = _built_in()


def from_elsewhere() -> Installed:
    """The variants of other packages, and what is wrong with those that cannot be used."""
    names = frozenset(variant.name for variant in BUILT_IN)
    return installed(names | {ALL, LADDER}, names)


def find_variant(name: str) -> Variant:
    """The variant called ``name``, or the user's own recipe ``module:function``; raises :class:`UnknownVariant`.

    Of a user's recipe nothing is known but that it compiles; whether it replays graphs is counted, not demanded.
    """
    if OWN_RECIPE.fullmatch(name):
        change = f"what {name} does"
        return Variant(name, f"the recipe {name}", change, recipe=name, compiled=True, claims_graphs=False)
    here = {variant.name: variant for variant in BUILT_IN}
    if name in here:
        return here[name]
    elsewhere = from_elsewhere()
    known = here | {variant.name: variant for variant in elsewhere.variants}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    problems = "".join(f" Not usable: {problem}" for problem in elsewhere.problems)
    raise UnknownVariant(
        f"there is no variant {name!r}.{hint} There are: {', '.join(known)}, or your own module:function.{problems}"
    )


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` once each, with ``all`` and ``ladder`` replaced by what they stand for."""
    groups = {
        ALL: [variant.name for variant in (*BUILT_IN, *from_elsewhere().variants) if not is_layer(variant.name)],
        LADDER: [rung.variant for rung in RUNGS],
    }
    return tuple(dict.fromkeys(one for name in names for one in groups.get(name, [name])))
