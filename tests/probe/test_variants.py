"""Variants are data: named, described, and each with a recipe in the worker."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kronos_health.probe.variants import BUILT_IN, UnknownVariant, find_variant
from kronos_health.probe.worker.recipes import RECIPES


def it_has_one_variant_per_recipe_of_the_worker() -> None:
    assert {variant.recipe for variant in BUILT_IN} == set(RECIPES)
    assert all(variant.name == variant.recipe for variant in BUILT_IN)


@pytest.mark.parametrize("variant", BUILT_IN, ids=lambda variant: variant.name)
def it_describes_each_in_one_line(variant) -> None:
    assert variant.summary
    assert variant.production_change
    assert "\n" not in variant.summary + variant.production_change
    assert variant.compiled == RECIPES[variant.recipe].compiled
    graph_modes = ("max-autotune", "reduce-overhead")
    assert variant.claims_graphs == (variant.compiled and RECIPES[variant.recipe].mode in graph_modes)


def it_finds_the_users_own_recipe() -> None:
    own = find_variant("our_team.recipes:padded")
    assert (own.name, own.recipe, own.compiled, own.claims_graphs) == (
        "our_team.recipes:padded",
        "our_team.recipes:padded",
        True,
        False,
    )


def it_names_what_there_is_when_asked_for_something_else() -> None:
    with pytest.raises(UnknownVariant, match=r"no variant 'complied'\. Did you mean compiled\? There are: eager, "):
        find_variant("complied")


def it_needs_no_torch() -> None:
    code = "import sys, kronos_health.probe.variants; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
