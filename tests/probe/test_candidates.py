"""What a candidate changes of a target, and what its environment has to hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kronos_health.domain.candidates import parse_candidate
from kronos_health.probe.candidates import (
    checkout_of,
    has_own_environment,
    on_checkout,
    own_recipe,
    recipe_of,
    requirements_of,
    unfit_because,
)
from kronos_health.settings.models import Settings

OURS, THEIRS = Path("/srv/kronos"), Path("/srv/other")


def settings(upstream: Path | None = OURS, target: dict[str, Any] | None = None, **sections: Any) -> Settings:
    return Settings.model_validate(
        {"upstream": {"kronos_checkout": upstream}, "targets": {"t": target or {}}, **sections}
    )


@pytest.mark.parametrize(
    ("target", "upstream", "candidate", "told"),
    [
        ({}, OURS, "kronos=upstream/main", None),
        ({}, None, "torch=2.15.0", None),
        ({}, None, "kronos=upstream/main", "set upstream.kronos_checkout"),
        ({"loader": "kronos_checkout", "checkout": THEIRS}, None, "kronos=upstream/main", None),
        ({"loader": "production_wrapper", "checkout": THEIRS}, OURS, "kronos=x", "does not take its model's code"),
        ({"loader": "mine:make"}, OURS, "torch=2.15.0,python=/p", "set targets.t.requirements"),
        ({"loader": "mine:make", "requirements": ["numpy"]}, OURS, "torch=2.15.0", None),
        ({"loader": "mine:make"}, OURS, "python=/p", None),
        ({"loader": "mine:make"}, OURS, "production", None),
    ],
)
def it_says_why_a_target_cannot_be_tried(
    target: dict[str, Any], upstream: Path | None, candidate: str, told: str | None
) -> None:
    because = unfit_because(parse_candidate(candidate), "t", settings(upstream, target))
    assert because is None if told is None else told in str(because)


def it_takes_a_targets_own_checkout_before_the_watched_one() -> None:
    found = settings(target={"loader": "kronos_checkout", "checkout": THEIRS})
    assert checkout_of(found.targets["t"], found) == THEIRS
    assert checkout_of(settings().targets["t"], settings()) == OURS


def it_replaces_sktimes_copy_by_the_revision() -> None:
    changed = on_checkout(settings(target={"size": "tiny"}).targets["t"], Path("/state/tree"))
    assert (changed.loader, changed.checkout, changed.size) == ("kronos_checkout", Path("/state/tree"), "tiny")
    assert not any(one.startswith("sktime") for one in requirements_of(changed))


def it_asks_for_torch_and_what_the_loader_needs() -> None:
    found = settings(target={"interpreter": "/srv/prod/bin/python"})
    recipe = recipe_of(parse_candidate("torch=2.15.0,kronos=4f1c2ab01234"), found.targets["t"], found, has_gpu=True)
    assert recipe.name == "torch=2.15.0"
    assert recipe.requirements[0] == "torch==2.15.0"
    assert "sktime>=1.2,<1.3" in recipe.requirements
    assert recipe.python == Path("/srv/prod/bin/python")
    own = recipe_of(parse_candidate("torch=2.15.0,python=/srv/py313"), found.targets["t"], found, has_gpu=True)
    assert own.python == Path("/srv/py313")


@pytest.mark.parametrize(
    ("rule", "has_gpu", "refuses"),
    [("auto", True, False), ("auto", False, True), ("allow", False, False), ("refuse", True, True)],
)
def it_lets_cuda_libraries_in_only_where_they_are_of_use(rule: str, has_gpu: bool, refuses: bool) -> None:
    found = settings(candidates={"cuda_packages": rule, "index": "https://mirror/cpu"})
    recipe = recipe_of(parse_candidate("torch=2.15.0"), found.targets["t"], found, has_gpu)
    assert (recipe.refusal is not None) is refuses
    assert recipe.extra_index == "https://mirror/cpu"


class DescribeToto:
    def it_gets_an_environment_of_its_own_unless_one_is_given(self) -> None:
        found = settings(target={"loader": "toto"})
        assert has_own_environment(found.targets["t"])
        assert not has_own_environment(settings(target={"loader": "toto", "interpreter": "/p"}).targets["t"])
        assert not has_own_environment(settings().targets["t"])

    def it_comes_without_its_pins_beside_our_torch_and_what_its_code_imports(self) -> None:
        found = settings(target={"loader": "toto"})
        recipe = own_recipe(found.targets["t"], "2.13.0", found, has_gpu=False)
        assert (recipe.name, recipe.python) == ("toto", None), "targets of one loader share it"
        assert recipe.bare == ("toto-ts>=0.2,<0.3",), "with --no-deps: it would bring torch 2.7"
        assert recipe.requirements[0] == "torch==2.13.0"
        assert "gluonts[torch]>=0.16,<0.18" in recipe.requirements
        assert recipe.refusal is not None, "no CUDA packages where there is no GPU"

    def it_can_be_tried_with_another_torch_but_not_with_another_kronos(self) -> None:
        found = settings(target={"loader": "toto"})
        recipe = recipe_of(parse_candidate("torch=2.15.0"), found.targets["t"], found, has_gpu=True)
        assert recipe.requirements[0] == "torch==2.15.0"
        assert recipe.bare == ("toto-ts>=0.2,<0.3",)
        assert "does not take its model's code" in str(unfit_because(parse_candidate("kronos=x"), "t", found))
