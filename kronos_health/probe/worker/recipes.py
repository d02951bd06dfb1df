"""How a target is compiled: the built-in recipes as data, and ``module:function`` for the user's own.

Names and descriptions for people are in the package (``kronos_health/probe/variants.toml``); these are the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from . import mitigations
from .errors import BadInput, Unsupported
from .spec import VariantSpec, WorkerSpec
from .targets.contract import Part, parts_of
from .targets.factory import import_named
from .windows import shape_of

GRAPH_MODES = ("max-autotune", "reduce-overhead")


@dataclass(frozen=True)
class Recipe:
    """What is compiled, how, and which mitigations are added. ``variant.options`` of the spec may replace any field."""

    compiled: bool = True
    mode: str | None = "max-autotune"
    backend: str = "inductor"
    dynamic: bool | None = None
    static_rope: bool = False
    mark_step: bool = False
    mark_every_call: bool = False
    clone: bool = False
    whole_step: bool = False
    generation_cloning: bool = False

    @property
    def claims_graphs(self) -> bool:
        """True when it replays CUDA graphs on CUDA."""
        return self.compiled and (
            self.backend == "cudagraphs" or (self.backend == "inductor" and self.mode in GRAPH_MODES)
        )

    @property
    def keeps_outputs(self) -> bool:
        """True when an output may be kept while the next step runs; the others promise it only within a step."""
        return self.clone or self.generation_cloning or not self.claims_graphs

    @property
    def stock(self) -> bool:
        """True when nothing is done beyond what production's own ``compile`` switch does."""
        return self == Recipe(mode=self.mode)


RECIPES = {
    "eager": Recipe(compiled=False),
    "compiled": Recipe(),
    # The two causes, and what is done about each: every combination.
    "compiled_static_rope": Recipe(static_rope=True),
    "compiled_clone": Recipe(clone=True),
    "compiled_mark_step": Recipe(mark_step=True),
    "compiled_static_rope_clone": Recipe(static_rope=True, clone=True),
    "compiled_static_rope_mark_step": Recipe(static_rope=True, mark_step=True),
    "compiled_clone_mark_step": Recipe(clone=True, mark_step=True),
    "compiled_static_rope_clone_mark_step": Recipe(static_rope=True, clone=True, mark_step=True),
    "compiled_mark_every_call": Recipe(mark_every_call=True),
    # Other ways to compile.
    "compiled_whole_step": Recipe(static_rope=True, whole_step=True, clone=True),
    "compiled_generation_cloning": Recipe(generation_cloning=True),
    "compiled_reduce_overhead": Recipe(mode="reduce-overhead"),
    "compiled_dynamic": Recipe(dynamic=True),
    "compiled_no_cudagraphs": Recipe(mode="max-autotune-no-cudagraphs"),
    "compiled_default": Recipe(mode="default"),
    # The layers of the compiler, from the outside in.
    "layer_dynamo": Recipe(backend="eager"),
    "layer_aot_autograd": Recipe(backend="aot_eager"),
    "layer_inductor": Recipe(mode="max-autotune-no-cudagraphs"),
    "layer_cudagraphs": Recipe(backend="cudagraphs"),
    "layer_inductor_cudagraphs": Recipe(),
}


@dataclass(frozen=True)
class Applied:
    """What a recipe left behind: the callables to watch, and whether their outputs may be kept."""

    compiled: bool
    parts: tuple[Part, ...] = ()
    keeps_outputs: bool = False


def built_in(variant: VariantSpec) -> Recipe | None:
    """The recipe of ``variant`` with its options, or None for a ``module:function``; :class:`BadInput` if unknown."""
    if ":" in variant.recipe:
        return None
    if variant.recipe not in RECIPES:
        raise BadInput(f"variant.recipe is {variant.recipe!r}; use one of {', '.join(RECIPES)}, or module:function")
    known = {field.name for field in fields(Recipe)}
    unknown = sorted(set(variant.options) - known)
    if unknown:
        raise BadInput(f"variant.options has {', '.join(unknown)}; a recipe has {', '.join(sorted(known))}")
    return replace(RECIPES[variant.recipe], **variant.options)


def apply(target: Any, spec: WorkerSpec) -> Applied:
    """Compile ``target`` as the spec's variant says; nothing of it may have been called before.

    Raises :class:`Unsupported` when this torch lacks what the recipe turns on.
    """
    recipe = built_in(spec.variant)
    if recipe is None:
        return _apply_own(target, spec.variant.recipe, spec.variant.options)
    if not recipe.compiled:
        return Applied(compiled=False)
    if recipe.generation_cloning and not spec.rehearsed:
        _turn_on_generation_cloning()
    if recipe.static_rope:
        mitigations.use_static_rotary_tables(getattr(target, "model", None), _longest(spec))
    if recipe.stock and _compile_as_production(target, recipe):
        return Applied(True, tuple(parts_of(target)), recipe.keeps_outputs)
    parts = _parts(target, recipe)
    for part in parts:
        part.replace(_compiled(part, recipe))
    return Applied(True, tuple(parts), recipe.keeps_outputs)


def _apply_own(target: Any, reference: str, options: Mapping[str, Any]) -> Applied:
    """A user's recipe: ``function(target, **options)`` compiles in place what it wants.

    Its outputs are watched at the target's own parts, where it has any; nobody promised that they may be kept.
    """
    import_named(reference, "variant.recipe")(target, **options)
    try:
        parts = parts_of(target)
    except BadInput:
        parts = []
    return Applied(True, tuple(parts))


def _compile_as_production(target: Any, recipe: Recipe) -> bool:
    own = getattr(target, "compile_as_production", None)
    return bool(own is not None and own(recipe.mode))


def _parts(target: Any, recipe: Recipe) -> list[Part]:
    if not recipe.whole_step:
        return parts_of(target)
    from . import whole_step

    return [whole_step.install(target)]


def _compiled(part: Part, recipe: Recipe) -> Any:
    arguments: dict[str, Any] = {"backend": recipe.backend}
    if recipe.mode is not None and recipe.backend == "inductor":
        arguments["mode"] = recipe.mode
    if recipe.dynamic is not None:
        arguments["dynamic"] = recipe.dynamic
    function = torch.compile(part.current, **arguments)
    if recipe.clone:
        function = mitigations.cloning_outputs(function)
    if recipe.mark_every_call or (recipe.mark_step and part.begins_step):
        function = mitigations.marking_step(function)
    return function


def _turn_on_generation_cloning() -> None:
    from torch._inductor import config

    if not hasattr(config.triton, "cudagraph_trees_generation_cloning"):
        raise Unsupported(f"generation cloning needs torch 2.14 or newer; this is {torch.__version__}")
    config.triton.cudagraph_trees_generation_cloning = "user_visible"


def _longest(spec: WorkerSpec) -> int:
    """The longest window the model can see, in rows."""
    history, steps = shape_of(spec.evaluation, spec.regime)
    return max(spec.evaluation.max_context, history + steps)
