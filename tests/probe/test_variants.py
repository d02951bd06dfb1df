"""Variants are data: named, described, and each with a recipe in the worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kronos_health.domain.probes import is_layer
from kronos_health.probe import installed_variants
from kronos_health.probe.ladder import RUNGS
from kronos_health.probe.variant_table import VariantProblem, variant_of
from kronos_health.probe.variants import BUILT_IN, UnknownVariant, expand, find_variant, from_elsewhere
from kronos_health.probe.worker.recipes import RECIPES


def it_has_one_variant_per_recipe_of_the_worker() -> None:
    assert [variant.recipe for variant in BUILT_IN] == list(RECIPES)
    assert all(variant.name == variant.recipe for variant in BUILT_IN)


@pytest.mark.parametrize("variant", BUILT_IN, ids=lambda variant: variant.name)
def it_describes_each_in_one_line(variant) -> None:
    assert variant.summary
    assert variant.production_change
    assert "\n" not in variant.summary + variant.production_change
    assert variant.compiled == RECIPES[variant.recipe].compiled
    assert variant.claims_graphs == RECIPES[variant.recipe].claims_graphs
    assert is_layer(variant.name) == (variant.production_change == "nothing: a diagnosis")


def it_has_every_combination_of_the_mitigations() -> None:
    halves = {(recipe.static_rope, recipe.clone, recipe.mark_step) for name, recipe in RECIPES.items() if
              name.startswith("compiled") and not (recipe.whole_step or recipe.mark_every_call)}  # fmt: skip
    assert len(halves) == 8


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


def it_means_every_way_to_run_production_by_all_and_no_layer() -> None:
    ways = expand(["compiled", "all", "eager"])
    assert sorted(ways) == sorted(variant.name for variant in BUILT_IN if not is_layer(variant.name))
    assert ways[0] == "compiled"


def it_means_the_rungs_by_ladder() -> None:
    assert expand(["ladder"]) == tuple(rung.variant for rung in RUNGS)
    assert {name for name in expand(["ladder"]) if name != "eager"} == {
        variant.name for variant in BUILT_IN if is_layer(variant.name)
    }


def it_needs_no_torch() -> None:
    code = "import sys, kronos_health.probe.variants; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


TABLE = {
    "summary": "cheap to compile, with both mitigations",
    "production_change": "KRONOS_COMPILE=1 with compile mode reduce-overhead, …",
    "recipe": "compiled_static_rope_mark_step",
    "options": {"mode": "reduce-overhead"},
}


class DescribeOtherPackages:
    """Real distributions on the path, found by their metadata."""

    Install = Callable[..., None]

    @pytest.fixture(autouse=True)
    def _forget(self) -> Iterator[None]:
        installed_variants.installed.cache_clear()
        yield
        installed_variants.installed.cache_clear()

    @pytest.fixture
    def install(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
        """``install(name=source)``: a package whose module is ``source``, with ``name = module:IT`` as entry point."""
        monkeypatch.syspath_prepend(str(tmp_path))

        def install(**sources: str) -> None:
            for name, source in sources.items():
                (tmp_path / f"pack_{name}.py").write_text(source)
                monkeypatch.delitem(sys.modules, f"pack_{name}", raising=False)
                folder = tmp_path / f"pack_{name}-1.0.dist-info"
                folder.mkdir()
                (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pack_{name}\nVersion: 1.0\n")
                (folder / "entry_points.txt").write_text(f"[kronos_health.variants]\n{name} = pack_{name}:IT\n")

        return install

    def it_takes_their_variants(self, install: Install) -> None:
        install(padded=f"IT = {TABLE!r}", more=f"IT = [{{'name': 'one', **{TABLE!r}}}, {{'name': 'two', **{TABLE!r}}}]")
        assert from_elsewhere().problems == ()
        variant = find_variant("padded")
        assert (variant.recipe, variant.options) == ("compiled_static_rope_mark_step", {"mode": "reduce-overhead"})
        assert (variant.compiled, variant.claims_graphs) == (True, True)
        assert {"padded", "one", "two"} <= set(expand(["all"]))

    @pytest.mark.parametrize(
        ("name", "source", "words"),
        [
            ("absent", "import not_there", "ModuleNotFoundError: No module named 'not_there'"),
            ("nothing", "IT = None", "it must name a table or a list of tables, not NoneType"),
            ("compiled", f"IT = {TABLE!r}", "compiled: the name is taken"),
            ("layer_mine", f"IT = {TABLE!r}", "names that begin with layer_ are for layers of the compiler"),
            ("typo", f"IT = {{**{TABLE!r}, 'recipe': 'complied'}}", "recipe must be module:function, or one of "),
            ("short", "IT = {'summary': 'x', 'recipe': 'a:b'}", "short: production_change must be one line of text"),
        ],
    )
    def it_says_what_is_wrong_with_one_and_keeps_the_others(
        self, name: str, source: str, words: str, install: Install
    ) -> None:
        install(**{name: source, "padded": f"IT = {TABLE!r}"})
        (problem,) = from_elsewhere().problems
        assert problem.startswith(f"entry point {name} = pack_{name}:IT of pack_{name}: ")
        assert words in problem
        assert find_variant("padded").name == "padded"
        with pytest.raises(UnknownVariant, match=f"Not usable: entry point {name} = "):
            find_variant("what_it_would_have_been")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"graphs": True}, "x: graphs is not known. There are: name, summary, "),
        ({"compiled": "yes"}, "x: compiled must be true or false"),
        ({"summary": "two\nlines"}, "x: summary must be one line of text"),
        ({"options": [1]}, "x: options must be a table of keywords"),
        ({"name": "No Good"}, "No Good: a name has at most 128 small letters, digits and underscores"),
    ],
)
def it_names_the_key_that_is_wrong(change: dict[str, Any], words: str) -> None:
    with pytest.raises(VariantProblem, match=words):
        variant_of({**TABLE, **change}, "x")
