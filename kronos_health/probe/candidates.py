"""How a candidate changes a target, and what its environment has to hold: pure functions of names and settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kronos_health.domain.candidates import Candidate
from kronos_health.probe import pip
from kronos_health.probe.venvs import Recipe
from kronos_health.settings.models import TOTO, Candidates, Settings, Target

__all__ = [
    "checkout_of", "has_own_environment", "on_checkout", "own_recipe", "recipe_of", "requirements_of", "unfit_because",
]  # fmt: skip

_PACKAGED, _CHECKOUT = "kronos", "kronos_checkout"
_TOTO_CODE = "toto-ts>=0.2,<0.3"  # installed alone: it pins torch 2.7 and ten more packages against what is probed
# What Toto's model and forecaster import (0.2.0); gluonts.torch itself imports lightning and scipy.
_TOTO_NEEDS = ("einops>=0.8", "gluonts[torch]>=0.16,<0.18", "huggingface-hub>=0.33", "jaxtyping>=0.2.29", "numpy",
               "rotary-embedding-torch>=0.8.6,<0.10", "safetensors>=0.6", "setuptools")  # fmt: skip
_KRONOS_NEEDS = ("einops>=0.8", "huggingface-hub>=0.33", "numpy", "pandas>=2.2,<3.1", "safetensors>=0.6", "tqdm")
_NEEDS = {
    _PACKAGED: (*_KRONOS_NEEDS, "sktime>=1.2,<1.3"),
    _CHECKOUT: _KRONOS_NEEDS,
    "production_wrapper": _KRONOS_NEEDS,
    TOTO: _TOTO_NEEDS,
}
_OWN = {TOTO: (_TOTO_CODE,)}  # loaders whose code must not share an environment with this program


def requirements_of(target: Target) -> tuple[str, ...]:
    """What an environment for ``target`` needs besides torch: as its settings say, else what its loader imports."""
    return target.requirements or _NEEDS.get(target.loader, ())


def checkout_of(target: Target, settings: Settings) -> Path | None:
    """The git checkout whose revisions ``target`` can be tried at; ``None`` where there is none."""
    if target.loader == _CHECKOUT:
        return target.checkout or settings.upstream.kronos_checkout
    return settings.upstream.kronos_checkout if target.loader == _PACKAGED else None


def unfit_because(candidate: Candidate, name: str, settings: Settings) -> str | None:
    """Why target ``name`` cannot be tried in ``candidate``, or ``None`` when it can."""
    target = settings.targets[name]
    if candidate.torch is not None and not requirements_of(target):
        return f"nobody says what the target {name} needs besides torch: set targets.{name}.requirements"
    if candidate.kronos is None or checkout_of(target, settings) is not None:
        return None
    if target.loader == _PACKAGED:
        return f"the target {name} has no checkout to take revisions from: set upstream.kronos_checkout"
    return f"the target {name} (loader {target.loader}) does not take its model's code from the Kronos checkout"


def on_checkout(target: Target, tree: Path) -> Target:
    """``target`` with the code of the checkout at ``tree``; sktime's copy gives way to it."""
    return target.model_copy(update={"loader": _CHECKOUT, "checkout": tree})


def recipe_of(candidate: Candidate, target: Target, settings: Settings, has_gpu: bool) -> Recipe:
    """The environment of a candidate with another torch, for ``target`` as it will be loaded."""
    python = Path(candidate.python) if candidate.python else target.interpreter
    return _recipe(replace(candidate, kronos=None).name, str(candidate.torch), python, target, settings, has_gpu)


def has_own_environment(target: Target) -> bool:
    """Whether ``target`` runs in an environment that is made for it in production's place, since none is given."""
    return target.interpreter is None and target.loader in _OWN


def own_recipe(target: Target, torch: str, settings: Settings, has_gpu: bool) -> Recipe:
    """The environment that stands for production's, with torch version ``torch``; targets of one loader share it."""
    return _recipe(target.loader, torch, None, target, settings, has_gpu)


def _recipe(name: str, torch: str, python: Path | None, target: Target, settings: Settings, has_gpu: bool) -> Recipe:
    return Recipe(
        name=name,
        requirements=(f"{settings.upstream.torch_package}=={torch}", *requirements_of(target)),
        bare=_OWN.get(target.loader, ()),
        python=python,
        extra_index=settings.candidates.index,
        refusal=None if _may_bring_cuda(settings.candidates, has_gpu) else _REFUSAL,
    )


def _may_bring_cuda(rules: Candidates, has_gpu: bool) -> bool:
    return rules.cuda_packages == "allow" or (rules.cuda_packages == "auto" and has_gpu)


_REFUSAL = pip.Refusal(
    pip.CUDA_PACKAGES,
    "Without a GPU they are gigabytes for nothing: set candidates.index to an index with CPU builds of torch, probe it "
    'on a host with a GPU, or set candidates.cuda_packages = "allow".',
)
