"""Who holds a tensor: an attribute of the target, a variable of a function that runs, a global of the target's module.

Everything is found by the tensor's storage, so that a view counts as the tensor. Each walk is bounded: it explains a
failure, and must neither take long nor fail itself.
"""

from __future__ import annotations

import linecache
import sys
import types
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

import torch

from .failures import Frame, skipped
from .graph_pool import storage_key

MOST_OBJECTS = 100_000
MOST_IN_ONE = 10_000
MOST_FRAMES = 200
_PLAIN = (str, bytes, int, float, complex, bool, type(None), type, types.ModuleType, types.CodeType)
_CLOSED = ("torch", "numpy", "pandas")  # whose objects hold nothing of the target's, and very much else


def attributes_of(target: Any, keys: Collection[int]) -> dict[int, str]:
    """Where the tensors of storages ``keys`` are kept: ``model.layers[0].rotary.cos_cached``, or ``target.last``.

    The modules that the target's classes come from are looked through after it: ``[module] CACHE['x']``.
    """
    walk = _Walk(keys)
    model = getattr(target, "model", None)
    walk.through([("model", model)] if isinstance(model, torch.nn.Module) else [])
    walk.through([("target", target)])
    walk.through([(f"[{name}] ", vars(sys.modules[name])) for name in sorted(walk.modules)])
    return walk.found


def path_to(key: int, values: Mapping[str, Any]) -> str | None:
    """Which of ``values`` is, or holds, the tensor of storage ``key``, e.g. ``context`` or ``states[1]``."""
    walk = _Walk({key})
    walk.through(list(values.items()))
    return walk.found.get(key)


def variable_of(key: int, start: types.FrameType | None) -> str | None:
    """The variable of a running function that holds the tensor, e.g. ``outputs[0] in Toy.predict``."""
    for frame in _own_frames(start):
        name = _in_locals(key, frame.f_locals)
        if name is not None:
            return f"{name} in {getattr(frame.f_code, 'co_qualname', frame.f_code.co_name)}"
    return None


def own_place(start: types.FrameType | None) -> Frame | None:
    """The innermost line, from ``start`` outwards, that is neither torch's, nor the standard library's, nor this
    worker's."""
    frame = next(_own_frames(start), None)
    if frame is None:
        return None
    file, line = frame.f_code.co_filename, frame.f_lineno
    return Frame(file, line, frame.f_code.co_name, linecache.getline(file, line).strip())


def _own_frames(frame: types.FrameType | None) -> Iterator[types.FrameType]:
    for _ in range(MOST_FRAMES):
        if frame is None:
            return
        if not skipped(frame.f_code.co_filename):
            yield frame
        frame = frame.f_back


def _in_locals(key: int, variables: Mapping[str, Any]) -> str | None:
    """Only plain containers are looked into: what hangs on an object is told by its attribute."""
    for name, value in variables.items():
        if storage_key(value) == key:
            return name
        if isinstance(value, (list, tuple, dict)):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for place, item in islice(items, MOST_IN_ONE):
                if storage_key(item) == key:
                    return f"{name}[{place!r}]"
    return None


class _Walk:
    """Breadth first, so that the shortest path is found first."""

    def __init__(self, keys: Collection[int]) -> None:
        self.found: dict[int, str] = {}
        self.modules: set[str] = set()
        self._wanted = set(keys)
        self._seen: set[int] = set()
        self._left = MOST_OBJECTS

    def through(self, roots: list[tuple[str, Any]]) -> None:
        """Look through all that can be reached from ``roots``, given with their names."""
        queue = deque(roots)
        while queue and self._left > 0 and len(self.found) < len(self._wanted):
            path, value = queue.popleft()
            if id(value) in self._seen or isinstance(value, _PLAIN):
                continue
            self._seen.add(id(value))
            self._left -= 1
            key = storage_key(value)
            if key is not None:
                if key in self._wanted:
                    self.found.setdefault(key, path)
                continue
            queue.extend(islice(self._inside(path, value), MOST_IN_ONE))

    def _inside(self, path: str, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            for name, item in list(value.items()):
                yield (f"{path}{name}" if _is_root(path) else f"{path}[{name!r}]"), item
        elif isinstance(value, (list, tuple, deque, set, frozenset)):
            yield from ((f"{path}[{number}]", item) for number, item in enumerate(list(value)))
        elif isinstance(value, types.FunctionType):
            yield from _closure(path, value)
        elif isinstance(value, types.MethodType):
            yield path, value.__self__
        elif isinstance(value, torch.nn.Module) or not _closed(type(value)):
            self._note_module(type(value))
            yield from _attributes(path, value)

    def _note_module(self, kind: type[Any]) -> None:
        module = sys.modules.get(kind.__module__)
        file = getattr(module, "__file__", None)
        if file and not skipped(file):
            self.modules.add(kind.__module__)


def _is_root(path: str) -> bool:
    return path.endswith("] ")


def _closed(kind: type[Any]) -> bool:
    return kind.__module__.partition(".")[0] in _CLOSED


def _closure(path: str, function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f"{path}.<{name}>", cell.cell_contents
        except ValueError:  # not filled yet
            continue


def _attributes(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What hangs on an object; of a module its parts by the names that code uses."""
    dot = "" if _is_root(path) else "."
    held = dict(getattr(value, "__dict__", None) or {})
    if isinstance(value, torch.nn.Module):
        parts = [held.pop(name, None) or {} for name in ("_parameters", "_buffers", "_modules")]
        for part in parts:
            for name, item in part.items():
                yield (f"{path}[{name}]" if name.isdigit() else f"{path}{dot}{name}"), item
    for name, item in held.items():
        yield f"{path}{dot}{name}", item
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            item = getattr(value, name, None)
            if item is not None:
                yield f"{path}{dot}{name}", item
