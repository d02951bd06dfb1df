"""The books of torch's CUDA graph trees, kept without CUDA.

The rule, read in ``torch/_inductor/cudagraph_trees.py`` (2.6, 2.13 and 2.15). Every compiled call is a new
*generation*; once step marks are used, only a mark is. A function is first warmed up, then recorded, then replayed.
While warming up or recording, a new generation takes away every output of the current path that somebody still holds,
before the inputs are read: reading one later is the error. While replaying nothing is taken away, but the graph writes
its new results over its old ones, silently. With generation cloning (torch 2.14's
``cudagraph_trees_generation_cloning``) outputs still held are moved out of the pool instead.
"""

from __future__ import annotations

import enum
import importlib
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._dynamo.mutation_guard import GenerationTracker
from torch.multiprocessing.reductions import StorageWeakRef

TREES = "torch._inductor.cudagraph_trees"
MESSAGE = (
    "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run. Stack trace: {stack}. "
    "To prevent overwriting, clone the tensor outside of torch.compile() or call "
    "torch.compiler.cudagraph_mark_step_begin() before each model invocation."
)
NEWER_MESSAGE = (2, 14)  # from here on torch's advice differs

Runner = Callable[..., Sequence[Any]]


class PathState(enum.Enum):
    """What the pool's current path is made of."""

    NONE = "none"
    WARM_UP = "warm-up"
    RECORDING = "recording"
    EXECUTION = "execution"


class PoolOutput:
    """Output ``index`` of graph ``function``, made by the lines ``stack``; watched without keeping it alive."""

    def __init__(self, tensor: torch.Tensor, function: int, index: int, stack: str) -> None:
        storage = tensor.untyped_storage()
        self.function = function
        self.index = index
        self.stack = stack
        self.returned = False  # to the caller of the compiled code; else it left only as a side effect
        self.storage = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
        self.key = storage._cdata
        self._tensor = weakref.ref(tensor)
        self._layout = (tensor.dtype, tensor.storage_offset(), tensor.size(), tensor.stride())

    @property
    def shape(self) -> str:
        """Type and sizes, e.g. ``float32[8, 256]``."""
        dtype, _, size, _ = self._layout
        return f"{str(dtype).removeprefix('torch.')}{list(size)}"

    @property
    def alive(self) -> bool:
        """True while somebody holds the output or a view of it."""
        return not self.storage.expired()  # type: ignore[no-untyped-call]

    def write_over(self, fresh: torch.Tensor) -> torch.Tensor:
        """What a replay does: put ``fresh`` where the old result was, and hand that out (again)."""
        storage = torch.UntypedStorage._new_with_weak_ptr(self.storage.cdata)
        if storage is None:
            return fresh
        dtype, offset, size, stride = self._layout
        place = torch.empty(0, dtype=dtype).set_(storage, offset, size, stride)
        place.copy_(fresh)
        held = self._tensor()
        return place if held is None else held


@dataclass(eq=False)
class Node:
    """One run of a function on a path: its outputs, and the recorded graphs that may follow it."""

    function: int
    parent: Node | None
    key: Any = None
    outputs: list[PoolOutput | None] = field(default_factory=list)
    children: dict[Any, Node] = field(default_factory=dict)

    def path(self) -> list[Node]:
        """From the root of the path to this node."""
        return [*(self.parent.path() if self.parent else []), self]

    def held(self) -> list[PoolOutput]:
        """The path's outputs that somebody still holds."""
        return [output for node in self.path() for output in node.outputs if output is not None and output.alive]


class GraphPool:
    """The books of one device's CUDA graph pool."""

    def __init__(self, generation_cloning: bool = False) -> None:
        self.generation_cloning = generation_cloning
        self.recordings = 0
        self.replays = 0
        self.on_refusal: Callable[[PoolOutput], None] = lambda _: None
        self._state = PathState.NONE
        self._current: Node | None = None
        self._generation: int | None = None
        self._roots: dict[Any, Node] = {}
        self._warmed: set[int] = set()
        self._taken: dict[int, PoolOutput] = {}

    def run(self, function: int, run: Runner, inputs: Sequence[Any], static: Sequence[bool], stacks: list[str]) -> Any:
        """One compiled call of graph ``function``; raises torch's ``RuntimeError`` when an input was taken away."""
        if self._state in (PathState.WARM_UP, PathState.RECORDING):
            self._end_path()
        elif self.generation_cloning and self._new_generation():
            self._end_execution()  # torch ends it at once only in this mode, before it looks for a graph to replay
        self.refuse_taken(inputs)
        if function not in self._warmed or self._state is PathState.WARM_UP:
            self._warmed.add(function)
            return self._enter(PathState.WARM_UP, Node(function, self._current), run(*inputs), inputs, stacks)
        node = self._find(function, inputs, static)
        if node is not None:
            return self._replay(node, run(*inputs))
        return self._record(function, run, inputs, static, stacks)

    def refuse_taken(self, values: Iterable[Any]) -> None:
        """Raise torch's error when one of ``values`` is, or is a view of, an output that was taken away."""
        for value in values:
            key = storage_key(value)
            output = None if key is None else self._taken.get(key)
            if output is not None:
                self.on_refusal(output)
                raise RuntimeError(overwritten_message(output.stack))

    def taken(self) -> list[PoolOutput]:
        """What was taken away and is still held by somebody, in the order it was made."""
        return [output for output in self._taken.values() if output.alive]

    def note_returned(self, values: Iterable[Any]) -> None:
        """``values`` are what the compiled code that ran last returned."""
        keys = {storage_key(value) for value in values}
        for output in self._current.held() if self._current else []:
            output.returned = output.returned or output.key in keys

    def owner_of(self, tensor: torch.Tensor) -> PoolOutput | None:
        """The output that ``tensor`` shows, taken away or on the current path; ``None`` for what is no graph's."""
        key = storage_key(tensor)
        held = self._current.held() if self._current else []
        return next((output for output in held if output.key == key), self._taken.get(key or 0))

    def _end_path(self) -> None:
        """End a warm-up or recording when a new generation began or nobody holds its outputs any more."""
        held = self._current.held() if self._current else []
        if self._new_generation():
            self._take_away(held)
            self._leave()
        elif not held:
            self._leave()

    def _end_execution(self) -> None:
        """End a replay: nothing is taken away, what is still held will be written over."""
        held = self._current.held() if self._current else []
        if self._new_generation():
            if self.generation_cloning:
                self._move_out()
            self._leave()
        elif not held:
            self._leave()

    def _take_away(self, held: list[PoolOutput]) -> None:
        if self.generation_cloning:
            self._move_out()
            return
        # The weak reference inside keeps the storage's address from being given to another one.
        self._taken.update({output.key: output for output in held})

    def _move_out(self) -> None:
        for node in self._current.path() if self._current else []:
            node.outputs = [None] * len(node.outputs)

    def _leave(self) -> None:
        self._state, self._current = PathState.NONE, None

    @staticmethod
    def _generation_now() -> int:
        trees = sys.modules.get(TREES)  # 1.5 s to import, and nobody marked a step while it is not
        marks = 0 if trees is None else int(trees.MarkStepBox.mark_step_counter)
        return marks or GenerationTracker.generation

    def _new_generation(self) -> bool:
        return self._generation != self._generation_now()

    def _find(self, function: int, inputs: Sequence[Any], static: Sequence[bool]) -> Node | None:
        """The recorded graph that can be replayed here, if any; may end the path that is being replayed."""
        if self._state is PathState.RECORDING:
            return None
        found = self._followers().get(self._key(function, inputs, static))
        if found is None and self._current is not None:
            self._end_execution()
            if self._current is None:
                found = self._roots.get(self._key(function, inputs, static))
        return found

    def _followers(self) -> dict[Any, Node]:
        return self._roots if self._current is None else self._current.children

    def _key(self, function: int, inputs: Sequence[Any], static: Sequence[bool]) -> Any:
        """What must stay the same for a replay: addresses of parameters, pool outputs that come in, plain numbers."""
        managed = {
            output.key: (depth, index)
            for depth, node in enumerate(self._current.path() if self._current else [])
            for index, output in enumerate(node.outputs)
            if output is not None
        }
        marks = []
        for value, is_static in zip(inputs, static, strict=True):
            if not isinstance(value, torch.Tensor):
                marks.append(value)
            elif is_static or isinstance(value, torch.nn.Parameter):
                marks.append(value.data_ptr())
            else:
                marks.append(managed.get(value.untyped_storage()._cdata))
        return (function, *marks)

    def _record(
        self, function: int, run: Runner, inputs: Sequence[Any], static: Sequence[bool], stacks: list[str]
    ) -> Any:
        key = self._key(function, inputs, static)
        node = Node(function, self._current, key)
        self._followers()[key] = node
        self.recordings += 1
        return self._enter(PathState.RECORDING, node, run(*inputs), inputs, stacks)

    def _enter(
        self, state: PathState, node: Node, outputs: Sequence[Any], inputs: Sequence[Any], stacks: list[str]
    ) -> Sequence[Any]:
        """Make ``node`` the end of the path and watch its outputs, but for inputs that are only passed through."""
        mine = {value.untyped_storage()._cdata for value in inputs if isinstance(value, torch.Tensor)}
        node.outputs = [
            PoolOutput(value, node.function, index, stack)
            if isinstance(value, torch.Tensor) and value.untyped_storage()._cdata not in mine
            else None
            for index, (value, stack) in enumerate(zip(outputs, stacks, strict=True))
        ]
        self._current, self._state, self._generation = node, state, self._generation_now()
        return outputs

    def _replay(self, node: Node, outputs: Sequence[Any]) -> Sequence[Any]:
        self.replays += 1
        results = list(outputs)
        for index, old in enumerate(node.outputs):
            if old is not None:
                gone = old.key in self._taken  # torch has let go of that memory: the new result has a place of its own
                results[index] = outputs[index] if gone else old.write_over(outputs[index])
                node.outputs[index] = PoolOutput(results[index], node.function, index, old.stack)
        self._current, self._state, self._generation = node, PathState.EXECUTION, self._generation_now()
        return results


def storage_key(value: Any) -> int | None:
    """Where a tensor's data is, as the books name it; ``None`` for what has no such place."""
    with torch._C.DisableTorchFunctionSubclass():
        if not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
            return None
        return int(value.untyped_storage()._cdata)


def overwritten_message(stack: str) -> str:
    """What this torch says when an overwritten output is read; ``stack`` is the source that made the output."""
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < NEWER_MESSAGE:  # the module below takes a second and more to import
        return MESSAGE.format(stack=stack.strip())
    own = getattr(importlib.import_module(TREES).CUDAGraphTreeManager, "format_dealloc_msg", None)
    return str(own(stack)) if own is not None else MESSAGE.format(stack=stack.strip())
