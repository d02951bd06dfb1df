"""The ways to run a target that the project knows, as data for forms, help texts and reports; free of torch.

What a recipe does is in the worker (``probe/worker/recipes.py``), under the same name. Users name their own as
``module:function``; see docs/worker-protocol.md.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

_OWN_RECIPE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Variant:
    """A named way to run a target.

    ``compiled`` says that it must run compiled to pass, ``claims_graphs`` that on CUDA it must replay CUDA graphs.
    """

    name: str
    summary: str  # one line: what it is
    production_change: str  # one line: what production would have to change to run so
    recipe: str
    compiled: bool
    claims_graphs: bool


class UnknownVariant(LookupError):
    """A name that is neither a built-in variant nor of the form ``module:function``."""


BUILT_IN: tuple[Variant, ...] = (
    Variant(
        name="eager",
        summary="as production runs today, nothing compiled",
        production_change="nothing",
        recipe="eager",
        compiled=False,
        claims_graphs=False,
    ),
    Variant(
        name="compiled",
        summary="stock: decode_s1 and decode_s2 each under torch.compile, mode max-autotune",
        production_change="KRONOS_COMPILE=1 in .env.compile",
        recipe="compiled",
        compiled=True,
        claims_graphs=True,
    ),
    Variant(
        name="compiled_static_rope_mark_step",
        summary="stock, with rotary tables made ahead and one step mark before each decode_s1",
        production_change=(
            "KRONOS_COMPILE=1, make the rotary tables once as buffers after loading, and call "
            "torch.compiler.cudagraph_mark_step_begin() before each decode_s1"
        ),
        recipe="compiled_static_rope_mark_step",
        compiled=True,
        claims_graphs=True,
    ),
    Variant(
        name="compiled_static_rope_clone",
        summary="stock, with rotary tables made ahead and every output cloned outside the compiled call",
        production_change=(
            "KRONOS_COMPILE=1, make the rotary tables once as buffers after loading, and clone what decode_s1 and "
            "decode_s2 return"
        ),
        recipe="compiled_static_rope_clone",
        compiled=True,
        claims_graphs=True,
    ),
    Variant(
        name="compiled_whole_step",
        summary="both halves of a decode step and its sampling as one compiled region, rotary tables ahead",
        production_change=(
            "replace auto_regressive_inference's loop body by one compiled step function, make the rotary tables once "
            "as buffers after loading, and clone the tokens it returns"
        ),
        recipe="compiled_whole_step",
        compiled=True,
        claims_graphs=True,
    ),
    Variant(
        name="compiled_no_cudagraphs",
        summary="decode_s1 and decode_s2 each under torch.compile, mode max-autotune-no-cudagraphs",
        production_change="KRONOS_COMPILE=1 with compile mode max-autotune-no-cudagraphs; launch savings are given up",
        recipe="compiled_no_cudagraphs",
        compiled=True,
        claims_graphs=False,
    ),
    Variant(
        name="compiled_generation_cloning",
        summary="stock, with torch's own cloning of live graph outputs turned on (torch 2.14 or newer)",
        production_change=(
            "torch 2.14 or newer, KRONOS_COMPILE=1, and torch._inductor.config.triton."
            'cudagraph_trees_generation_cloning = "user_visible" before compiling'
        ),
        recipe="compiled_generation_cloning",
        compiled=True,
        claims_graphs=True,
    ),
)


def find_variant(name: str) -> Variant:
    """The variant called ``name``, or the user's own recipe ``module:function``; raises :class:`UnknownVariant`.

    Of a user's recipe nothing is known but that it compiles; whether it replays graphs is counted, not demanded.
    """
    for variant in BUILT_IN:
        if variant.name == name:
            return variant
    if _OWN_RECIPE.fullmatch(name):
        change = f"what {name} does"
        return Variant(name, f"the recipe {name}", change, recipe=name, compiled=True, claims_graphs=False)
    known = [variant.name for variant in BUILT_IN]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UnknownVariant(
        f"there is no variant {name!r}.{hint} There are: {', '.join(known)}, or your own module:function."
    )
