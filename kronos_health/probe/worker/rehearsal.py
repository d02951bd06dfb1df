"""The lifetime rule of torch's CUDA graphs, rehearsed without CUDA: ``torch.compile`` with a Dynamo backend.

Under CUDA graphs the outputs of compiled code live in a pool that later runs write over. Here the graphs run eagerly
while :mod:`.graph_pool` keeps the same books, so that code which breaks the rule fails with torch's own words on any
machine: compiled code that reads an overwritten output, and eager code too (:mod:`.veil`). It says what CUDA would do;
it is never evidence.

Not emulated: overwritten outputs that eager code reads between two graphs of one compiled call, training, re-recording
limits, input mutation, and graphs that torch would skip.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree

from .graph_pool import GraphPool, PoolOutput, Runner
from .keepers import own_place, path_to, variable_of
from .leaks import Leak, Refusal, describe
from .veil import Veil

GRAPH_MODES = ("reduce-overhead", "max-autotune")
NO_STACK = "[Could not find stack trace]"


@dataclass(frozen=True)
class Call:
    """A call of compiled code that runs: what it is called, what was passed to it, and from where."""

    name: str
    arguments: Mapping[str, Any]
    caller: types.FrameType


class Rehearsal:
    """Sends every ``torch.compile`` of this process through a :class:`GraphPool`, whoever calls it."""

    def __init__(self, generation_cloning: bool = False) -> None:
        self.pool = GraphPool(generation_cloning)
        self.pool.on_refusal = self._note
        self._veil = Veil(self.pool.refuse_taken)
        self._functions: list[str] = []
        self._calls: list[Call] = []
        self._refusal: Refusal | None = None

    def install(self) -> None:
        """Replace ``torch.compile``. Code that asks for no CUDA graphs is only traced, as it is not under the rule."""
        original = torch.compile

        def compile_rehearsed(
            model: Any = None, *, backend: Any = "inductor", mode: Any = None, options: Any = None, **rest: Any
        ) -> Any:
            if not claims_graphs(backend, mode, options):
                return original(model, backend="eager", **rest)
            if model is None:  # used as a decorator with arguments
                return lambda function: compile_rehearsed(function, backend=backend, mode=mode, options=options, **rest)
            return self._watched(model, original(model, backend=self.backend, **rest))

        setattr(torch, "compile", compile_rehearsed)  # noqa: B010 - the type checker forbids the plain assignment

    def backend(self, module: torch.fx.GraphModule, example_inputs: Sequence[Any]) -> Runner:
        """The Dynamo backend: run ``module`` eagerly, keep the pool's books."""
        function = len(self._functions)
        self._functions.append(self._calls[-1].name if self._calls else f"graph {function}")
        stacks = _output_stacks(module)
        static = [_is_static(node) for node in module.graph.nodes if node.op == "placeholder"]

        def run(*inputs: Any) -> Any:
            return self.pool.run(function, module.forward, inputs, static, stacks)

        return run

    def leaks(self, target: Any, overwritten: Sequence[torch.Tensor] = ()) -> list[Leak]:
        """Which outputs outlived their graphs, and who keeps them: the one whose reading failed first.

        ``overwritten`` are outputs that a replay changed while they were kept.
        """
        changed = [output for tensor in overwritten if (output := self.pool.owner_of(tensor)) is not None]
        return describe(self._refusal, changed, self.pool.taken(), target, self._functions)

    def _watched(self, model: Any, compiled: Any) -> Any:
        """``compiled`` with the veil lifted while it runs, and its name and arguments known."""
        if isinstance(compiled, torch.nn.Module):
            compiled.forward = self._calling(type(model).__name__, model.forward, compiled.forward)
            return compiled
        return self._calling(_name_of(model), model, compiled)

    def _calling(self, name: str, original: Callable[..., Any], compiled: Callable[..., Any]) -> Callable[..., Any]:
        signature = _signature(original)

        @functools.wraps(compiled)
        def call(*arguments: Any, **keywords: Any) -> Any:
            self._calls.append(Call(name, _bound(signature, arguments, keywords), sys._getframe(1)))
            self._veil.lift()
            try:
                result = compiled(*arguments, **keywords)
                self.pool.note_returned(_pytree.tree_leaves(result))
                return result
            finally:
                self._calls.pop()
                self._veil.lower()
                self._veil.cover(self.pool.taken())

        if hasattr(call, "_torchdynamo_wrapper_id"):  # how torch 2.13 knows its own wrappers, to look through them
            call._torchdynamo_wrapper_id = id(call)
        return call

    def _note(self, output: PoolOutput) -> None:
        """An overwritten output is being read: remember by whom, while the stack still knows."""
        if not self._calls:
            here = sys._getframe(1)
            self._refusal = Refusal(output, None, None, variable_of(output.key, here), own_place(here))
            return
        call = self._calls[-1]
        argument = path_to(output.key, call.arguments)
        self._refusal = Refusal(output, call.name, argument, None, own_place(call.caller))


def claims_graphs(backend: Any, mode: str | None, options: dict[str, Any] | None) -> bool:
    """True when a call of ``torch.compile`` with these arguments would use CUDA graphs on CUDA."""
    if backend == "cudagraphs":
        return True
    if backend != "inductor":
        return False
    if options and "triton.cudagraphs" in options:
        return bool(options["triton.cudagraphs"])
    config = sys.modules.get("torch._inductor.config")
    return mode in GRAPH_MODES or bool(config is not None and config.triton.cudagraphs)


def _name_of(function: Any) -> str:
    """``Kronos.decode_s1`` for a method, the plain name for a function."""
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", type(function).__name__)
    if owner is not None and not inspect.ismodule(owner):
        return f"{type(owner).__name__}.{name}"
    return str(getattr(function, "__qualname__", name)).rpartition("<locals>.")[2]


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _bound(signature: inspect.Signature | None, arguments: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """What was passed, by parameter name; by number where the names cannot be known."""
    if signature is not None:
        try:
            return dict(signature.bind(*arguments, **keywords).arguments)
        except TypeError:  # the call itself will say what is wrong with it
            pass
    return {**{str(number): value for number, value in enumerate(arguments)}, **keywords}


def _output_stacks(module: torch.fx.GraphModule) -> list[str]:
    """For each output of the graph, the lines of source that made it."""
    outputs = next(node for node in module.graph.nodes if node.op == "output").args[0]
    return [(getattr(node, "meta", None) or {}).get("stack_trace") or NO_STACK for node in outputs]


def _is_static(placeholder: torch.fx.Node) -> bool:
    """True for inputs whose address torch expects not to move: parameters, buffers, and what was marked static."""
    return bool((placeholder.meta.get("tensor_dict") or {}).get("_dynamo_static_input_type"))
